"""Reads what a server has for a site already. Nothing is changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mcc.core.provisioned import UNITS, is_ours, recovery_unit
from mcc.host.ports import Files, Host
from mcc.provision.server.installed import Installed, belongs, ports_of, sudo_lines
from mcc.provision.wanted import SITES_ENABLED

_CONF_D = Path("/etc/nginx/conf.d")
_LARGEST = 1024 * 1024


def installed(base: Path, user: str | None, host: Host) -> Installed:
    """Units and nginx sites that name the site, and the sudo lines that speak of them."""
    units = {
        path: text
        for path, text in texts(UNITS, (".service", ".socket"), host.files).items()
        if path.name != recovery_unit(base) and (belongs(text, base) or _socket_of_one(path, base, host.files))
    }
    sites = {
        path: text
        for folder, endings in ((SITES_ENABLED, ()), (_CONF_D, (".conf",)))
        for path, text in texts(folder, endings, host.files).items()
        if is_ours(text.encode(), base) or belongs(text, base, ports_of(units))
    }
    found = Installed(base, units, sites, owner=user or _owner(base, host))
    return replace(found, sudo=sudo_lines(_listing(user, host), found))


def _owner(base: Path, host: Host) -> str:
    try:
        access = host.rights.look(base)
    except OSError:
        return ""
    return access.owner if access else ""


def texts(folder: Path, endings: tuple[str, ...], files: Files) -> dict[Path, str]:
    """The files of a folder that this user may read, by path."""
    found = {}
    for name in files.names(folder):
        path = folder / name
        if not name.endswith(endings or "") or files.kind(path) not in ("file", "link"):
            continue
        try:
            found[path] = files.read(path, _LARGEST).decode("utf-8", "replace")
        except OSError:
            continue  # a link that leads nowhere, or a file that only root may read
    return found


def _socket_of_one(path: Path, base: Path, files: Files) -> bool:
    """A socket's file says nothing of the site; its service's does."""
    service = path.with_suffix(".service")
    if path.suffix != ".socket" or files.kind(service) != "file":
        return False
    return belongs(files.read(service, _LARGEST).decode("utf-8", "replace"), base)


def _listing(user: str | None, host: Host) -> str:
    """What sudo allows the deploy user: root may ask for another, everybody for themselves."""
    if host.commands.find("sudo") is None:
        return ""
    me = host.machine.user()
    if me == "root" and not user:
        return ""
    words = ["sudo", "-n", "-l", *(["-U", user] if me == "root" and user else [])]
    done = host.commands.run(words, env={"LC_ALL": "C.UTF-8"}, timeout=30.0)
    return done.output if done.ok else ""
