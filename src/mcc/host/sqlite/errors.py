"""SQLite's errors in words that say where, why and the way out."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from mcc.errors import MigrationFailed

_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")
_MEANINGS = {
    "SQLITE_NOTADB": (
        "it is not an SQLite database, or an encrypted one",
        "move the file away, or put the right one in its place",
    ),
    "SQLITE_CORRUPT": (
        "the database is damaged",
        "restore a backup, or save what can be read: sqlite3 {database} .recover",
    ),
    "SQLITE_READONLY": (
        "this user may not write it",
        "look at owner and mode of the file, its folder and its side files: ls -la {folder}",
    ),
    "SQLITE_PERM": ("this user may not open it", "look at owner and mode: ls -la {folder}"),
    "SQLITE_CANTOPEN": (
        "it cannot be opened",
        "look at owner and mode of the file and its folder (ls -la {folder}), and whether its disk is full (df -hi)",
    ),
    "SQLITE_FULL": ("the disk is full", "make room and deploy again"),
    "SQLITE_IOERR": ("the disk failed, or is full", "look at the disk (df -h {folder}, dmesg) and deploy again"),
}

_TABLE = (
    "rename it; mcc and the specification's script record there what was applied: migrations (id, name, applied_at)"
)


def is_busy(error: Exception) -> bool:
    """Whether another connection holds the database."""
    return _name(error).startswith(_BUSY)


def failed(
    database: Path, error: Exception, place: str = "", wait: float = 0.0, table: str = "migrations"
) -> MigrationFailed:
    """The error to raise. ``place`` is file and line; ``wait`` how many seconds were waited for a lock;
    ``table`` the tracking table."""
    if not place and str(error).startswith("no such column"):
        if table != "migrations":
            return MigrationFailed(f"{database}: its table {table} has {error}", help="see MIGRATION_TABLE in the conf")
        return MigrationFailed(f"{database}: its table migrations is not the one that mcc keeps ({error})", help=_TABLE)
    # Whose the file is has nothing to do with the statement that finds out.
    placed = place and not _name(error).startswith("SQLITE_READONLY")
    where = f"{database}: {place}: " if placed else f"{database}: "
    if is_busy(error):
        return MigrationFailed(
            f"{where}another program has held the database for more than {wait:g} s ({error})",
            help=f"end what writes to it, or wait for it, and deploy again; fuser -v {database} names it",
        )
    meaning, way_out = _meaning(_name(error))
    reason = f"{meaning} ({error})" if meaning else str(error)
    return MigrationFailed(where + reason, help=way_out.format(database=database, folder=database.parent))


def _name(error: Exception) -> str:
    """SQLite's own name of an error, such as SQLITE_BUSY_SNAPSHOT; empty for Python's."""
    return str(getattr(error, "sqlite_errorname", "") or "") if isinstance(error, sqlite3.Error) else ""


def _meaning(name: str) -> tuple[str, str]:
    return next((meaning for start, meaning in _MEANINGS.items() if name.startswith(start)), ("", ""))
