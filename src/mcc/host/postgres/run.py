"""One PostgreSQL schema brought forward: what is pending and its rows, in as few transactions as the files allow."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from mcc.core.migrating.rows import is_same, stored_hash, stored_name
from mcc.core.migrating.work import groups, recorded, still_to_run, to_run
from mcc.core.sql.postgres import drops, invalid_indexes, is_concurrent, may_commit_inside
from mcc.errors import MigrationFailed
from mcc.host.postgres import lock as postgres_lock
from mcc.host.postgres.errors import LOCK, TRY_AGAIN
from mcc.host.postgres.session import Session, quoted
from mcc.host.postgres.tracking import Rows, found_in, insert_row, make_table, read_rows, update_row
from mcc.model.database import Found, How
from mcc.model.migration import Migration, Statement

T = TypeVar("T")

# Seconds before the second try; each further one waits twice as long, give or take a half.
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
# Those that are deferred by themselves, to make them so again.
_DEFERRED = """
SELECT DISTINCT format('%I.%I', n.nspname, k.conname) FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace WHERE k.condeferred
"""


class Run:
    """One call of the port ``Migrator`` that changes something, on one connection."""

    def __init__(self, session: Session, migrations: Sequence[Migration], how: How) -> None:
        self._session = session
        self._migrations = migrations
        self._how = how
        self._tracking = how.tracking
        self._name = session.target.name

    def bring(self) -> tuple[str, ...]:
        """Apply what is pending; the names that were applied."""
        self._settle()
        if not self._needed(self._look()):
            return ()
        postgres_lock.take(self._session, self._tracking, self._how.wait)
        # Only now nobody else can be at work: what is applied is read again.
        found = self._look()
        if not self._needed(found):
            return ()
        todo = to_run(self._migrations, found, self._how)
        self._refuse(todo, found)
        done: list[str] = []
        for group in groups(todo) or ((),):
            try:
                done += self._group(group)
            except MigrationFailed as error:
                raise _with_what_stays(error, done, group) from error
        return tuple(done)

    def record(self) -> tuple[str, ...]:
        """Write rows for all migrations, and their checksum anew where it is another one."""
        self._settle()
        postgres_lock.take(self._session, self._tracking, self._how.wait)
        return self._again(self._record)

    def _record(self) -> tuple[str, ...]:
        with self._session.transaction():
            schema = self._schema()
            rows = self._rows(schema)
            there = {row.name: row for row in rows.applied(self._tracking)}
            new = [each for each in self._migrations if each.name not in there]
            self._insert(schema, rows, new)
            changed = [
                each for each in self._migrations
                if (row := there.get(each.name))
                and (row.checksum is None or not is_same(each, row, own=True, known=True))
            ]  # fmt: skip
            self._update(schema, rows, changed)
        written = {each.name for each in (*new, *changed)}
        return tuple(each.name for each in self._migrations if each.name in written)

    def _needed(self, found: Found) -> bool:
        untracked = not found.tracked and self._tracking.is_own
        return untracked or bool(to_run(self._migrations, found, self._how))

    def _refuse(self, todo: Sequence[Migration], found: Found) -> None:
        """The last look: files that cannot run are found long before they come here."""
        problem = next((problem for migration in todo for problem in migration.problems), None)
        if problem is not None:
            raise MigrationFailed(f"{self._name}: {problem}")
        if todo and found.invalid:
            message, help = invalid_indexes(found.invalid)
            raise MigrationFailed(f"{self._name}: {message}", help=help)

    def _group(self, group: Sequence[Migration]) -> tuple[str, ...]:
        if all(each.transaction for each in group):
            return self._again(lambda: self._together(group))
        return self._alone(group)

    def _together(self, group: Sequence[Migration]) -> tuple[str, ...]:
        """Files that are one transaction, with their rows."""
        with self._session.transaction():
            self._settle()
            schema = self._schema()
            todo = self._still(group)
            for migration in todo:
                for statement in migration.statements:
                    self._session.execute(statement.sql, (), migration.file, statement)
                self._check_constraints(migration)
                self._settle()
            self._write_rows(schema, todo)
        return tuple(each.name for each in recorded(todo, self._migrations))

    def _alone(self, group: Sequence[Migration]) -> tuple[str, ...]:
        """A file that cannot run in a transaction; its row comes when all of it has run."""
        todo = self._still(group)
        with self._session.transaction():
            schema = self._schema()
        for migration in todo:
            before = self._look().invalid
            for statement in migration.statements:
                with self._saying_what_is_left(before):
                    self._single(migration, statement)
            self._settle()
            self._again(lambda: self._rows_by_themselves(schema, todo))
        return tuple(each.name for each in recorded(todo, self._migrations))

    def _single(self, migration: Migration, statement: Statement) -> None:
        def run() -> None:
            self._session.execute(statement.sql, (), migration.file, statement)

        if is_concurrent(statement.sql):
            # It waits for every older transaction to end, and holds nobody up meanwhile; and a limit on
            # that would leave an invalid index. What the file itself has set stays for its next statements.
            ((limit,),) = self._session.rows("SELECT current_setting('lock_timeout')")
            self._session.execute("SET lock_timeout = 0")
            run()
            self._session.rows("SELECT pg_catalog.set_config('lock_timeout', %s, false)", (limit,))
        elif may_commit_inside(statement.sql):
            run()
        else:
            self._again(run)

    def _rows_by_themselves(self, schema: str, todo: Sequence[Migration]) -> None:
        with self._session.transaction():
            self._write_rows(schema, todo)

    @contextlib.contextmanager
    def _saying_what_is_left(self, before: Sequence[str]) -> Iterator[None]:
        try:
            yield
        except MigrationFailed as error:
            left = [name for name in self._look_again() if name not in before]
            if not left:
                raise
            raise MigrationFailed(
                f"{error.message}; it left an invalid index behind: {', '.join(left)}",
                help=f"{drops(left)} then put right what was wrong, and deploy again",
                log=error.log,
            ) from error

    def _look_again(self) -> tuple[str, ...]:
        try:
            return self._look().invalid
        except MigrationFailed:
            return ()  # the connection is gone: the next look says it

    def _again(self, work: Callable[[], T]) -> T:
        """Do it; if others are in the way, do all of it again after a pause that no two have alike."""
        for number in range(1, max(1, self._how.retries) + 1):
            try:
                return work()
            except MigrationFailed as error:
                code = getattr(error.__cause__, "sqlstate", None)
                if code not in TRY_AGAIN:
                    raise
                if number >= self._how.retries:
                    raise self._given_up(error, str(code), number) from error
                pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (number - 1))
                time.sleep(random.uniform(0.5, 1.5) * pause)  # noqa: S311 - not for secrets
        raise AssertionError("unreachable")

    def _given_up(self, error: MigrationFailed, code: str, tries: int) -> MigrationFailed:
        limit = f", each of at most {self._how.lock_timeout:g} s" if code == LOCK else ""
        log = (*error.log, *postgres_lock.in_the_way(self._session, self._session.schema() or ""))
        return MigrationFailed(f"{error.message}, after {tries} tries{limit}", help=error.help, log=log)

    def _settle(self) -> None:
        self._session.settle(self._how.lock_timeout, self._how.statement_timeout)

    def _schema(self) -> str:
        """The schema, made if it is missing. Raises MigrationFailed if the user has none."""
        found = self._session.schema()
        if found is not None:
            return found
        wanted = self._session.target.schema
        if wanted is None:
            raise MigrationFailed(
                f"{self._name}: the search path of {self._session.target.user or 'this user'} names no schema",
                help="name one in DATABASE_SCHEMA, or make one: CREATE SCHEMA public",
            )
        self._session.execute(f"CREATE SCHEMA {quoted(wanted)}")
        return wanted

    def _still(self, group: Sequence[Migration]) -> tuple[Migration, ...]:
        """Those of a group that have no row yet: the lock keeps other migrators out, not other scripts."""
        return still_to_run(group, self._look())

    def _look(self) -> Found:
        return found_in(self._session, self._tracking)

    def _check_constraints(self, migration: Migration) -> None:
        """Check now what is deferred to the end of the transaction: the next file may change the table."""
        deferred = [name for (name,) in self._session.rows(_DEFERRED)]
        if deferred:
            self._session.execute("SET CONSTRAINTS ALL IMMEDIATE", (), migration.file)
            self._session.execute(f"SET CONSTRAINTS {', '.join(deferred)} DEFERRED")

    def _write_rows(self, schema: str, todo: Sequence[Migration]) -> None:
        """Rows of what has run: a schema has those of the files that it stands for, ``always`` has none.

        A file may have written its own. Rows of older scripts get their checksum now.
        """
        wanted = recorded(todo, self._migrations)
        if not wanted and not self._tracking.is_own:
            return
        rows = self._rows(schema)
        applied = rows.applied(self._tracking)
        there = {row.name for row in applied}
        self._insert(schema, rows, [each for each in wanted if each.name not in there])
        if self._tracking.is_own:
            lacking = {row.name for row in applied if row.checksum is None}
            old = [each for each in self._migrations if each.role == "migration" and each.name in lacking]
            self._update(schema, rows, old)

    def _insert(self, schema: str, rows: Rows, migrations: Sequence[Migration]) -> None:
        for each in migrations:
            insert_row(self._session, schema, self._tracking, *self._as_stored(rows, each), each.file)

    def _update(self, schema: str, rows: Rows, migrations: Sequence[Migration]) -> None:
        for each in migrations:
            update_row(self._session, schema, self._tracking, *self._as_stored(rows, each), each.file)

    def _as_stored(self, rows: Rows, migration: Migration) -> tuple[str, str]:
        name = stored_name(migration.name, rows.names, self._tracking)
        return name, stored_hash(migration, self._migrations, rows.applied(self._tracking))

    def _rows(self, schema: str) -> Rows:
        """The table, made late: a file, or the schema, may make it itself."""
        rows = read_rows(self._session, schema, self._tracking)
        if rows.there and (not self._tracking.is_own or self._tracking.checksum in rows.columns):
            return rows
        make_table(self._session, schema, self._tracking, rows.columns)
        return read_rows(self._session, schema, self._tracking)


def _with_what_stays(error: MigrationFailed, done: Sequence[str], group: Sequence[Migration]) -> MigrationFailed:
    """A file without a transaction is undone by nobody, and what was committed before it stays."""
    stays = [f"{', '.join(done)} stays applied"] if done else []
    stays += [f"what {each.file} had done before this statement stays" for each in group if not each.transaction]
    if not stays:
        return error
    found = MigrationFailed(f"{error.message}; {'; '.join(stays)}", help=error.help, log=error.log)
    found.__cause__ = error.__cause__
    return found
