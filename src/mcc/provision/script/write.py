"""The script of one site: what it wants, in words for sh, around the fixed functions."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from mcc.core.ownership import FolderRule, variables_acl
from mcc.core.provisioned import UNITS, marker, start_program
from mcc.core.unit_names import SLOTS, instance_of, is_template, socket_of, unit_file
from mcc.provision.script.functions import FUNCTIONS
from mcc.provision.wanted import ACME, CERTIFICATES
from mcc.provision.wish import Wish
from mcc.version import __version__

_q = shlex.quote


def script(wish: Wish) -> str:
    """A whole script of POSIX sh. It runs from its last line on, so that half of it does nothing."""
    body = (
        _head(wish),
        FUNCTIONS,
        _function("candidates", "the files as they should be", _candidates(wish)),
        _function("look", "nothing is changed if something speaks against it", _look(wish)),
        _function("judge", "nothing is put in place that its own program rejects", _judge(wish)),
        _function("set_up", "what is as it should be is left alone", _set_up(wish)),
        _MAIN,
    )
    return "\n".join(body)


def _function(name: str, comment: str, lines: Iterable[str]) -> str:
    inner = list(lines) or [":"]
    return f"{name}() {{ # {comment}\n" + "\n".join(inner) + "\n}\n"


def _head(wish: Wish) -> str:
    kept = f"/var/backups/mcc/{wish.name}"
    replaced = " ".join(str(path) for file in wish.files for path in (file.path, file.link) if path)
    services = " ".join(unit for name in wish.services for unit in _instances(name))
    return f"""\
#!/bin/sh
# What root sets up on a server for {_comment(wish.base)}: made by mcc {__version__} from {_comment(wish.source)}.
#
# Read it, then run it as root, as often as you like: what is as it should be is left alone. All files are checked
# before the first is put in place. What was there before is kept, with an undo.sh, in
# {kept}/<time>/.
# Root runs nothing that {wish.user} owns, and makes nothing in folders of {wish.user}: that is done as {wish.user}.
set -eu
umask 022
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C.UTF-8
export PATH LC_ALL

BASE={_q(str(wish.base))}
OWNER={_q(wish.user)}
GROUP={_q(wish.group)}
SERVICE={_q(wish.service if wish.service != wish.user else "")}
SERVICES={_q(services)}
REPLACED={_q(replaced)}
MARKER={_q(marker(wish.base))}
BASE_PATTERN={_q(_sed_pattern(str(wish.base)))}
CERTIFICATES={CERTIFICATES}
ACME={ACME}
KEEP={kept}/$(date -u +%Y-%m-%dT%H%M%S)
"""


_MAIN = """\
main() {
    [ "$(id -u)" = 0 ] || { echo "provision: this must run as root" >&2; exit 2; }
    [ -d /run/systemd/system ] || { echo "provision: systemd does not run on this machine" >&2; exit 2; }
    exec 9>/run/mcc-provision.lock
    flock -n 9 || { echo "provision: it runs already" >&2; exit 2; }
    rm -rf /etc/.mcc-provision.* # of a run that was killed
    while [ -e "$KEEP" ]; do KEEP=$KEEP+; done
    NEW=$(mktemp -d /etc/.mcc-provision.XXXXXX)
    trap finish EXIT
    trap 'exit 1' HUP INT TERM
    candidates
    look
    if [ -n "$problems" ]; then
        printf 'provision: nothing was changed, since\\n%s' "$problems" >&2
        exit 2
    fi
    install_missing
    judge
    set_up
    if [ -d "$KEEP" ]; then say "done; the way back: sh $KEEP/undo.sh"; else say "everything is as it should be"; fi
    [ -z "$notes" ] || printf 'to do\\n%s' "$notes"
}

