"""Owners, modes and access control lists, as the kernel keeps them: no program and no root is needed for one's own.

The kernel's form is two extended attributes of a file (linux/posix_acl_xattr.h): a version, then tag, rights and
number of each entry, in the order of the tags.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from mcc.core.acl import Entry, canonical, entry
from mcc.host.ports import Access
from mcc.host.way import looked_at, naming

_ACCESS, _DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
_VERSION, _NOBODY = 2, 0xFFFFFFFF
_OWNER, _USER, _OWNING, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_LETTERS = {_OWNER: "u", _USER: "u", _OWNING: "g", _GROUP: "g", _MASK: "m", _OTHER: "o"}
_NONE = (errno.ENODATA, errno.ENOTSUP)


class RealRights:
    """Port ``Rights``. Everything goes by a descriptor of the thing itself, never through a link at its end."""

    def look(self, path: Path) -> Access | None:
        try:
            with looked_at(path) as found:
                return _look(found)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def supported(self, path: Path) -> bool:
        while not path.exists():
            path = path.parent
        try:
            os.getxattr(path, _ACCESS)
        except OSError as error:
            return error.errno != errno.ENOTSUP
        return True

    def knows(self, user: str) -> bool:
        try:
            pwd.getpwnam(user)
        except KeyError:
            return False
        return True

    def knows_group(self, group: str) -> bool:
        try:
            grp.getgrnam(group)
        except KeyError:
            return False
        return True

    def set(self, path: Path, access: Access) -> None:
        with looked_at(path) as found, naming(path):
            info, place = os.fstat(found), f"/proc/self/fd/{found}"
            _refuse(info, path)
            if access.group != _group_name(info.st_gid):
                with contextlib.suppress(PermissionError):
                    os.chown(place, -1, _group_id(access.group))
            _set_list(place, _ACCESS, [each for each in _entries(access) if not each.default])
            if stat.S_ISDIR(info.st_mode):
                _set_list(place, _DEFAULT, [each for each in _entries(access) if each.default])
            Path(place).chmod(access.mode)  # after the list, which knows neither set-gid nor sticky


def _look(found: int) -> Access:
    info, place = os.fstat(found), f"/proc/self/fd/{found}"
    if stat.S_ISLNK(info.st_mode):
        return Access(_user_name(info.st_uid), _group_name(info.st_gid), stat.S_IMODE(info.st_mode), ())
    kinds = [(_ACCESS, False), (_DEFAULT, True)] if stat.S_ISDIR(info.st_mode) else [(_ACCESS, False)]
    acl = canonical(text for name, default in kinds for text in _list(place, name, default))
    return Access(_user_name(info.st_uid), _group_name(info.st_gid), stat.S_IMODE(info.st_mode), acl)


def _refuse(info: os.stat_result, path: Path) -> None:
    """A second name of a file may be another's doing, and its rights are not this folder's to give."""
    if stat.S_ISDIR(info.st_mode):
        return
    if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1:
        number = errno.ELOOP if stat.S_ISLNK(info.st_mode) else errno.EMLINK
        raise OSError(number, os.strerror(number), str(path))


def _list(place: str, name: str, default: bool) -> Iterator[str]:
    try:
        data = os.getxattr(place, name)
    except OSError as error:
        if error.errno in _NONE:
            return
        raise
    for tag, rights, number in struct.iter_unpack("<HHI", data[4:]):
        who = {_USER: _user_name, _GROUP: _group_name}.get(tag, lambda _: "")(number)
        yield str(Entry(default, _LETTERS[tag], who, rights))


def _set_list(place: str, name: str, entries: list[Entry]) -> None:
    if entries:
        body = sorted(_packed(each) for each in entries)
        os.setxattr(place, name, struct.pack("<I", _VERSION) + b"".join(struct.pack("<HHI", *each) for each in body))
        return
    try:
        os.removexattr(place, name)
    except OSError as error:
        if error.errno not in _NONE:
            raise


def _packed(each: Entry) -> tuple[int, int, int]:
    if each.name:
        tag, number = (_USER, _user_id(each.name)) if each.tag == "u" else (_GROUP, _group_id(each.name))
        return tag, each.rights, number
    return {"u": _OWNER, "g": _OWNING, "m": _MASK, "o": _OTHER}[each.tag], each.rights, _NOBODY


def _entries(access: Access) -> list[Entry]:
    return [entry(text) for text in access.acl]


def _user_name(number: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return str(number)


def _group_name(number: int) -> str:
    with contextlib.suppress(KeyError):
        return grp.getgrgid(number).gr_name
    return str(number)


def _user_id(name: str) -> int:
    try:
        return int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError:
        raise OSError(errno.EINVAL, f"there is no user {name}") from None


def _group_id(name: str) -> int:
    try:
        return int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise OSError(errno.EINVAL, f"there is no group {name}") from None
