"""About how many rows tables of an SQLite database have."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from mcc.host.sqlite.look import ways_to_look
from mcc.host.sqlite.place import Place, place_of

_WAIT = 1.0
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"


def sizes(database: Path, tables: Sequence[str]) -> dict[str, int]:
    """Rows by table, as far as it is found out at once; see the port ``Migrator``."""
    place = place_of(database)
    if not place.size:
        return {}
    for options in ways_to_look(place)[:-1]:  # not the one that may write
        with contextlib.suppress(sqlite3.Error):
            return _sizes(place, options, tables)
    return {}


def _sizes(place: Place, options: str, tables: Sequence[str]) -> dict[str, int]:
    with contextlib.closing(sqlite3.connect(place.uri(options), uri=True, timeout=_WAIT)) as connection:
        there = {str(name).lower() for (name,) in connection.execute(_TABLES)}
        found = ((table, _rows(connection, table)) for table in tables if _name(table).lower() in there)
        return {table: count for table, count in found if count is not None}


def _rows(connection: sqlite3.Connection, table: str) -> int | None:
    """The highest rowid: one step down a tree, where a count would read the whole table."""
    quoted = _name(table).replace('"', '""')
    try:
        return int(connection.execute(f'SELECT max(rowid) FROM "{quoted}"').fetchone()[0] or 0)  # noqa: S608 - quoted
    except (sqlite3.OperationalError, ValueError, TypeError):
        return None  # it has no rowid


def _name(table: str) -> str:
    return table.rpartition(".")[2]
