"""Rows that point to nothing, counted before and after.

Foreign keys do not act while migrations run: a table can then be rebuilt as SQLite's manual has it
(https://www.sqlite.org/lang_altertable.html#otheralter) without losing what points to it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from mcc.errors import MigrationFailed
from mcc.host.sqlite.session import Session
from mcc.model.migration import Migration

Violations: TypeAlias = Counter[tuple[str, str]]
"""How many rows, by their table and the one that they point to."""


def violations(session: Session) -> Violations:
    """What is wrong now."""
    try:
        found = session.connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname != "SQLITE_ERROR":
            raise session.explained(error) from error
        return _by_table(session)
    return Counter((row[0].lower(), row[2].lower()) for row in found)


def _by_table(session: Session) -> Violations:
    """The same where a foreign key itself is wrong: it counts as one violation of its table."""
    found: Violations = Counter()
    for (table,) in session.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
        name = str(table)
        try:
            rows = session.connection.execute("SELECT parent FROM pragma_foreign_key_check(?)", (name,)).fetchall()
            found.update((name.lower(), row[0].lower()) for row in rows)
        except sqlite3.OperationalError as error:
            found[(name.lower(), str(error))] += 1
    return found


def refuse_new(session: Session, before: Violations, todo: Sequence[Migration]) -> None:
    """Raise MigrationFailed if more rows point to nothing than before."""
    new = violations(session) - before
    if not new:
        return
    (table, parent), count = new.most_common(1)[0]
    rows = f"{count} row{'' if count == 1 else 's'} of {table} would point to nothing in {parent}"
    files = ", ".join(migration.file for migration in todo)
    raise MigrationFailed(
        f"{session.database}: {rows} after {files}",
        help="foreign keys are checked at the end, and do not act on their own while files run: "
        "let the migration itself delete or change what points to the rows that it takes away",
    )
