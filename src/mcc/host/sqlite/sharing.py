"""Side files that another user's service can write.

SQLite gives ``-wal``, ``-shm`` and ``-journal`` the mode of the database, and its owner only if root makes
them. Made by the deploy user they are "readonly" for the service that comes along while a migration runs,
or after it was killed. So the database's owner gets the right to them by an access control list (acl(5));
where a file system has none, the deploy's ownership step puts it right a little later.
"""

from __future__ import annotations

import contextlib
import os
import stat
import struct
from pathlib import Path

from mcc.host.way import open_name, parent_of

_ACL = "system.posix_acl_access"
_SIDES = ("-wal", "-shm", "-journal")
# linux/posix_acl_xattr.h: a version, then tag, permissions and id of each entry, in the order of the tags.
_VERSION, _NOBODY = 2, 0xFFFFFFFF
_OWNER, _USER, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x10, 0x20
_READ_WRITE = 6


def share_side_files(path: str) -> None:
    """Let the owner of the database at ``path`` write the side files that are ours; never raises."""
    with contextlib.suppress(OSError), parent_of(Path(path)) as (folder, name):
        owner = os.stat(name, dir_fd=folder, follow_symlinks=False).st_uid
        if owner != os.geteuid():
            for side in _SIDES:
                with contextlib.suppress(OSError):
                    # O_PATH: closing any other descriptor would let go of SQLite's locks on the file (fcntl(2)).
                    descriptor = open_name(folder, name + side, os.O_PATH, Path(path + side))
                    try:
                        _share(descriptor, owner)
                    finally:
                        os.close(descriptor)


def _share(descriptor: int, user: int) -> None:
    # A second name is not ours to open up: the service may write this folder.
    found, path = os.fstat(descriptor), f"/proc/self/fd/{descriptor}"
    if found.st_uid != os.geteuid() or found.st_nlink != 1 or not stat.S_ISREG(found.st_mode):
        return
    if _ACL in os.listxattr(path):
        return  # done already, or given by the folder (OWNERSHIP: acl)
    group, other = (found.st_mode >> 3) & 7, found.st_mode & 7
    entries = (
        (_OWNER, _READ_WRITE, _NOBODY),
        (_USER, _READ_WRITE, user),
        (_GROUP, group, _NOBODY),
        (_MASK, _READ_WRITE | group, _NOBODY),
        (_OTHER, other, _NOBODY),
    )
    data = struct.pack("<I", _VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(path, _ACL, data)
