"""What is in an SQLite file that nobody else has: tables, rows, migrations, and whether it is whole."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

from mcc.errors import Damaged
from mcc.host.sqlite.place import Place
from mcc.host.sqlite.source import text
from mcc.model.database import Tracking

T = TypeVar("T")

_TABLES = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
    "AND coalesce(sql, '') NOT LIKE 'CREATE VIRTUAL %' ORDER BY name"
)
_UNKNOWN = re.compile(r"no such collation sequence: (\S+)|unknown function: ([^\s(]+)|no such function: (\S+)")


@contextlib.contextmanager
def reader(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that makes nothing beside the file and takes no lock."""
    uri = Place(str(path), 0).uri("mode=ro&immutable=1")
    with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
        connection.text_factory = text
        yield connection


def rows_by_table(connection: sqlite3.Connection) -> dict[str, int]:
    """How many rows each table has; virtual tables are kept in others."""
    names = [row[0] for row in connection.execute(_TABLES)]
    return {name: _known(connection, partial(_count, connection, name)) for name in names}


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()[0])  # noqa: S608


def applied(connection: sqlite3.Connection, tracking: Tracking) -> tuple[str, ...]:
    """The names in the tracking table; none where there is no such table."""
    sql = f"SELECT {quoted(tracking.name)} FROM {quoted(tracking.table)} ORDER BY rowid"  # noqa: S608
    try:
        rows = connection.execute(sql)
        return tuple(str(row[0]) for row in rows)
    except sqlite3.OperationalError:
        return ()


def check(connection: sqlite3.Connection, what: Path) -> None:
    """SQLite's quick_check. Raises Damaged with what it found."""
    found = _known(connection, lambda: [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")])
    if found != ["ok"]:
        raise Damaged(f"{what} is damaged: {'; '.join(found)}", log=found)


def _known(connection: sqlite3.Connection, work: Callable[[], T]) -> T:
    """Work on a database that uses collations and functions of its application: stand-ins are made for them."""
    made: set[str] = set()
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            match = _UNKNOWN.search(str(error))
            if match is None or match.group(0) in made:
                raise
            made.add(match.group(0))
            _stand_in(connection, *match.groups())


def _stand_in(connection: sqlite3.Connection, collation: str | None, *functions: str | None) -> None:
    if collation is not None:
        connection.create_collation(collation, lambda a, b: (a > b) - (a < b))
    for name in filter(None, functions):
        connection.create_function(name.rstrip("()"), -1, lambda *_: 1, deterministic=True)


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'
