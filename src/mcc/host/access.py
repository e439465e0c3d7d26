"""Who may do what with a file: its owner, its group, its mode and its access control list (acl(5))."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BITS = {"r": 4, "w": 2, "x": 1}
_ACCESS, _DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
# Tags of <linux/posix_acl.h>; an entry is tag, permissions and id, behind a version of four bytes.
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_ENTRY = struct.Struct("<HHI")


@dataclass(frozen=True, slots=True)
class Facts:
    """``mode`` without the kind; ``inherits``: what is made in the folder gets an access control list."""

    owner: str
    group: str
    mode: int
    is_link: bool
    inherits: bool

    @property
    def octal(self) -> str:
        return f"{self.mode:04o}"


def facts(path: Path) -> Facts | None:
    """What is there; None if it is not, or cannot be seen."""
    try:
        info = path.lstat()
    except OSError:
        return None
    is_link = stat.S_ISLNK(info.st_mode)
    inherits = not is_link and _DEFAULT in _attributes(path)
    return Facts(_user_name(info.st_uid), _group_name(info.st_gid), stat.S_IMODE(info.st_mode), is_link, inherits)


def may(user: str, path: Path, rights: str) -> bool:
    """Whether ``user`` has all of ``rights`` there; True where that cannot be told. Links are followed."""
    wanted = sum(_BITS[each] for each in rights)
    try:
        account, info = pwd.getpwnam(user), path.stat()
    except (KeyError, OSError):
        return True
    if account.pw_uid == 0:
        return True
    if info.st_uid == account.pw_uid:
        return (info.st_mode >> 6) & wanted == wanted
    entries = list(_entries(path))
    groups = {account.pw_gid, *(each.gr_gid for each in grp.getgrall() if account.pw_name in each.gr_mem)}
    if entries:
        return _by_list(entries, account.pw_uid, groups, info.st_gid, wanted)
    granted = info.st_mode >> 3 if info.st_gid in groups else info.st_mode
    return granted & wanted == wanted


def _by_list(entries: list[tuple[int, int, int]], uid: int, groups: set[int], group: int, wanted: int) -> bool:
    """The algorithm of acl(5), for who does not own the file."""
    mask = next((granted for tag, granted, _ in entries if tag == _MASK), 7)
    for tag, granted, who in entries:
        if tag == _USER and who == uid:
            return granted & mask & wanted == wanted
    of_groups = [
        granted for tag, granted, who in entries
        if (tag == _GROUP_OBJ and group in groups) or (tag == _GROUP and who in groups)
    ]  # fmt: skip
    if of_groups:
        return any(granted & mask & wanted == wanted for granted in of_groups)
    return any(tag == _OTHER and granted & wanted == wanted for tag, granted, _ in entries)


def _entries(path: Path) -> Iterator[tuple[int, int, int]]:
    try:
        data = os.getxattr(path, _ACCESS)
    except OSError:
        return  # none, or a file system without lists
    yield from _ENTRY.iter_unpack(data[4:])


def _attributes(path: Path) -> list[str]:
    try:
        return os.listxattr(path)
    except OSError:
        return []


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
