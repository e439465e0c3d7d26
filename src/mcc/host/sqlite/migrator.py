"""SQLite databases: what they have had, and how they get the rest."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from mcc.errors import MigrationFailed
from mcc.host.database_ports import Each
from mcc.host.sqlite import look as sqlite_look
from mcc.host.sqlite import sizes as sqlite_sizes
from mcc.host.sqlite.errors import failed
from mcc.host.sqlite.journal import Journal
from mcc.host.sqlite.many import in_threads
from mcc.host.sqlite.place import Place, identity, is_on, make, place_of
from mcc.host.sqlite.run import bring_forward, write_rows
from mcc.host.sqlite.scratch import rehearse, template
from mcc.host.sqlite.writable import connect
from mcc.model.database import Found, How, SqliteDatabase, Tracking
from mcc.model.migration import Migration


class SqliteDatabases:
    """Port ``SqliteMigrator``, by Python's own ``sqlite3``."""

    def look(self, target: SqliteDatabase, tracking: Tracking) -> Found:
        return sqlite_look.look(target.path, tracking)

    def sizes(self, target: SqliteDatabase, tables: Sequence[str]) -> dict[str, int]:
        return sqlite_sizes.sizes(target.path, tables)

    def migrate(self, target: SqliteDatabase, migrations: Sequence[Migration], how: How) -> tuple[str, ...]:
        """Apply what is pending; see the port. On failure the database is as it was."""
        return _migrate(target, migrations, how, threading.Event())

    def record(self, target: SqliteDatabase, migrations: Sequence[Migration], how: How) -> tuple[str, ...]:
        place = place_of(target.path)
        if not place.size:
            raise MigrationFailed(f"{target.path} is not there, so there is nothing that could have been applied")
        with _opened(target.path, place) as (connection, check):
            return write_rows(connection, target.path, migrations, how, check)

    def migrate_all(
        self,
        targets: Sequence[SqliteDatabase],
        migrations: Sequence[Migration],
        how: How,
        scratch: Path | None,
        each: Each,
    ) -> None:
        new = [target for target in targets if not os.path.lexists(target.path)]
        with template(new, migrations, how, scratch) as whole:

            def work(target: SqliteDatabase, stop: threading.Event) -> tuple[str, ...]:
                if whole is not None and whole.give(target):
                    return whole.names
                return _migrate(target, migrations, how, stop)

            in_threads(targets, work, each)

    def rehearse(self, target: SqliteDatabase, migrations: Sequence[Migration], how: How, scratch: Path) -> None:
        rehearse(target, migrations, how, scratch)


def _migrate(
    target: SqliteDatabase, migrations: Sequence[Migration], how: How, stop: threading.Event
) -> tuple[str, ...]:
    place = place_of(target.path)
    made = make(place)
    try:
        with _opened(target.path, place) as (connection, check):
            return bring_forward(connection, target.path, migrations, how, check, stop)
    except BaseException:
        made.discard()
        raise


@contextlib.contextmanager
def _opened(database: Path, place: Place) -> Iterator[tuple[sqlite3.Connection, Callable[[], None]]]:
    """A connection, and a check that it is on the file that was and is at the path."""
    before = identity(place.path)
    try:
        connection = connect(place)
    except sqlite3.Error as error:
        raise failed(database, error) from error
    journal = Journal(connection, place)
    try:
        with contextlib.closing(connection):
            yield connection, partial(_same_file, database, place, before, connection, journal)
    finally:
        journal.clean()


def _same_file(
    database: Path, place: Place, before: tuple[int, int] | None, connection: sqlite3.Connection, journal: Journal
) -> None:
    """Raise MigrationFailed unless the connection, and its journal, are where the path leads and led."""
    try:
        same = is_on(connection, place, before)
        if same and connection.in_transaction:
            journal.open()
            same = journal.is_beside()
    except sqlite3.Error as error:
        raise failed(database, error) from error
    if not same:
        journal.remember()
        raise MigrationFailed(
            f"{database} was moved or replaced by somebody while it was opened",
            help="see who else works on it, and deploy again",
        )
