"""An SQLite database that is in use, opened to be read: nothing is changed, nothing is made beside it.

SQLite makes ``-wal`` and ``-shm`` for whoever reads a WAL database. They would belong to the deploy
user, and the service could not write its own database any more. So this much is known before SQLite
sees the file (https://www.sqlite.org/walformat.html, https://www.sqlite.org/lockingv3.html):

- Of a WAL database a shared lock is held on the file. A connection that ends removes the side files only
  if it gets the file for itself: what is there stays there.
- Both side files are there: SQLite uses them and makes none.
- None is there: nobody writes. The file is read as one that cannot change (``immutable``), and what is
  known of it afterwards (size, times) must be as before; else it is done again.
- A ``-wal`` alone, or a journal of a transaction that died: only a repair could read it, and a repair
  writes. The files are copied byte for byte, and the copy is repaired.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mcc.errors import CopyFailed, MigrationFailed
from mcc.host.copies.files import disk_error, temporary
from mcc.host.sqlite.place import Place, is_on, place_of
from mcc.host.way import open_name, parent_of

_POLL = 0.05
_SETTLED = 0.1  # seconds; the times of a file are no finer than a clock tick of the kernel
_TRIES = 5
# The bytes of SQLite's shared lock (os_unix.c: SHARED_FIRST, SHARED_SIZE).
_SHARED_FIRST, _SHARED_SIZE = 0x40000002, 510
_NEEDS_REPAIR = ("SQLITE_READONLY", "SQLITE_CANTOPEN")


class Changed(Exception):
    """The database was written to while it was read as one that nobody writes."""


@dataclass(frozen=True, slots=True)
class Source:
    """A connection that reads a database. ``wal``: others write while we read; ``quiet``: nobody does.

    ``page_size`` is in bytes.
    """

    connection: sqlite3.Connection
    wal: bool
    quiet: bool
    page_size: int = 4096


def look_at(database: Path) -> Place:
    """Where the database is, without strangers' links. Raises CopyFailed."""
    try:
        place = place_of(database)
    except MigrationFailed as error:
        raise CopyFailed(error.message, help=error.help) from error
    if place.size is None:
        raise CopyFailed(f"{database} is not there", help="is the site right? a deploy makes its databases")
    return place


@contextlib.contextmanager
def opened(database: Path, aside: Path, deadline: float) -> Iterator[Source]:
    """Open a database to read it, as it is best read now.

    ``aside``: a name for a copy that may have to be made. ``deadline``: seconds to wait for a writer
    that keeps all others out. Raises CopyFailed; :class:`Changed` at the end: all that was read is void.
    """
    place = look_at(database)
    descriptor = _descriptor(place, database)
    try:
        if not place.size:
            with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as empty:
                yield Source(empty, wal=False, quiet=True)
            return
        with _best(_Opening(place, descriptor, database, aside, time.monotonic() + deadline, deadline)) as source:
            yield source
    finally:
        # Closing any descriptor of a file lets go all locks of this process on it: this comes last.
        os.close(descriptor)


def _descriptor(place: Place, database: Path) -> int:
    try:
        return _open(place.path)
    except OSError as error:
        raise CopyFailed(
            f"{database} cannot be opened: {error.strerror}", help=f"look at owner and mode: ls -la {database.parent}"
        ) from error


def _open(path: str) -> int:
    with parent_of(Path(path)) as (folder, name):
        return open_name(folder, name, os.O_RDONLY | os.O_NONBLOCK, Path(path))


def held(database: Path, seconds: float) -> CopyFailed:
    """Somebody keeps all others out."""
    return CopyFailed(
        f"{database}: another program has kept it to itself for more than {seconds:g} s",
        help=f"end what holds it, or wait for it, and try again; fuser -v {database} names it",
    )


