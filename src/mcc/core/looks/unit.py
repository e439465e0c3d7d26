"""Whether a unit of systemd fits the site that it serves: by the properties that ``systemctl show`` gives.

These are what systemd goes by, drop-ins and defaults included (systemd.exec(5), systemd.service(5)).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mcc.core.looks.findings import Finding, error, warning
from mcc.core.ownership import closing

PROPERTIES = (
    "Id", "LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload", "Type", "Restart", "StartLimitIntervalUSec",
    "StartLimitBurst", "WorkingDirectory", "ExecStart", "User", "EnvironmentFiles", "TriggeredBy", "UMask", "Group",
    "SupplementaryGroups",
)  # fmt: skip
_COMMAND = re.compile(r"argv\[\]=(.*?) ; ")
_PATH = re.compile(r"/[^\s'\";,:=()<>]+")


@dataclass(frozen=True, slots=True)
class Expected:
    """What the conf says. ``worker``: the unit answers no requests. ``live``: a release is live."""

    base: str
    links: tuple[str, ...]
    user: str | None
    deployer: str
    worker: bool
    live: bool
    variables: bool
    """Whether the site has a ``.env``."""
    readable: bool = True
    """Whether the service user may read it."""


def read_shown(output: str) -> dict[str, dict[str, str]]:
    """The properties of each unit by its ``Id``; blocks are parted by an empty line."""
    units = {}
    for block in output.strip().split("\n\n"):
        shown: dict[str, str] = {}
        for key, equals, value in (line.partition("=") for line in block.splitlines()):
            if equals:  # what has several values is on several lines
                shown[key] = f"{shown[key]}\n{value}" if key in shown else value
        units[shown.get("Id", "")] = shown
    return units


def judge(name: str, shown: Mapping[str, str], expected: Expected) -> Iterator[Finding]:
    """What does not fit; nothing if all does. A unit that is not known is said by the checks of a deploy."""
    if shown.get("LoadState") != "loaded":
        return
    yield from _folder(name, shown, expected)
    yield from _command(name, shown, expected)
    yield from _user(name, shown, expected)
    yield from _limits(name, shown)
    yield from _variables(name, shown, expected)
    yield from _standing(name, shown, expected)


def _folder(name: str, shown: Mapping[str, str], expected: Expected) -> Iterator[Finding]:
    folder = shown.get("WorkingDirectory", "").lstrip("!-")
    if folder in ("", "~") or posixpath.normpath(folder) == expected.base:
        return
    wanted = posixpath.join(expected.base, _first(expected.links))
    help = f"as root: WorkingDirectory={wanted}, then: systemctl daemon-reload"
    if not _below(folder, expected.base):
        yield error("units.folder", name, f"WorkingDirectory is {folder}, which is not in {expected.base}", help)
    elif not _is_lasting(folder, expected):
        yield error("units.folder", name, f"WorkingDirectory is {folder}, which no deploy switches", help)


def _command(name: str, shown: Mapping[str, str], expected: Expected) -> Iterator[Finding]:
    text = " ".join(_COMMAND.findall(shown.get("ExecStart", "") + " ; "))
    paths = [path for path in _PATH.findall(text) if "/venv" in path or "/.venv/" in path or "/api/vrs-" in path]
    for path in dict.fromkeys(paths):
        if not _below(path, expected.base):
            help = f"as root: name {expected.base}/.venv/bin/… in ExecStart, then: systemctl daemon-reload"
            yield error("units.environment", name, f"ExecStart runs {path}, which is not in {expected.base}", help)
        elif not _is_lasting(path, expected):
            help = f"as root: name {expected.base}/.venv/bin/… in ExecStart, then: systemctl daemon-reload"
            yield error("units.environment", name, f"ExecStart runs {path}, which no deploy switches", help)


def _user(name: str, shown: Mapping[str, str], expected: Expected) -> Iterator[Finding]:
    user = shown.get("User", "") or "root"
    if expected.user is None or user == expected.user or (expected.worker and user == expected.deployer):
        return
    help = f"as root: User={expected.user} in the unit, or DIR_USER: {user} in the conf"
    yield warning("units.user", name, f"it runs as {user}, and DIR_USER is {expected.user}", help)


def _limits(name: str, shown: Mapping[str, str]) -> Iterator[Finding]:
    interval, burst = shown.get("StartLimitIntervalUSec", "0"), shown.get("StartLimitBurst", "5")
    if interval not in ("0", "infinity") and burst != "0":
        message = (
            f"systemd refuses it after {burst} starts in {interval}: a bad release, and the way back, may need more"
        )
        help = "as root: StartLimitIntervalSec=0 in [Unit], then: systemctl daemon-reload"
        yield warning("units.start-limit", name, message, help)
    if shown.get("Restart", "no") == "no" and shown.get("Type") != "oneshot":
        help = "as root: Restart=always in [Service], then: systemctl daemon-reload"
        yield warning("units.restart", name, "Restart= is not set: a service that dies stays down", help)


def loaded_by(shown: Mapping[str, str], base: str) -> Literal["systemd", "itself", ""]:
    """Who loads the site's ``.env``: systemd, as root, or the unit's own command, as its user."""
    path, files = f"{base}/.env", shown.get("EnvironmentFiles", "").splitlines()
    if path in (re.sub(r" \(ignore_errors=\w+\)$", "", line.strip()) for line in files):
        return "systemd"
    commands = _COMMAND.findall(shown.get("ExecStart", "") + " ; ")
    return "itself" if any(f" {path} " in f"{words} " for words in commands) else ""


def _variables(name: str, shown: Mapping[str, str], expected: Expected) -> Iterator[Finding]:
    path = f"{expected.base}/.env"
    by = loaded_by(shown, expected.base) if expected.variables else "systemd"
    if by == "":
        help = f"as root: EnvironmentFile=-{path} in [Service], then: systemctl daemon-reload"
        yield warning("units.variables", name, f"it does not load {path}", help)
    elif by == "itself" and not expected.readable and shown.get("User") == expected.user:
        help = f"{closing(Path(path), expected.user or '')}; where the disk knows no such lists: mount it with acl"
        yield error("units.variables-closed", name, f"it reads {path}, and {expected.user} may not", help)


def _standing(name: str, shown: Mapping[str, str], expected: Expected) -> Iterator[Finding]:
    if shown.get("NeedDaemonReload") == "yes":
        message = "its file was changed after systemd read it: a restart runs the older one"
        yield warning("units.reload", name, message, "as root: systemctl daemon-reload")
    if expected.live and shown.get("ActiveState") not in ("active", "reloading") and not _rests(shown):
        message = f"it is {shown.get('ActiveState', 'unknown')}, though a release is live"
        yield warning("units.down", name, message, f"systemctl status {name} says why; the next deploy starts it")
    if shown.get("UnitFileState") == "disabled" and not shown.get("TriggeredBy"):
        yield warning("units.disabled", name, "it does not start with the machine", f"as root: systemctl enable {name}")


def _rests(shown: Mapping[str, str]) -> bool:
    return shown.get("Type") == "oneshot" or bool(shown.get("TriggeredBy"))


def _below(path: str, base: str) -> bool:
    normal = posixpath.normpath(path)
    return normal == base or normal.startswith(f"{base}/")


def _is_lasting(path: str, expected: Expected) -> bool:
    """Whether a path in the site leads to what is live, whatever release that is."""
    inside = posixpath.relpath(posixpath.normpath(path), expected.base)
    top = inside.split("/")[0]
    return top in (*expected.links, ".venv", "slots", "scripts", "data")


def _first(links: tuple[str, ...]) -> str:
    return next((link for link in links if "api" in link), links[0] if links else "")
