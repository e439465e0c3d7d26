"""The tracking table of an SQLite database.

mcc's own is the specification's, letter by letter, and gets the column ``checksum`` when a row is
written: its script goes on reading and writing it. Names of a project's table are checked where the
conf is read (letters, digits, _). Brackets, because a double-quoted name that is no column is taken
for a text (https://www.sqlite.org/quirks.html).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from mcc.core.migrating.rows import applied_from
from mcc.model.database import Found, Tracking

_OWN = (
    "CREATE TABLE IF NOT EXISTS migrations "
    "(id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, "
    "applied_at INTEGER DEFAULT (strftime('%s', 'now')))"
)
_FILLED = (
    "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name <> ? COLLATE NOCASE AND name NOT LIKE 'sqlite\\_%' "
    "ESCAPE '\\' LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Rows:
    """What stands in the table; ``there``: it is. ``checksums``: it has the column."""

    raw: tuple[tuple[object, object], ...] = ()
    there: bool = False
    checksums: bool = False

    @property
    def names(self) -> list[str]:
        return [str(name) for name, _ in self.raw]


def read_rows(connection: sqlite3.Connection, tracking: Tracking) -> Rows:
    """The rows in order; raises sqlite3.Error, also for a table that is not the one that is meant."""
    try:
        wanted = f"[{tracking.checksum}]" if tracking.checksum else "NULL"
        return Rows(_select(connection, tracking, wanted), True, tracking.checksum is not None)
    except sqlite3.OperationalError as error:
        if str(error).startswith("no such table"):
            return Rows()
        if not (tracking.is_own and str(error) == f"no such column: {tracking.checksum}"):
            raise
    return Rows(_select(connection, tracking, "NULL"), True)


def is_filled(connection: sqlite3.Connection, tracking: Tracking) -> bool:
    """Whether there are tables besides the tracking table."""
    return connection.execute(_FILLED, (tracking.table,)).fetchone() is not None


def found_in(connection: sqlite3.Connection, tracking: Tracking, rows: Rows) -> Found:
    """The same for whoever decides. Where there are rows, nothing is asked: a thousand databases are quick."""
    filled = bool(rows.raw) or is_filled(connection, tracking)
    return Found(True, filled, rows.there, applied_from(rows.raw, tracking))


def make_table(tracking: Tracking) -> str:
    """The statement that makes the table where it is missing."""
    if tracking.is_own:
        return _OWN
    columns = f"[{tracking.name}] TEXT NOT NULL PRIMARY KEY"
    more = f", [{tracking.checksum}] TEXT" if tracking.checksum else ""
    return f"CREATE TABLE IF NOT EXISTS [{tracking.table}] ({columns}{more})"


def add_column(tracking: Tracking) -> str:
    """The statement that adds the checksum to mcc's own table."""
    return f"ALTER TABLE {tracking.table} ADD COLUMN {tracking.checksum} TEXT"


def insert(tracking: Tracking) -> str:
    """A row of name and checksum, or of the name alone."""
    if tracking.checksum is None:
        return f"INSERT INTO [{tracking.table}] ([{tracking.name}]) VALUES (?)"  # noqa: S608 - checked names
    columns = f"[{tracking.name}], [{tracking.checksum}]"
    return f"INSERT INTO [{tracking.table}] ({columns}) VALUES (?, ?)"  # noqa: S608 - checked names


def update(tracking: Tracking) -> str:
    """Another checksum for a name's row."""
    return f"UPDATE [{tracking.table}] SET [{tracking.checksum}] = ? WHERE [{tracking.name}] = ?"  # noqa: S608


def _select(connection: sqlite3.Connection, tracking: Tracking, checksum: str) -> tuple[tuple[object, object], ...]:
    order = " ORDER BY id" if tracking.is_own else ""
    sql = f"SELECT [{tracking.name}], {checksum} FROM [{tracking.table}]{order}"  # noqa: S608 - checked names
    return tuple(connection.execute(sql).fetchall())