@dataclass(frozen=True, slots=True)
class _Opening:
    """What the ways to open a database need to know. ``end``: when waiting is over, on the monotonic clock."""

    place: Place
    descriptor: int
    database: Path
    aside: Path
    end: float
    deadline: float

    def hold(self) -> None:
        """Take SQLite's shared lock ourselves. Raises CopyFailed."""
        while True:
            try:
                fcntl.lockf(self.descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
            except OSError as error:
                if time.monotonic() >= self.end:
                    raise held(self.database, self.deadline) from error
                time.sleep(_POLL)
            else:
                return

    def first_read(self, connection: sqlite3.Connection) -> int:
        """The size of a page; SQLite has opened all its files when this returns. Raises CopyFailed."""
        while True:
            try:
                connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
                return int(connection.execute("PRAGMA page_size").fetchone()[0])
            except sqlite3.Error as error:
                if not _name(error).startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                    raise
                if time.monotonic() >= self.end:
                    raise held(self.database, self.deadline) from error


def _best(opening: _Opening) -> contextlib.AbstractContextManager[Source]:
    if os.pread(opening.descriptor, 2, 18) != b"\2\2":
        # No lock here: a writer who waits for us would keep SQLite's own reader out.
        return _live(opening, wal=False)
    opening.hold()
    log, index = opening.place.has("-wal"), opening.place.has("-shm")
    if log and index:
        return _live(opening, wal=True)
    return _repaired(opening) if log else _quiet(opening)


@contextlib.contextmanager
def _live(opening: _Opening, wal: bool) -> Iterator[Source]:
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(_connected(opening.place, "mode=ro"))
        try:
            page_size = opening.first_read(connection)
        except sqlite3.Error as error:
            if not _name(error).startswith(_NEEDS_REPAIR):
                raise
            stack.close()
            # SQLite's own descriptor took our lock along.
            opening.hold()
            yield stack.enter_context(_repaired(opening))
            return
        _check_same(opening, connection)
        yield Source(connection, wal, False, page_size)


def _name(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", ""))


def _check_same(opening: _Opening, connection: sqlite3.Connection) -> None:
    """What is at the path is what was opened, by us and by SQLite: no one has exchanged it."""
    ours = os.fstat(opening.descriptor)
    if not is_on(connection, opening.place, (ours.st_dev, ours.st_ino), ours=1):
        raise Changed(f"{opening.database} was moved or replaced by somebody while it was opened")


@contextlib.contextmanager
def _quiet(opening: _Opening) -> Iterator[Source]:
    place = opening.place
    before = _settled(place.path)
    try:
        with _connected(place, "mode=ro&immutable=1") as connection:
            page_size = opening.first_read(connection)
            _check_same(opening, connection)
            yield Source(connection, True, True, page_size)
    finally:
        if _state(place.path) != before:
            raise Changed(f"{place.path} was written to")


def _settled(path: str) -> tuple[int, ...]:
    """The state of a file whose times are old enough to tell a write that comes now."""
    while True:
        state = _state(path)
        if not state or not 0 <= time.time_ns() - state[2] < _SETTLED * 1e9:
            return state
        time.sleep(_POLL)


def _state(path: str) -> tuple[int, ...]:
    try:
        found = Path(path).lstat()
    except FileNotFoundError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@contextlib.contextmanager
def _repaired(opening: _Opening) -> Iterator[Source]:
    """Read a byte-for-byte copy of the database and what belongs to it."""
    place, database = opening.place, opening.database
    with temporary(opening.aside) as copy:
        names = [suffix for suffix in ("", "-wal", "-journal") if not suffix or place.has(suffix)]
        before = [_settled(place.path + suffix) for suffix in names]
        try:
            for suffix in names:
                _copy_raw(place.path + suffix, copy.with_name(copy.name + suffix))
        except OSError as error:
            raise disk_error(copy, error) from error
        if before != [_state(place.path + suffix) for suffix in names]:
            raise Changed(f"{database} was written to")
        with _connected(Place(str(copy), 0), "mode=rw") as connection:
            yield Source(connection, False, True, opening.first_read(connection))


def _copy_raw(source: str, target: Path) -> None:
    with os.fdopen(_open(source), "rb") as plain:
        write = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(write, "wb") as copy:
            shutil.copyfileobj(plain, copy, 1 << 20)


@contextlib.contextmanager
def _connected(place: Place, options: str) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(place.uri(options), uri=True, isolation_level=None, timeout=_POLL)
    with contextlib.closing(connection):
        connection.text_factory = text
        yield connection


def text(data: bytes) -> str:
    """Names that are no UTF-8 are kept as they are."""
    return data.decode("utf-8", "surrogateescape")
