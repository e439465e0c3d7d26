"""Reading what a database has had, so that nothing of it changes."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from mcc.errors import MigrationFailed
from mcc.host.sqlite.errors import failed
from mcc.host.sqlite.place import Place, identity, is_on, is_open, place_of
from mcc.host.sqlite.tracking import found_in, read_rows
from mcc.model.database import Found, Tracking

_WAIT = 5.0


def look(database: Path, tracking: Tracking) -> Found:
    """See the port ``Migrator``. The file and its folder are not touched."""
    place = place_of(database)
    if not place.size:
        return Found(place.size is not None)
    for options in ways_to_look(place):
        try:
            return _found(place, options, tracking)
        except sqlite3.Error as error:
            reason = error
    raise failed(database, reason, wait=_WAIT, table=tracking.table) from reason


def ways_to_look(place: Place) -> list[str]:
    """How to open a database to read it: first the way that leaves the least behind.

    A reader of a WAL database makes side files that then belong to it, and that the service cannot
    write. Where there are none, nobody is writing: ``immutable`` reads without lock and side file. A
    read that a writer spoils all the same fails as damaged, and the next way is taken. The last one
    may write: a database that was left in the middle of a write is only read after its repair.
    """
    quiet = not place.has("-wal") and not place.has("-journal")
    return ["mode=ro&immutable=1"] * quiet + ["mode=ro", "mode=rw"]


def _found(place: Place, options: str, tracking: Tracking) -> Found:
    uri, before = place.uri(options), place.file or identity(place.path)
    with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_WAIT)) as connection:
        if not ("immutable" in options and is_open(place)):  # nothing is looked for beside a file that is read so
            _refuse_another(connection, place, before)
        try:
            return found_in(connection, tracking, read_rows(connection, tracking))
        except sqlite3.OperationalError as error:
            if not str(error).startswith("Could not decode"):
                raise
        connection.text_factory = _text  # slow, so only where it is needed
        return found_in(connection, tracking, read_rows(connection, tracking))


def _refuse_another(connection: sqlite3.Connection, place: Place, before: tuple[int, int] | None) -> None:
    """What is read must be what is there, not what a folder led to that was exchanged for a moment."""
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not is_on(connection, place, before):
        raise MigrationFailed(f"{place.path} was moved or replaced by somebody while it was opened", help="try again")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
