"""One database brought forward: all its pending files and their rows in one transaction."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from mcc.core.migrations import pending
from mcc.core.sql import pragma
from mcc.errors import Interrupted, MigrationFailed
from mcc.host.sqlite_errors import failed, is_busy
from mcc.model.migration import Migration

# The specification's table, letter by letter.
_TABLE = (
    "CREATE TABLE IF NOT EXISTS migrations "
    "(id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, "
    "applied_at INTEGER DEFAULT (strftime('%s', 'now')))"
)
APPLIED = "SELECT name FROM migrations ORDER BY id"
_RECORD = "INSERT INTO migrations (name) VALUES (?)"

_DENIED = {
    sqlite3.SQLITE_TRANSACTION: "a transaction command",
    sqlite3.SQLITE_SAVEPOINT: "a savepoint",
    sqlite3.SQLITE_ATTACH: "ATTACH",
    sqlite3.SQLITE_DETACH: "DETACH",
}
_TEMPORARY = frozenset(
    {sqlite3.SQLITE_CREATE_TEMP_TABLE, sqlite3.SQLITE_CREATE_TEMP_VIEW, sqlite3.SQLITE_CREATE_TEMP_TRIGGER}
)
# SQLite refuses these inside a transaction, or would then refuse ours. They end with the connection
# and are passed over; only the journal mode stays in the file, and is set before: _Run.set_journal.
_OUTSIDE = frozenset({"synchronous", "temp_store", "wal_checkpoint", "query_only", "journal_mode"})
# Settings of a connection that would reach from one file into the next.
_RESET = ("legacy_alter_table", "writable_schema", "recursive_triggers", "ignore_check_constraints")
_POLL = 0.1
_STEPS = 20_000


def bring_forward(
    connection: sqlite3.Connection,
    database: Path,
    migrations: Sequence[Migration],
    wait: float,
    check: Callable[[], None],
) -> tuple[str, ...]:
    """Apply what is pending; the names that were applied.

    ``connection`` is in autocommit mode. ``check`` is called as soon as the database is held, and
    raises if it is not the file that was meant. Raises MigrationFailed; Interrupted or whatever a
    signal's handler raised; the database is as it was then.
    """
    run = _Run(connection, database, wait)
    connection.text_factory = _text
    connection.set_progress_handler(run.watch.tick, _STEPS)
    try:
        return run.bring(migrations, check)
    except BaseException:
        run.take_back()
        raise
    finally:
        connection.set_progress_handler(None, 0)


def _text(data: bytes) -> str:
    """A migration may read text that is no UTF-8; it is nobody's business here."""
    return data.decode("utf-8", "surrogateescape")


class _Watch:
    """What SQLite's callbacks see; an exception inside of them would be lost otherwise."""

    def __init__(self) -> None:
        self.denied = ""
        self.temporary = False
        self.pragmas = False
        self.caught: BaseException | None = None
        self._ticks = self._signals()
        next(self._ticks)
        self.tick: Callable[[], int] = self._ticks.__next__

    def _signals(self) -> Generator[int, None, None]:
        # Python runs the handlers of signals where it comes back from C into its own code: here, at
        # the yield, inside of the try. In a plain function that is before its first line.
        answer = 0
        while True:
            try:
                yield answer
                answer = 0
            except GeneratorExit:
                return
            except BaseException as error:
                self.caught, answer = error, 1

    def authorize(self, action: int, *_: object) -> int:
        if action in _DENIED:
            self.denied = _DENIED[action]
            return sqlite3.SQLITE_DENY
        self.temporary = self.temporary or action in _TEMPORARY
        self.pragmas = self.pragmas or action == sqlite3.SQLITE_PRAGMA
        return sqlite3.SQLITE_OK


