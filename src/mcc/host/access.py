"""Whether another user may do something with a file, by its mode and its access control list (acl(5))."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Sequence
from pathlib import Path

from mcc.core.acl import Entry, entry
from mcc.host.ports import Access, Rights

_BITS = {"r": 4, "w": 2, "x": 1}


def may(look: Rights, user: str, path: Path, rights: str) -> bool:
    """Whether ``user`` has all of ``rights`` there, folders above aside; True where that cannot be told."""
    wanted = sum(_BITS[each] for each in rights)
    try:
        account, access = pwd.getpwnam(user), look.look(path)
    except (KeyError, OSError):
        return True
    if access is None or account.pw_uid == 0:
        return True
    if access.owner == user:
        return (access.mode >> 6) & wanted == wanted
    groups = {grp.getgrgid(account.pw_gid).gr_name, *(each.gr_name for each in grp.getgrall() if user in each.gr_mem)}
    entries = [each for each in map(entry, access.acl) if not each.default]
    # Linux looks at no list whose mask is empty (the group's bits of the mode): others' bits count then.
    if entries and access.mode & 0o070:
        return _by_list(entries, user, groups, access, wanted)
    granted = access.mode >> 3 if access.group in groups else access.mode
    return granted & wanted == wanted


def _by_list(entries: Sequence[Entry], user: str, groups: set[str], access: Access, wanted: int) -> bool:
    """The algorithm of acl(5), for who does not own the file."""
    mask = next((each.rights for each in entries if each.tag == "m"), 7)
    named = next((each.rights for each in entries if each.tag == "u" and each.name == user), None)
    if named is not None:
        return named & mask & wanted == wanted
    ours = [each.rights for each in entries if each.tag == "g" and (each.name or access.group) in groups]
    if ours:
        return any(granted & mask & wanted == wanted for granted in ours)
    return any(each.tag == "o" and each.rights & wanted == wanted for each in entries)