main </dev/null
"""


# ---- the parts


def _candidates(wish: Wish) -> Iterator[str]:
    for file in wish.files:
        end = _delimiter(file.text)
        yield f"    candidate {_path(file.path)} {file.mode:o} <<'{end}'\n{file.text.removesuffix(chr(10))}\n{end}"
        if file.link and file.checker == "nginx":
            yield f"    without_ipv6 {_path(file.path)}"


def _look(wish: Wish) -> Iterator[str]:
    if wish.wants("folders"):
        yield from (f"    straight {_q(str(path))}" for path in _way(wish.base))
    yield from (f"    ours {_path(file.path)}" for file in wish.files)
    yield from (f"    hides {_q(file.path.name)}" for file in wish.files if file.path.parent == UNITS)
    yield from (f"    ours_on {_path(file.link)} {_path(file.path)}" for file in wish.files if file.link)
    if wish.port is not None and any(file.part == "units" for file in wish.files):
        yield f"    port {wish.port}"
    yield from (f"    domain {_q(name)} {_q(re.escape(name))}" for name in wish.domains)
    given = [part for each in wish.certificates if each.source == "files" for part in (each.certificate, each.key)]
    yield from (f"    given {_q(str(path))}" for path in dict.fromkeys(given))
    yield from (f"    needs {program} {package}" for program, package in wish.packages)


def _judge(wish: Wish) -> Iterator[str]:
    for file in wish.files:
        if file.checker in ("visudo", "logrotate"):
            yield f"    judge_{file.checker} {_path(file.path)}"
    if any(file.checker == "systemd-analyze" for file in wish.files):
        yield "    judge_systemd"
    if any(file.checker == "nginx" for file in wish.files):
        yield "    copy_certificates"
        yield from (f"    stand_in_certificate {_q(domain)}" for domain in _made_up(wish))
        yield "    judge_nginx"


def _set_up(wish: Wish) -> Iterator[str]:
    if wish.wants("folders"):
        yield from _users(wish)
        yield from _folders(wish)
    starts = any(file.path == start_program(wish.base) for file in wish.files)
    if starts and wish.service and wish.service != wish.user:
        yield f"    share_variables {_q(','.join(variables_acl(wish.service)))}"
    yield from (f"    place_certificate {_q(domain)}" for domain in _made_up(wish))
    yield from (f"    place {_path(file.path)} {file.mode:o}" for file in wish.files)
    yield from (f"    link {_path(file.link)} {_path(file.path)}" for file in wish.files if file.link)
    yield from _units(wish)
    if any(file.part == "nginx" for file in wish.files):
        yield "    take_up_nginx"
        yield from (f"    ask_certbot {_q(wish.email or '')} {_q(domain)}" for domain in _made_up(wish))
        if _made_up(wish):
            yield "    take_up_nginx"
    if wish.needs_uv and wish.parts >= {"packages", "folders"}:
        yield _UV


_UV = """\
    home=$(getent passwd "$OWNER" | cut -d: -f6)
    if ! [ -x /usr/local/bin/uv ] && ! [ -x /usr/bin/uv ] && ! as_owner test -x "$home/.local/bin/uv"; then
        note "uv, which makes the application's Python environment, is not in /usr/local/bin: put it there," \\
            "such as: /opt/mcc/bin/pip install uv && ln -s /opt/mcc/bin/uv /usr/local/bin/"
    fi"""


def _users(wish: Wish) -> Iterator[str]:
    yield f"    user {_q(wish.user)} --create-home --shell /bin/bash"
    if wish.service and wish.service != wish.user:
        yield f"    user {_q(wish.service)} --system --no-create-home --shell /usr/sbin/nologin"
    if wish.group:
        yield f"    member {_q(wish.user)} {_q(wish.group)}"
    yield '    [ -n "$GROUP" ] || GROUP=$(id -gn "$OWNER")'


def _folders(wish: Wish) -> Iterator[str]:
    yield "    make_base"
    for rule in wish.folders:
        if rule.acl or rule.use == "private":
            yield from _folder(rule)
    for user in wish.passing:
        yield from (f"    passes {_q(user)} {_q(str(path))}" for path in _way(wish.base)[:-1])
    yield "    keep_lists"


def _folder(rule: FolderRule) -> Iterator[str]:
    everything = " all" if rule.use == "read" else ""
    yield f"    give {_q(str(rule.path))}{everything}"
    # five digits: with fewer, chmod keeps the set-gid bit that a folder has got from the one above
    yield f"    folder {_q(str(rule.path))} {rule.mode:05o} {_q(','.join(rule.acl))}"


def _units(wish: Wish) -> Iterator[str]:
    units = [file for file in wish.files if file.checker == "systemd-analyze"]
    if not units:
        return
    yield '    [ -z "$reload_systemd" ] || systemctl daemon-reload'
    for file in units:
        if file.enable:
            yield from (f"    enable {_q(name)}" for name in _instances(file.path.name))
    yield "    enable_all"
    names = {file.path.name for file in units}
    for name in sorted(names):
        if name.endswith(".service") and socket_of(name) in names:
            yield f"    start_socket {_q(name)} {_q(socket_of(name))}"


# ---- words


def _instances(name: str) -> tuple[str, ...]:
    if is_template(name) and unit_file(name).endswith("@.service"):
        return tuple(instance_of(name, slot) for slot in SLOTS)
    return (unit_file(name),)


def _made_up(wish: Wish) -> list[str]:
    return [each.domain for each in wish.certificates if each.source == "certbot"]


def _way(base: Path) -> list[Path]:
    """The folders on the way to the site, and the site; not the root folder."""
    return [*[*reversed(base.parents)][1:], base]


def _path(path: Path) -> str:
    return _q(str(path))


def _comment(text: object) -> str:
    return re.sub(r"[^ -~\w]", "?", str(text))


def _sed_pattern(text: str) -> str:
    """A basic regular expression that matches exactly this text, between ``#``; a unit doubles percent signs."""
    return re.sub(r"([][\\.*^$#/])", r"\\\1", text.replace("%", "%%"))


def _delimiter(text: str) -> str:
    """A line that the text does not have."""
    lines, end = set(text.splitlines()), "END_OF_FILE"
    while end in lines:
        end += "_"
    return end
