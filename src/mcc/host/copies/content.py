"""What is in a database that may be in use, beside what it should be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mcc.errors import CopyFailed, MigrationFailed
from mcc.host.copies.files import temporary
from mcc.host.postgres.copies import be_patient, rows_of
from mcc.host.postgres.session import opened as connected
from mcc.host.postgres.tracking import found_in
from mcc.host.sqlite.contents import applied, check, rows_by_table
from mcc.host.sqlite.source import opened
from mcc.model.database import Contents, PostgresDatabase, SqliteDatabase, Target, Tracking

_WAIT = 10.0


def sqlite_content(target: SqliteDatabase, tracking: Tracking) -> tuple[dict[str, int], tuple[str, ...]]:
    """Rows by table, and migrations; the file is checked as a whole. Raises CopyFailed."""
    with temporary(target.path) as aside, opened(target.path, aside, _WAIT) as source:
        source.connection.execute("BEGIN")
        check(source.connection, target.path)
        return rows_by_table(source.connection), applied(source.connection, tracking)


def postgres_content(
    target: PostgresDatabase, tracking: Tracking, passwords: Mapping[Path, str]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Rows by table, and migrations, of one moment. Raises CopyFailed."""
    try:
        with connected(target, passwords) as session:
            be_patient(session)
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return rows_of(session), found_in(session, tracking).names
    except MigrationFailed as error:
        raise CopyFailed(error.message, help=error.help, log=error.log) from error


def compare(target: Target, contents: Contents, rows: Mapping[str, int], names: tuple[str, ...], exact: bool) -> None:
    """Raise CopyFailed with the first difference."""
    if set(names) != set(contents.migrations):
        raise CopyFailed(f"{target.name} has {len(names)} migrations, not the {len(contents.migrations)} of the copy")
    here, there = _by_table(target, rows), _by_table(target, contents.rows)
    for table in sorted({*here, *there}):
        found, promised = here.get(table), there.get(table)
        if found is None or promised is None or (exact and found != promised):
            raise CopyFailed(
                f"{target.name}: {table} has {_many(found)}, the copy {_many(promised)}",
                help="somebody wrote to it meanwhile: stop what uses it, and try again",
            )


def _by_table(target: Target, rows: Mapping[str, int]) -> Mapping[str, int]:
    """A clone's schema may have another name than its source's."""
    if target.kind == "sqlite" or target.schema is None:
        return rows
    return {name.partition(".")[2]: count for name, count in rows.items()}


def _many(rows: int | None) -> str:
    return "no table" if rows is None else f"{rows} rows"
