"""Connections to a database that is there: the deploy makes and migrates it, the application never."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

BUSY_SECONDS = 5.0


@contextmanager
def reading(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection for queries."""
    with closing(_open(database)) as connection:
        yield connection


@contextmanager
def writing(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection inside a transaction, which waits for its turn and is undone by an exception."""
    with closing(_open(database)) as connection:
        with suppress(sqlite3.OperationalError):  # stays as it is while another one reads or writes
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def answers(database: Path) -> bool:
    """Whether the database can be read and holds the notes."""
    try:
        with reading(database) as connection:
            connection.execute("SELECT id FROM notes LIMIT 1").fetchone()
    except sqlite3.Error:
        return False
    return True


def _open(database: Path) -> sqlite3.Connection:
    uri = f"{database.resolve().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection
