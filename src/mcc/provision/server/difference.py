"""What a server has of what a site wants, file by file. Nothing is changed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mcc.core.acl import canonical
from mcc.core.ownership import FolderRule
from mcc.core.provisioned import is_ours
from mcc.host.ports import Access, Commands, Files, Host
from mcc.provision.nginx.collisions import Collision
from mcc.provision.server.taken import taken
from mcc.provision.wanted import File
from mcc.provision.wish import Wish

State = Literal["new", "changed", "same", "foreign", "unknown"]
"""``foreign``: a file of that name is there, and not made for this site; ``unknown``: only root may look."""

_NET = Path("/proc/self/net")
_ROOTS_PROGRAMS = ("/usr/sbin", "/sbin")


@dataclass(frozen=True, slots=True)
class FileState:
    """One file of root's: how it stands, and the unified diff from what is there to what should be."""

    file: File
    state: State
    diff: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """All that the script would do on this machine."""

    files: tuple[FileState, ...]
    folders: tuple[tuple[FolderRule, State], ...] = ()
    packages: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    enable: tuple[str, ...] = ()
    taken: tuple[Collision, ...] = ()

    @property
    def against(self) -> tuple[str, ...]:
        """What speaks against it, in words: the script would refuse for it."""
        foreign = (f"{each.file.path} is there, and was not made by mcc for this site" for each in self.foreign)
        return (*foreign, *map(str, self.taken))

    @property
    def foreign(self) -> tuple[FileState, ...]:
        return tuple(each for each in self.files if each.state == "foreign")

    @property
    def nothing(self) -> bool:
        """Whether the server has all of it."""
        states = [each.state for each in self.files] + [state for _, state in self.folders]
        return set(states) <= {"same"} and not (self.packages or self.users or self.enable)


def difference(wish: Wish, host: Host) -> Difference:
    """Compare with this machine."""
    files = tuple(_file(_as_here(file, host.files), wish.base, host.files) for file in wish.files)
    named = [name for name in (wish.user, wish.service) if name] if wish.wants("folders") else []
    return Difference(
        files=files,
        folders=tuple(_folders(wish, host)),
        packages=tuple(package for program, package in wish.packages if not _has(program, host)),
        users=tuple(name for name in dict.fromkeys(named) if not host.rights.knows(name)),
        enable=tuple(file.path.name for file in wish.files if file.enable and not _enabled(file, host.commands)),
        taken=taken(wish, host),
    )


def _as_here(file: File, files: Files) -> File:
    """A site of nginx as the script writes it where the kernel has IPv6 switched off."""
    if file.checker != "nginx" or files.kind(_NET) != "folder" or files.kind(_NET / "if_inet6") != "absent":
        return file
    return replace(file, text=re.sub(r"^ *listen \[::\].*\n", "", file.text, flags=re.MULTILINE))


def _file(file: File, base: Path, files: Files) -> FileState:
    try:
        kind = files.kind(file.path)
        if kind not in ("absent", "file"):
            return FileState(file, "foreign")
        there = files.read(file.path) if kind == "file" else None
    except OSError:
        return FileState(file, "unknown")
    return compare(file, there, base)


def compare(file: File, there: bytes | None, base: Path) -> FileState:
    """A file beside what is under its name. What has no marker is taken over if it is the same but for that line."""
    if there is None:
        return FileState(file, "new", tuple(_diff(file, "")))
    wanted = file.text.encode("utf-8", "surrogateescape")
    if there == wanted:
        return FileState(file, "same")
    ours = is_ours(there, base) or there == wanted.partition(b"\n")[2]
    lines = tuple(_diff(file, there.decode("utf-8", "replace")))
    return FileState(file, "changed" if ours else "foreign", lines)


def _diff(file: File, there: str) -> Iterator[str]:
    before, after = there.splitlines(), file.text.splitlines()
    old = str(file.path) if there else "/dev/null"
    yield from difflib.unified_diff(before, after, old, str(file.path), lineterm="")


def _folders(wish: Wish, host: Host) -> Iterator[tuple[FolderRule, State]]:
    for rule in wish.folders:
        try:
            access = host.rights.look(rule.path)
        except OSError:  # closed, or behind a link that is not followed
            yield rule, "unknown"
            continue
        yield rule, _folder(rule, access)


def _folder(rule: FolderRule, access: Access | None) -> State:
    if access is None:
        return "new"
    whole = bool(rule.acl) or rule.use == "private"
    if not whole:
        return "same"  # the deploy sets what it needs
    group = not rule.group or access.group == rule.group
    right = access.owner == rule.owner and group and access.mode == rule.mode
    return "same" if right and canonical(access.acl) == canonical(rule.acl) else "changed"


def _has(program: str, host: Host) -> bool:
    if host.commands.find(program):
        return True
    return any(host.files.kind(Path(folder) / program) != "absent" for folder in _ROOTS_PROGRAMS)


def _enabled(file: File, commands: Commands) -> bool:
    if commands.find("systemctl") is None:
        return False
    return commands.run(["systemctl", "is-enabled", "-q", file.path.name], timeout=30.0).ok