class _Run:
    def __init__(self, connection: sqlite3.Connection, database: Path, wait: float) -> None:
        self._connection = connection
        self._database = database
        self._wait = wait
        self._journal = ""
        self.watch = _Watch()

    def bring(self, migrations: Sequence[Migration], check: Callable[[], None]) -> tuple[str, ...]:
        self._wait_at_most(_POLL)
        had = self._applied()
        if had is not None and not pending(migrations, had):
            return ()
        self._refuse(pending(migrations, had or ()))
        self.execute("PRAGMA foreign_keys=OFF")
        self.set_journal(pending(migrations, had or ()))
        self.patiently("BEGIN IMMEDIATE")
        check()
        self.execute(_TABLE)
        # Only now nobody else can be at work: what is applied is read again.
        todo = pending(migrations, self._applied() or ())
        self._apply(todo)
        self.patiently("COMMIT")
        self._journal = ""
        return tuple(migration.name for migration in todo)

    def _refuse(self, todo: Sequence[Migration]) -> None:
        """The last look: files that cannot run are found long before they come here."""
        problem = next((problem for migration in todo for problem in migration.problems), None)
        if problem is not None:
            raise MigrationFailed(f"{self._database}: {problem}")

    def set_journal(self, todo: Sequence[Migration]) -> None:
        """Set the journal mode that the files ask for: it cannot change in their transaction."""
        settings = (pragma(statement.sql) for migration in todo for statement in migration.statements)
        asked = [found[1] for found in settings if found and found[0] == "journal_mode" and found[1]]
        if not asked:
            return
        now = str(self.rows("PRAGMA journal_mode")[0][0]).lower()
        # Of all modes only WAL is written into the file; the others end with the connection.
        if (asked[-1] == "wal") != (now == "wal"):
            self.patiently("PRAGMA journal_mode=" + ("WAL" if asked[-1] == "wal" else "DELETE"))
            self._journal = now

    def take_back(self) -> None:
        """Leave the database as it was; never raises for what SQLite says."""
        self._connection.set_progress_handler(None, 0)
        with contextlib.suppress(sqlite3.Error):
            self._connection.set_authorizer(None)
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if self._journal:
                self._connection.execute("PRAGMA journal_mode=" + ("WAL" if self._journal == "wal" else "DELETE"))

    def execute(self, sql: str, place: str = "", values: Sequence[str] = ()) -> None:
        """Run a statement to its end; rows that it gives are let go one by one."""
        try:
            for _ in self._connection.execute(sql, values):
                pass
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise self._explained(error, place) from error

    def rows(self, sql: str, values: Sequence[str] = ()) -> list[tuple[object, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def patiently(self, sql: str) -> None:
        """Run a statement that others may hold up, for as long as may be waited.

        SQLite waits for a moment only at a time, so that signals are handled in between.
        """
        self._wait_at_most(_POLL)
        deadline = time.monotonic() + self._wait
        while True:
            try:
                self._connection.execute(sql).fetchall()
            except sqlite3.Error as error:
                if not is_busy(error) or time.monotonic() >= deadline:
                    raise self._explained(error) from error
                time.sleep(0.001)
            else:
                return

    def _wait_at_most(self, seconds: float) -> None:
        self._connection.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")

    def _applied(self) -> tuple[str, ...] | None:
        """Names in the tracking table; None without one."""
        deadline = time.monotonic() + self._wait
        while True:
            try:
                return tuple(row[0] for row in self._connection.execute(APPLIED))
            except sqlite3.Error as error:
                if str(error).startswith("no such table"):
                    return None
                if not is_busy(error) or time.monotonic() >= deadline:
                    raise self._explained(error) from error

    def _apply(self, todo: Sequence[Migration]) -> None:
        # A statement that outgrows the memory needs the file alone, and cannot be tried twice.
        self._wait_at_most(self._wait)
        before = self._violations()
        self._connection.set_authorizer(self.watch.authorize)
        for migration in todo:
            self._apply_one(migration)
        self._connection.set_authorizer(None)
        self._check(self._violations() - before, todo)

    def _apply_one(self, migration: Migration) -> None:
        for statement in migration.statements:
            setting = pragma(statement.sql)
            if setting is None or setting[0] not in _OUTSIDE:
                self.execute(statement.sql, f"{migration.file}:{statement.line}")
        self._tidy(migration.file)
        self.execute(_RECORD, migration.file, (migration.name,))

    def _tidy(self, file: str) -> None:
        """End what would end with a connection of the file's own: each has one in the specification."""
        if self.watch.temporary:
            for kind, name in self.rows(
                "SELECT type, name FROM sqlite_temp_master WHERE type IN ('table', 'view', 'trigger') ORDER BY type"
            ):
                quoted = str(name).replace('"', '""')
                self.execute(f'DROP {kind} IF EXISTS temp."{quoted}"', file)
        if self.watch.pragmas:
            for setting in _RESET:
                self.execute(f"PRAGMA {setting}=OFF", file)
        self.watch.temporary = self.watch.pragmas = False

    def _violations(self) -> Counter[tuple[str, str]]:
        """Rows that point to nothing: how many, by their table and the one that they point to."""
        try:
            found = self._connection.execute("PRAGMA foreign_key_check").fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_ERROR":
                raise self._explained(error) from error
            return self._violations_by_table()
        return Counter((row[0].lower(), row[2].lower()) for row in found)

    def _violations_by_table(self) -> Counter[tuple[str, str]]:
        """The same where a foreign key itself is wrong: it counts as one violation of its table."""
        found: Counter[tuple[str, str]] = Counter()
        for (table,) in self.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
            name = str(table)
            try:
                rows = self._connection.execute("SELECT parent FROM pragma_foreign_key_check(?)", (name,)).fetchall()
                found.update((name.lower(), row[0].lower()) for row in rows)
            except sqlite3.OperationalError as error:
                found[(name.lower(), str(error))] += 1
        return found

    def _check(self, new: Counter[tuple[str, str]], todo: Sequence[Migration]) -> None:
        if not new:
            return
        (table, parent), count = new.most_common(1)[0]
        rows = f"{count} row{'' if count == 1 else 's'} of {table} would point to nothing in {parent}"
        files = ", ".join(migration.file for migration in todo)
        raise MigrationFailed(
            f"{self._database}: {rows} after {files}",
            help="foreign keys are checked at the end, and do not act on their own while files run: "
            "let the migration itself delete or change what points to the rows that it takes away",
        )

    def _explained(self, error: Exception, place: str = "") -> BaseException:
        name = str(getattr(error, "sqlite_errorname", ""))
        if self.watch.caught is not None:
            return self.watch.caught
        if self.watch.denied:
            return MigrationFailed(
                f"{self._database}: {place}: {self.watch.denied} cannot stand in a migration",
                help="all pending files run in one transaction that mcc opens and ends; take the line out",
            )
        # SQLite only says that a callback of ours failed; nothing in them does, except a signal.
        if name in ("SQLITE_INTERRUPT", "SQLITE_AUTH"):
            return Interrupted(f"the run was ended while {self._database} was brought forward; it is as it was")
        return failed(self._database, error, place, self._wait)
