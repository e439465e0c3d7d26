"""The rollback journal of a connection that writes, where somebody else may exchange the folder at any moment.

SQLite opens the journal by its path when a transaction writes for the first time, and takes it away by its path at
the end (https://www.sqlite.org/atomiccommit.html); in between it uses the descriptor. If the folder was exchanged
for another just then, the journal lies beside another database, whose next user would play it into that one. So
the journal is opened with the first thing that a transaction does, and looked at before anything is written that
could be missed.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from mcc.host.sqlite.errors import is_busy
from mcc.host.sqlite.place import Place, held_count, identity, numbers
from mcc.host.way import parent_of

_ON_DISK = frozenset({"delete", "truncate", "persist"})


class Journal:
    """Of one connection to the database at ``place``."""

    def __init__(self, connection: sqlite3.Connection, place: Place) -> None:
        self._connection = connection
        self._path = f"{place.path}-journal"
        self._open: dict[str, tuple[int, int]] = {}

    def open(self) -> None:
        """Have a transaction write what is there already: the version that an application gives its file."""
        (version,) = self._connection.execute("PRAGMA main.user_version").fetchone()
        try:
            self._connection.execute(f"PRAGMA main.user_version={version}").close()
        except sqlite3.Error:
            self.remember()
            raise

    @contextlib.contextmanager
    def kept_open(self, patience: Callable[[], Iterator[None]]) -> Iterator[None]:
        """Hold the database alone, with one journal that is open from here on: SQLite's backup opens none again.

        ``patience`` gives pauses as long as others who hold the database may be waited for.
        """
        if self._mode() not in _ON_DISK:
            yield
            return
        self._connection.execute("PRAGMA main.locking_mode=EXCLUSIVE").fetchall()
        self._connection.execute("PRAGMA main.journal_mode=TRUNCATE").fetchall()
        try:
            self._patiently("BEGIN IMMEDIATE", patience())
            self.open()
            self._patiently("COMMIT", patience())
            yield
        finally:
            with contextlib.suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._connection.execute("PRAGMA main.locking_mode=NORMAL").fetchall()
                self._connection.execute("PRAGMA main.journal_mode=DELETE").fetchall()

    def _patiently(self, sql: str, pauses: Iterator[None]) -> None:
        while True:
            try:
                self._connection.execute(sql).close()
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise
                next(pauses)
            else:
                return

    def _mode(self) -> str:
        return str(self._connection.execute("PRAGMA main.journal_mode").fetchone()[0])

    def is_beside(self) -> bool:
        """Whether the journal of a transaction that has written lies beside its database, or there is none."""
        if self._mode() not in _ON_DISK:
            return True
        file = identity(self._path)
        if file is not None and held_count(file):
            return True
        self.remember()
        return False

    def remember(self) -> None:
        """Before a transaction is taken back: where its journal may lie. To begin on an empty file opens one, too."""
        self._open = _open_journals(Path(self._path).name)

    def clean(self) -> None:
        """When the connection is closed: take away a journal that was made beside another database.

        It is ours, nobody holds it any more, and what was in it is undone.
        """
        for path, file in self._open.items():
            with contextlib.suppress(OSError), parent_of(Path(path)) as (above, name):
                found = os.stat(name, dir_fd=above, follow_symlinks=False)
                ours = numbers(found) == file and found.st_uid == os.geteuid() and stat.S_ISREG(found.st_mode)
                if ours and not held_count(file):
                    os.unlink(name, dir_fd=above)


def _open_journals(name: str) -> dict[str, tuple[int, int]]:
    """Files of that name which this process has open, by their paths; other threads have journals too."""
    found = {}
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names alone
        with contextlib.suppress(OSError):
            path = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115
            if path.endswith(f"/{name}"):
                found[path] = numbers(os.stat(f"/proc/self/fd/{number}"))  # noqa: PTH116
    return found
