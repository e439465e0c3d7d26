"""One database brought forward: its pending files and their rows, in as few transactions as they allow."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from mcc.core.migrating.work import groups, recorded, still_to_run, to_run
from mcc.core.sql.cut import first_word, pragma
from mcc.errors import MigrationFailed
from mcc.host.sqlite.foreign_keys import refuse_new, violations
from mcc.host.sqlite.rows import add_rows, set_rows
from mcc.host.sqlite.session import Session
from mcc.model.database import Found, How
from mcc.model.migration import Migration

# SQLite refuses these inside a transaction, or would then refuse ours. They end with the connection
# and are passed over; only the journal mode stays in the file, and is set before: _Run.set_journal.
_OUTSIDE = frozenset({"synchronous", "temp_store", "wal_checkpoint", "query_only", "journal_mode"})
# Settings of a connection that would reach from one file into the next.
_RESET = (
    "legacy_alter_table", "writable_schema", "recursive_triggers", "ignore_check_constraints", "foreign_keys",
    "case_sensitive_like",
)  # fmt: skip


def bring_forward(
    connection: sqlite3.Connection,
    database: Path,
    migrations: Sequence[Migration],
    how: How,
    check: Callable[[], None],
    stop: threading.Event,
) -> tuple[str, ...]:
    """Apply what is pending; the names that were recorded.

    ``connection`` is in autocommit mode, ``database`` its name in messages. ``check`` is called as soon
    as the database is held, and raises if it is not the file that was meant. Raises MigrationFailed;
    Interrupted if ``stop`` is set, or whatever a signal's handler raised. The database is as it was
    then, but for a file without a transaction and for what was committed before one.
    """
    session = Session(connection, database, how.wait, stop)
    run = _Run(session, migrations, how, check)
    with session:
        try:
            return run.bring()
        except BaseException:
            run.take_back()
            raise


def write_rows(
    connection: sqlite3.Connection,
    database: Path,
    migrations: Sequence[Migration],
    how: How,
    check: Callable[[], None],
) -> tuple[str, ...]:
    """Write rows without running anything; the names whose rows changed. Raises as above."""
    session = Session(connection, database, how.wait, threading.Event())
    with session:
        session.patiently("BEGIN IMMEDIATE")
        session.share()
        check()
        written = set_rows(session, how.tracking, migrations)
        session.patiently("COMMIT")
    return written


class _Run:
    def __init__(self, session: Session, migrations: Sequence[Migration], how: How, check: Callable[[], None]) -> None:
        self._session = session
        self._migrations = migrations
        self._how = how
        self._check = check
        self._journal = ""

    def bring(self) -> tuple[str, ...]:
        found = self._look()
        todo = to_run(self._migrations, found, self._how)
        if not todo and (found.tracked or not self._how.tracking.is_own):
            return ()
        self._refuse(todo)
        self._session.execute("PRAGMA foreign_keys=OFF")
        done: list[str] = []
        for group in groups(todo) or ((),):
            try:
                done += self._alone(group[0]) if _is_alone(group) else self._together(group)
            except MigrationFailed as error:
                raise _with_what_stays(error, done, group) from error
        return tuple(done)

    def take_back(self) -> None:
        """Leave the journal mode as it was; never raises for what SQLite says."""
        self._session.take_back()
        if self._journal:
            with contextlib.suppress(sqlite3.Error):
                self._session.connection.execute(f"PRAGMA journal_mode={_stored(self._journal)}")

    def _look(self) -> Found:
        """What the database is and has had."""
        return self._session.found(self._how.tracking)

    def _refuse(self, todo: Sequence[Migration]) -> None:
        """The last look: files that cannot run are found long before they come here."""
        problem = next((problem for migration in todo for problem in migration.problems), None)
        if problem is not None:
            raise MigrationFailed(f"{self._session.database}: {problem}")

    def _still(self, group: Sequence[Migration]) -> tuple[Migration, ...]:
        """Those of a group that are still to be run, read while nobody else can be at work."""
        return still_to_run(group, self._look())

    def _together(self, group: Sequence[Migration]) -> tuple[str, ...]:
        """Files that are one transaction, and their rows."""
        self._set_journal(group)
        self._session.patiently("BEGIN IMMEDIATE")
        self._session.share()
        self._check()
        todo = self._still(group)
        self._apply(todo)
        rows = recorded(todo, self._migrations)
        add_rows(self._session, self._how.tracking, rows, self._migrations)
        # Much of what files do reaches the disk only here.
        self._session.patiently("COMMIT", _span(todo))
        self._journal = ""
        return tuple(each.name for each in rows)

    def _alone(self, migration: Migration) -> tuple[str, ...]:
        """A file that cannot run in a transaction; its row is written when all of it has run."""
        session = self._session
        self._check()
        if not self._still((migration,)):
            return ()
        session.share()
        session.authorize(True)
        for statement in migration.statements:
            session.watch.vacuum = first_word(statement.sql) == "VACUUM"
            session.patiently(statement.sql, f"{migration.file}:{statement.line}")
            session.share()
        session.authorize(False)
        session.watch.pragmas = True
        self._tidy(migration.file)
        session.patiently("BEGIN IMMEDIATE")
        add_rows(session, self._how.tracking, self._still((migration,)), self._migrations)
        session.patiently("COMMIT")
        return (migration.name,)

    def _set_journal(self, todo: Sequence[Migration]) -> None:
        """Set the journal mode that the files ask for: it cannot change in their transaction."""
        settings = (pragma(statement.sql) for migration in todo for statement in migration.statements)
        asked = [found[1] for found in settings if found and found[0] == "journal_mode" and found[1]]
        if not asked:
            return
        now = str(self._session.rows("PRAGMA journal_mode")[0][0]).lower()
        if _stored(asked[-1]) != _stored(now):
            self._session.patiently(f"PRAGMA journal_mode={_stored(asked[-1])}")
            self._journal = now

    def _apply(self, todo: Sequence[Migration]) -> None:
        # A statement that outgrows the memory needs the file alone, and cannot be tried twice.
        self._session.wait_at_most()
        before = violations(self._session)
        self._session.authorize(True)
        for migration in todo:
            self._apply_one(migration)
        self._session.authorize(False)
        refuse_new(self._session, before, todo)

    def _apply_one(self, migration: Migration) -> None:
        for statement in migration.statements:
            setting = pragma(statement.sql)
            if setting is None or setting[0] not in _OUTSIDE:
                self._session.execute(statement.sql, f"{migration.file}:{statement.line}")
        self._session.share()  # a rollback journal is made by the first write
        self._tidy(migration.file)

    def _tidy(self, file: str) -> None:
        """End what would end with a connection of the file's own: each has one in the specification."""
        session = self._session
        if session.watch.temporary:
            for kind, name in session.rows(
                "SELECT type, name FROM sqlite_temp_master WHERE type IN ('table', 'view', 'trigger') ORDER BY type"
            ):
                quoted = str(name).replace('"', '""')
                session.execute(f'DROP {kind} IF EXISTS temp."{quoted}"', file)
        if session.watch.pragmas:
            for setting in _RESET:
                session.execute(f"PRAGMA {setting}=OFF", file)
        session.watch.temporary = session.watch.pragmas = False


def _span(files: Sequence[Migration]) -> str:
    """A few files by their names, many by the first and the last."""
    names = [each.file for each in files]
    return ", ".join(names) if len(names) < 4 else f"{names[0]} to {names[-1]}"


def _is_alone(group: Sequence[Migration]) -> bool:
    return len(group) == 1 and not group[0].transaction


def _stored(mode: str) -> str:
    """Of all modes only WAL is written into the file; the others end with the connection."""
    return "WAL" if mode == "wal" else "DELETE"


def _with_what_stays(error: MigrationFailed, done: Sequence[str], group: Sequence[Migration]) -> MigrationFailed:
    """An error that says what was not taken back."""
    stays = [f"committed before it: {', '.join(done)}"] if done else []
    if _is_alone(group):
        stays.append("the file runs without a transaction, so its statements before that one stay")
    if not stays:
        return error
    return MigrationFailed(f"{error.message} ({'; '.join(stays)})", help=error.help, log=error.log)
