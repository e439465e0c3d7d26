"""Files that should be databases and are not, or not any more."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import time
from pathlib import Path

from mcc.errors import CopyFailed
from mcc.host.sqlite.source import held
from mcc.host.way import open_name, parent_of

_POLL = 0.05
# All bytes that SQLite locks (os_unix.c): PENDING_BYTE, then RESERVED, then the shared range.
_LOCKS, _MANY = 0x40000000, 512


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite says that a file is none of its databases, or not a whole one."""
    return str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT"))


def empty(path: str, database: Path, wait: float) -> None:
    """Make a file empty, which SQLite takes for a new database, without what lies beside it.

    Inode and owner stay. Whoever calls has kept what was in it. ``wait``: seconds for those who hold it.
    Raises CopyFailed.
    """
    try:
        with parent_of(Path(path)) as (folder, name):
            descriptor = open_name(folder, name, os.O_RDWR, Path(path))
            try:
                _hold(descriptor, database, wait)
                for suffix in ("-wal", "-shm", "-journal"):
                    # A log of the damaged database would be played into the new one.
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(name + suffix, dir_fd=folder)
                os.ftruncate(descriptor, 0)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    except OSError as error:
        raise CopyFailed(
            f"{database} is damaged and cannot be replaced: {error.strerror}", help=f"ls -la {database.parent}"
        ) from error


def _hold(descriptor: int, database: Path, wait: float) -> None:
    end = time.monotonic() + wait
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _MANY, _LOCKS)
        except OSError as error:
            if time.monotonic() >= end:
                raise held(database, wait) from error
            time.sleep(_POLL)
        else:
            return
