"""What root would do with things of the deploy user's or of the service's, by a project's own unit or nginx site.

systemd starts what names no user as root, and opens the files of ``StandardOutput=`` as root; nginx's master opens
its logs and owns its folders as root. Whoever can write in the site could lead that elsewhere by a link.
Sources: systemd.exec(5), systemd.service(5), nginx.org/en/docs (ngx_http_log_module, ngx_core_module).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from mcc.core.looks.nginx_site import Directive, parse
from mcc.model.problem import Problem

_SETTING = re.compile(r"[ \t]*([A-Za-z]+)[ \t]*=[ \t]*(.*)", re.DOTALL)
_STREAMS = ("StandardOutput", "StandardError")
_OPENED = re.compile(r"(?:file|append|truncate):(/.*)")
_TRUE = ("1", "yes", "y", "true", "t", "on")
# What the master opens for writing, or gives to the workers' user (ngx_create_paths).
_NGINX_WRITES = re.compile(r"access_log|error_log|\w+_temp_path|\w+_cache_path")


def unit_problems_of_root(text: str, file: str, base: Path) -> Iterator[Problem]:
    """Commands that would run as root, and logs in the site that root would open."""
    user, commands, dynamic = "", [], False
    for line, key, value in _settings(text):
        if key == "User":
            user = value
        elif key == "DynamicUser":
            dynamic = value.lower() in _TRUE
        elif key.startswith("Exec") and value:
            commands.append(line)
            yield from _as_root(file, line, key, value)
        elif key == "PermissionsStartOnly" and value.lower() in _TRUE:
            yield Problem(file, line, key, "lets all but ExecStart run as root", "take that line out")
        elif key in _STREAMS:
            yield from _stream(file, line, key, value, base)
    if commands and user in ("", "0", "root") and not dynamic:
        said = f"User={user} is root" if user else "it says no User=, and so runs as root"
        yield Problem(file, commands[0], "", said, "write User= with the service's user, or the deploy user")


def _settings(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, key and value of each setting; a backslash at the end of a line goes on with the next."""
    whole, start = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith(("#", ";")):
            continue  # also between the lines of one setting
        start = start if whole else number
        whole += line
        if whole.endswith("\\"):
            whole = f"{whole[:-1]} "
            continue
        match, whole = _SETTING.match(whole), ""
        if match:
            yield start, match[1], match[2].strip()


def _as_root(file: str, line: int, key: str, value: str) -> Iterator[Problem]:
    signs = value[: len(value) - len(value.lstrip("@-:+!|"))]
    if set(signs) & set("+!"):
        help = "let root do it once, by hand; or take the sign away, if the service's user may do it"
        yield Problem(file, line, key, f"begins with {signs}, and so runs as root", help)


def _stream(file: str, line: int, key: str, value: str, base: Path) -> Iterator[Problem]:
    match = _OPENED.match(value)
    if match and _inside(match[1], base):
        help = "leave it to the journal, or name a file in a folder of root's, such as /var/log"
        yield Problem(file, line, key, _opened(match[1], "systemd"), help)


def nginx_problems_of_root(text: str, file: str, base: Path) -> Iterator[Problem]:
    """Logs and folders in the site that nginx's master would open, or own, as root."""
    for directive in _all(parse(text)):
        path = directive.words[0] if directive.words else ""
        if directive.name == "include" and _inside(path, base):
            message = f"{path} is the deploy user's to change, and would be part of root's configuration"
            yield Problem(file, directive.line, directive.name, message, "write its text into this file")
        # With a variable in it the workers open it, as their own user.
        elif _NGINX_WRITES.fullmatch(directive.name) and "$" not in path and _inside(path, base):
            help = "name one in a folder of root's, such as /var/log/nginx or /var/cache/nginx"
            yield Problem(file, directive.line, directive.name, _opened(path, "nginx"), help)


def _all(directives: Iterable[Directive]) -> Iterator[Directive]:
    for directive in directives:
        yield directive
        yield from _all(directive.block)


def _opened(path: str, who: str) -> str:
    return f"{who} would open {path} as root, and follow a link that others can lay there"


def _inside(path: str, base: Path) -> bool:
    return f"{posixpath.normpath(path)}/".startswith(f"{base}/")
