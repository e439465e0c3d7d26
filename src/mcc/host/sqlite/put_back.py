"""A copy written into the database that is there: same file, same owner, same readers.

A file put in its place would bring the old content back: SQLite would play an old ``-wal`` into it.
The backup API writes through the journal instead, so that a kill midway changes nothing. Only what is
no database, or a damaged one, is emptied first: SQLite itself would not touch it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mcc.errors import CopyFailed, MigrationFailed
from mcc.host.copies.files import temporary, unpack
from mcc.host.sqlite.contents import check, reader
from mcc.host.sqlite.damage import empty, is_damage
from mcc.host.sqlite.journal import Journal
from mcc.host.sqlite.place import Made, Place, identity, is_on, make, place_of
from mcc.host.sqlite.source import held
from mcc.host.sqlite.writable import connect
from mcc.model.database import Contents

_POLL = 0.05
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def put_back(place: Path, contents: Contents, database: Path, wait: float) -> None:
    """Make ``database`` what the copy is; made if it is missing. ``wait``: seconds for those who hold it."""
    there, made = _there(database)
    try:
        # Beside the copy: what the deploy user unpacks is nobody else's to read.
        with temporary(place) as plain:
            _unpack(place, plain, contents)
            try:
                _put(plain, there, database, wait)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                empty(there.path, database, wait)
                _put(plain, there, database, wait)
    except sqlite3.Error as error:
        made.discard()
        raise _failed(database, error) from error
    except BaseException:
        made.discard()
        raise


def _put(plain: Path, there: Place, database: Path, wait: float) -> None:
    with reader(plain) as source, _opened(there, database, wait) as target:
        _same_page_size(source, target, database, wait)
        _write(source, target, database, wait)


def _there(database: Path) -> tuple[Place, Made]:
    try:
        there = place_of(database)
        return there, make(there)
    except MigrationFailed as error:
        raise CopyFailed(error.message, help=error.help) from error


def _unpack(place: Path, plain: Path, contents: Contents) -> None:
    digest, _ = unpack(place, plain)
    if digest != contents.sha256:
        raise CopyFailed(f"{place} is not what was written: its hash is another", help="take another copy")
    with reader(plain) as connection:
        check(connection, place)


@contextlib.contextmanager
def _opened(there: Place, database: Path, wait: float) -> Iterator[sqlite3.Connection]:
    before = identity(there.path)
    connection = connect(there)
    journal = Journal(connection, there)
    try:
        with contextlib.closing(connection):
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if not is_on(connection, there, before):
                raise _exchanged(database)
            with journal.kept_open(lambda: _patience(database, wait)):
                if not journal.is_beside():
                    raise _exchanged(database)
                yield connection
    finally:
        journal.clean()


def _exchanged(database: Path) -> CopyFailed:
    return CopyFailed(f"{database} was moved or replaced by somebody while it was opened", help="try again")


def _patience(database: Path, wait: float) -> Iterator[None]:
    """Pauses for as long as others may hold a database. Raises CopyFailed then."""
    end = time.monotonic() + wait
    while time.monotonic() < end:
        time.sleep(_POLL)
        yield
    raise held(database, wait)


def _same_page_size(source: sqlite3.Connection, target: sqlite3.Connection, database: Path, wait: float) -> None:
    """The backup API cannot change the page size of a WAL database: it leaves that mode, which nobody may use then."""
    sizes = [connection.execute("PRAGMA page_size").fetchone()[0] for connection in (source, target)]
    if sizes[0] == sizes[1] or target.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        return
    end = time.monotonic() + wait
    while True:
        try:
            target.execute("PRAGMA journal_mode=DELETE").fetchall()
        except sqlite3.OperationalError as error:
            if time.monotonic() >= end:
                raise CopyFailed(
                    f"{database} has pages of {sizes[1]} bytes, the copy of {sizes[0]}, and somebody has it open",
                    help=f"stop the services that use it, and try again; fuser -v {database} names them",
                ) from error
            time.sleep(_POLL)
        else:
            return


def _write(source: sqlite3.Connection, target: sqlite3.Connection, database: Path, wait: float) -> None:
    source.backup(target, pages=-1, progress=_until(database, wait), sleep=_POLL)


def _until(database: Path, wait: float) -> Callable[[int, int, int], None]:
    end = time.monotonic() + wait

    def progress(status: int, _remaining: int, _total: int) -> None:
        if status in _BUSY and time.monotonic() >= end:
            raise held(database, wait)

    return progress


def _failed(database: Path, error: sqlite3.Error) -> CopyFailed:
    name = str(getattr(error, "sqlite_errorname", ""))
    if name.startswith("SQLITE_READONLY"):
        return CopyFailed(
            f"{database} cannot be written by this user ({error})",
            help=f"look at owner and mode of the file, its folder and its side files: ls -la {database.parent}",
        )
    if name.startswith("SQLITE_FULL"):
        return CopyFailed(f"{database} cannot be written: the disk is full; it is as it was", help="make room")
    return CopyFailed(f"{database} could not be put back: {error}; it is as it was")
