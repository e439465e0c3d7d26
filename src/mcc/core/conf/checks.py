"""What single values must be: each check gives the value in its right type, or raises Unfit."""

from __future__ import annotations

import ipaddress
import math
import posixpath
import re
import shlex
import warnings
from collections.abc import Callable
from urllib.parse import urlsplit

from mcc.core.conf.unfit import Unfit, found
from mcc.core.nearest import did_you_mean

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DIGITS = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
# Debian's adduser and useradd take letters, digits, _ - . and a last $; @ is for directory services.
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]{0,62}\$?", re.ASCII)
# systemd.unit(5): the characters of a unit name.
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
TRACKING_TABLE = re.compile(r"([A-Za-z_]\w*)\s*(?:\(\s*([A-Za-z_]\w*)\s*(?:,\s*([A-Za-z_]\w*)\s*)?\))?", re.ASCII)
_PLAIN = re.compile(r"[\w.+=@,:-]+")
_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})", re.ASCII)


def text(value: object, allowed: str = "text") -> str:
    """Text without control characters, and not empty."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise found(value, "text (put it in quotes)" if allowed == "text" else allowed)
    if not isinstance(value, str) or not value:
        raise found(value, allowed)
    if _CONTROL.search(value):
        raise found(value, f"{allowed}, on one line and without control characters")
    return value


def long_text(value: object) -> str:
    """Text of any number of lines."""
    if isinstance(value, str) and "\0" not in value:
        return value
    raise found(value, "text" if isinstance(value, str | dict | list) else "text (put it in quotes)")


def flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):  # what env: gives is always text
        return value == "true"
    raise found(value, "true or false")


def whole(low: int, high: int | None = None) -> Callable[[object], int]:
    """A whole number, also one in quotes."""
    allowed = f"a whole number from {low} to {high}" if high is not None else f"a whole number, {low} or more"

    def check(value: object) -> int:
        number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) else value
        if isinstance(number, bool) or not isinstance(number, int):
            raise found(value, allowed)
        if number < low or (high is not None and number > high):
            raise found(value, allowed)
        return number

    return check


def seconds(positive: bool) -> Callable[[object], float]:
    """A number of seconds up to a day, also one in quotes; zero only if it means something."""
    allowed = "a number of seconds, more than 0" if positive else "a number of seconds, 0 or more"

    def check(value: object) -> float:
        number = float(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise found(value, allowed)
        if number < 0 or (positive and number == 0) or number > 86_400:
            raise found(value, f"{allowed} and not more than a day (86400)")
        return float(number)

    return check


def one_of(*words: str) -> Callable[[object], str]:
    """One of a few words."""
    allowed = ", ".join(words)

    def check(value: object) -> str:
        if value in words:
            return str(value)
        hint = did_you_mean(value, words) if isinstance(value, str) else ""
        raise found(value, f"{allowed}; {hint}" if hint else allowed)

    return check


def remote_base(value: object) -> str:
    """The folder of a site: an absolute path, normalised."""
    allowed = "an absolute path such as /home/deploy/live/myapp"
    path = text(value, allowed)
    names = path.split("/")
    if not path.startswith("/") or ".." in names:
        raise found(value, f"{allowed}, without ..")
    # Linux takes names of 255 bytes and paths of 4095; below the site come those of its files.
    if len(path.encode()) > 1000 or max(len(name.encode()) for name in names) > 255:
        raise found(value, f"{allowed}, of at most 1000 bytes, 255 a name")
    normal = "/" + posixpath.normpath(path).lstrip("/")
    if normal == "/":
        raise found(value, f"{allowed}, not the root folder")
    return normal


def site_path(value: object) -> str:
    """A path that is absolute or counts from REMOTE_BASE."""
    allowed = "a path, absolute or from REMOTE_BASE on, without .."
    path = text(value, allowed)
    if ".." in path.split("/"):
        raise found(value, allowed)
    return posixpath.normpath(path)


def relative_path(value: object, allowed: str = "a relative path without ..") -> str:
    """A path below some folder; ``.`` is refused."""
    path = text(value, allowed)
    if path.startswith("/") or ".." in path.split("/") or posixpath.normpath(path) == ".":
        raise found(value, allowed)
    return posixpath.normpath(path)


def inner_path(value: object) -> str:
    """A path below some folder, or ``.`` for the folder itself."""
    allowed = "a relative path without .., or . for the folder itself"
    return "." if value in (".", "./") else relative_path(value, allowed)


def plain_path(value: object) -> str:
    """A relative path of names that need no quotes in any shell or crontab."""
    allowed = "a relative path of letters, digits and . _ - + = @ , : without .. and without spaces"
    path = relative_path(value, allowed)
    if not all(_PLAIN.fullmatch(name) and not name.startswith("-") for name in path.split("/")):
        raise found(value, allowed)
    return path


def plain_name(value: object) -> str:
    """One name that needs no quotes anywhere."""
    allowed = "a name of letters, digits and . _ - + = @ , :"
    name = text(value, allowed)
    if not _PLAIN.fullmatch(name) or name.startswith("-") or name in (".", ".."):
        raise found(value, allowed)
    return name


def user_name(value: object) -> str:
    if not isinstance(value, str) or not _USER.fullmatch(value):
        raise found(value, "the name of a user or group, such as www-data")
    if value == "ALL":  # sudoers(5): everybody
        raise found(value, "a user or group, such as www-data; ALL is everybody to sudo")
    return value


def unit(value: object) -> str:
    """A unit of systemd, letter by letter as sudo compares it."""
    if not isinstance(value, str) or not _UNIT.fullmatch(value):
        raise found(value, "the name of a unit, such as myapp-prod.service")
    return value


def schedule(value: object) -> str:
    """When cron runs something."""
    from mcc.core.cron.schedules import problem_with  # late: nothing that only looks at a site needs it

    fields = text(value, 'a schedule as in crontab(5), such as "0 2 * * *"')
    if wrong := problem_with(fields):
        raise Unfit(wrong)
    return fields


def health_path(value: object) -> str:
    allowed = "a path on the site that begins with /, such as /api/health"
    path = text(value, allowed)
    if not path.startswith("/") or any(character.isspace() for character in path):
        raise found(value, allowed)
    return path


def web_address(value: object) -> str:
    allowed = "an address such as https://app.example.com/health"
    address = text(value, allowed)
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise found(value, allowed) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in address:
        raise found(value, allowed)
    return address


def listen(value: object) -> str:
    allowed = "an address and a port, such as 127.0.0.1:8000"
    match = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if match is None or not 1 <= int(match[2]) <= 65535:
        raise found(value, allowed)
    return match[0]


def network(value: object) -> str:
    """An address or a network, as nginx takes it (``allow``)."""
    allowed = "an IP address or a network, such as 192.0.2.7 or 192.0.2.0/24"
    if not isinstance(value, str):
        raise found(value, allowed)
    try:
        return str(ipaddress.ip_network(value)) if "/" in value else str(ipaddress.ip_address(value))
    except ValueError as error:
        raise found(value, f"{allowed}, without host bits" if "host bits" in str(error) else allowed) from None


def module(value: object) -> str:
    allowed = "the dotted name of a Python module, such as api.main"
    if not isinstance(value, str) or not all(part.isidentifier() for part in value.split(".")):
        raise found(value, allowed)
    return value


def schema(value: object) -> str:
    """The name of a PostgreSQL schema; it is always quoted, so that hyphens and capitals are fine.

    63 bytes is NAMEDATALEN - 1: a longer name would be cut off without a word.
    """
    allowed = "the name of a schema: up to 63 printable characters, none of them a quote"
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or '"' in value:
        raise found(value, allowed)
    if len(value.encode()) > 63 or value.startswith("pg_"):
        raise found(value, f"{allowed}, and not one that begins with pg_")
    return value


def tracking_table(value: object) -> str:
    """A table, and the columns that hold the file's name and its checksum where they are called otherwise."""
    if not isinstance(value, str) or not TRACKING_TABLE.fullmatch(value.strip()):
        raise found(value, "the name of a table, or with its columns: _deployment_log(filename, checksum)")
    return value.strip()


