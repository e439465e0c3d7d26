"""A connection by which an SQLite database can be written, beside a service of another user and group.

The ``-wal`` and ``-shm`` of such a service are not ours to write. SQLite opens them to be read only then, for as
long as the connection lasts ("attempt to write a readonly database"). They are gone when the service's last
connection ends, which may be after each request.
"""

from __future__ import annotations

import os
import sqlite3
import time

from mcc.host.sqlite.place import Place
from mcc.host.sqlite.sharing import share_side_files

_POLL = 0.005
_BUSY = 0.1  # seconds that SQLite waits by itself: signals are not handled meanwhile
_PATIENCE = 10.0


def connect(place: Place) -> sqlite3.Connection:
    """A connection in autocommit mode, with its side files open; theirs are waited for, for some seconds.

    Raises sqlite3.Error if the file cannot be opened; what else is wrong with it shows in its use.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        # Not by opening it again and again: a connection that only reads leaves the side files behind.
        while _closed(place) and time.monotonic() < deadline:
            time.sleep(_POLL)
        connection = sqlite3.connect(place.uri("mode=rw"), uri=True, isolation_level=None, timeout=_BUSY)
        try:
            settled = _has_opened(connection, place) and not _closed(place)
            share_side_files(place.path)
        except BaseException:
            connection.close()
            raise
        if settled or time.monotonic() >= deadline:
            return connection
        connection.close()


def _has_opened(connection: sqlite3.Connection, place: Place) -> bool:
    """Whether SQLite has opened all that it needs, or never will."""
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        passing = error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_READONLY", "SQLITE_CANTOPEN"))
        return not passing or os.lstat(place.path).st_uid == os.geteuid()
    return True


def _closed(place: Place) -> bool:
    """Whether there is a side file that we may not write."""
    return any(_not_ours(place.path + suffix) for suffix in ("-wal", "-shm"))


def _not_ours(path: str) -> bool:
    return not os.access(path, os.W_OK, effective_ids=True) and os.path.lexists(path)
