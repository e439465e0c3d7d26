"""SQLite databases: what they have had, and how they get the rest.

The tracking table is the specification's, letter by letter, so that its own script and mcc can
take turns on one database.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from mcc.errors import MigrationFailed
from mcc.host.sqlite_errors import failed
from mcc.host.sqlite_place import Place, identity, make, place_of
from mcc.host.sqlite_run import APPLIED, bring_forward
from mcc.model.migration import Migration

_LOOK_WAIT = 5.0


class SqliteDatabases:
    """Port ``Sqlite``, by Python's own ``sqlite3``."""

    def applied(self, database: Path) -> tuple[str, ...]:
        """Names in the tracking table; see the port. The file and its folder are not touched."""
        place = place_of(database)
        if not place.size:
            return ()
        for options in _ways_to_look(place):
            try:
                return _names(place.uri(options))
            except sqlite3.Error as error:
                reason = error
        raise failed(database, reason, wait=_LOOK_WAIT) from reason

    def migrate(self, database: Path, migrations: Sequence[Migration], wait: float) -> tuple[str, ...]:
        """Apply what is pending; see the port. On failure the database is as it was."""
        place = place_of(database)
        made = make(place)
        try:
            before = identity(place.path)
            with _opened(database, place) as connection:
                check = partial(_same_file, database, place, before, connection)
                return bring_forward(connection, database, migrations, wait, check)
        except BaseException:
            made.discard()
            raise


def _ways_to_look(place: Place) -> list[str]:
    """How to open a database to read it: first the way that leaves the least behind.

    A reader of a WAL database makes side files that then belong to it, and that the service cannot
    write. Where there are none, nobody is writing: ``immutable`` reads without lock and side file. A
    read that a writer spoils all the same fails as damaged, and the next way is taken. The last one
    may write: a database that was left in the middle of a write is only read after its repair.
    """
    quiet = not place.has("-wal") and not place.has("-journal")
    return ["mode=ro&immutable=1"] * quiet + ["mode=ro", "mode=rw"]


def _names(uri: str) -> tuple[str, ...]:
    with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_LOOK_WAIT)) as connection:
        connection.text_factory = _text
        try:
            return tuple(row[0] for row in connection.execute(APPLIED))
        except sqlite3.OperationalError as error:
            if str(error).startswith("no such table"):
                return ()
            raise


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


@contextlib.contextmanager
def _opened(database: Path, place: Place) -> Iterator[sqlite3.Connection]:
    try:
        connection = sqlite3.connect(place.uri("mode=rw"), uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise failed(database, error) from error
    with contextlib.closing(connection):
        yield connection


def _same_file(database: Path, place: Place, before: tuple[int, int] | None, connection: sqlite3.Connection) -> None:
    """Raise MigrationFailed unless the connection is on the file that was and is at the path."""
    opened = connection.execute("PRAGMA database_list").fetchone()[2]
    if opened != place.path or identity(place.path) != before:
        raise MigrationFailed(
            f"{database} was moved or replaced by somebody while it was opened",
            help="see who else works on it, and deploy again",
        )