def variable(value: object) -> str:
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise found(value, "the name of a variable: letters, digits and _")
    return value


def variable_value(value: object) -> str:
    """Text, or a number, for a process's environment."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and "\0" not in value:
        return value
    raise found(value, "text or a number (put it in quotes)")


def words(value: object) -> list[str]:
    """The words of a command: a list, or text that is split as a shell would (nothing else of it)."""
    allowed = 'a list of words, or one text, such as "--no-dev --extra prod"'
    if isinstance(value, str):
        try:
            value = shlex.split(value)
        except ValueError:
            raise found(value, f"{allowed}, with every quote closed") from None
    if not isinstance(value, list):
        raise found(value, allowed)
    return [text(word, "a word") for word in value]


def as_list(value: object) -> object:
    """One text stands for a list of one."""
    return [value] if isinstance(value, str) else value


def pattern(value: object) -> str:
    """A regular expression that compiles; ``-`` means never."""
    allowed = 'a regular expression such as "^main$", ".*" for any branch, "-" for none'
    source = text(value, allowed)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(source)
    except (re.error, OverflowError, RecursionError) as error:
        raise Unfit(f'found "{source}", which does not compile: {error}', f"allowed: {allowed}") from None
    return source


def link(value: object) -> str:
    """An address that a person can open."""
    return text(value, "an address")
