"""Who and where this process is."""

from __future__ import annotations

import grp
import os
import platform
import pwd
import secrets
from pathlib import Path


class RealMachine:
    """This process on this machine."""

    def user(self) -> str:
        try:
            return pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            return str(os.geteuid())

    def name(self) -> str:
        return platform.node()

    def pid(self) -> int:
        return os.getpid()

    def variable(self, name: str) -> str | None:
        return os.environ.get(name)

    def token(self) -> str:
        return secrets.token_hex(2)

    def blocked(self, user: str, path: Path) -> Path | None:
        way = [folder for folder in reversed(path.resolve().parents) if folder.is_dir()]
        return next((folder for folder in way if not _may(user, folder, 0o1)), None)

    def may_make_files(self, user: str, folder: Path) -> bool:
        return not folder.is_dir() or _may(user, folder, 0o3)


def _may(user: str, folder: Path, rights: int) -> bool:
    """Whether the mode bits give ``user`` all of ``rights`` (rwx as 4, 2, 1); True if unknown."""
    try:
        account = pwd.getpwnam(user)
        info = folder.stat()
    except (KeyError, OSError):
        return True
    if account.pw_uid == 0 or "system.posix_acl_access" in os.listxattr(folder):
        return True
    if info.st_uid == account.pw_uid:
        granted = info.st_mode >> 6
    elif info.st_gid in _groups(account):
        granted = info.st_mode >> 3
    else:
        granted = info.st_mode
    return granted & rights == rights


def _groups(account: pwd.struct_passwd) -> set[int]:
    return {account.pw_gid, *(group.gr_gid for group in grp.getgrall() if account.pw_name in group.gr_mem)}
