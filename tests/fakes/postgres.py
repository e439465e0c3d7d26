"""PostgreSQL of the fake machine: for each schema the names of its migrations. What is committed is safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fakes.files import FakeFiles
from fakes.process import Process
from mcc.core.migrating.work import groups, recorded, to_run
from mcc.core.pgpass import pgpass
from mcc.errors import MigrationFailed
from mcc.model.database import Applied, Found, How, PostgresDatabase, Tracking
from mcc.model.migration import Migration

Key = tuple[str, str]


@dataclass(slots=True)
class PostgresState:
    """``applied``: by database and schema. ``failing``: names of migrations that cannot be applied.

    ``invalid``: indexes that were left behind, by database and schema. ``down``: why nobody answers.
    ``secret``: the password that everybody needs; none is needed without it.
    """

    applied: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    invalid: dict[Key, tuple[str, ...]] = field(default_factory=dict)
    down: str = ""
    secret: str = ""
    rows: dict[str, int] = field(default_factory=dict)


class FakePostgres:
    """The port ``PostgresMigrator``."""

    def __init__(
        self, state: PostgresState, process: Process, files: FakeFiles, known: Mapping[Path, str] | None = None
    ) -> None:
        self._state = state
        self._process = process
        self._files = files
        self._known = known or {}

    def knowing(self, passwords: Mapping[Path, str]) -> FakePostgres:
        return FakePostgres(self._state, self._process, self._files, {**self._known, **passwords})

    def look(self, target: PostgresDatabase, tracking: Tracking) -> Found:
        self._let_in(target)
        key = _key(target)
        if target.schema is not None and key not in self._state.applied:
            return Found(False, server="PostgreSQL 15.0")
        names = self._state.applied.get(key, ())
        return Found(
            True, bool(names), key in self._state.applied, tuple(Applied(name) for name in names),
            self._state.invalid.get(key, ()), "PostgreSQL 15.0",
        )  # fmt: skip

    def sizes(self, target: PostgresDatabase, tables: Sequence[str]) -> dict[str, int]:
        return {table: self._state.rows[table] for table in tables if table in self._state.rows}

    def migrate(self, target: PostgresDatabase, migrations: Sequence[Migration], how: How) -> tuple[str, ...]:
        self._process.breathe()
        found = self.look(target, how.tracking)
        todo = to_run(migrations, found, how)
        if not todo and found.tracked:
            return ()
        self._process.tick("postgres.migrate", target.name, _failure)
        names = found.names
        for group in groups(todo) or ((),):
            for migration in group:
                self._apply(target, migration)
            names = (*names, *(each.name for each in recorded(group, migrations)))
            self._commit(target, names)
        return names[len(found.names) :]

    def record(self, target: PostgresDatabase, migrations: Sequence[Migration], how: How) -> tuple[str, ...]:
        self._process.breathe()
        had = self.look(target, how.tracking).names
        new = tuple(each.name for each in migrations if each.name not in had)
        if new:
            self._process.tick("postgres.record", target.name, _failure)
            self._commit(target, (*had, *new))
        return new

    def _let_in(self, target: PostgresDatabase) -> None:
        if self._state.down:
            raise MigrationFailed(f"{target.name}: {self._state.down}")
        file = target.password_file
        given = self._known.get(file, "") if file else ""
        if not given and file and self._files.kind(file) == "file":
            given = self._files.read(file).decode()
        if self._state.secret and given != pgpass(self._state.secret):
            raise MigrationFailed(f"{target.name}: password authentication failed")

    def _apply(self, target: PostgresDatabase, migration: Migration) -> None:
        self._process.tick(f"postgres.migrate: in {migration.name}", target.name, _failure)
        if migration.name in self._state.failing:
            raise MigrationFailed(f"{target.name}: {migration.file}:1: made to fail")

    def _commit(self, target: PostgresDatabase, names: tuple[str, ...]) -> None:
        self._process.tick("postgres.migrate: commit", target.name, _failure)
        self._state.applied[_key(target)] = names
        self._process.tick("postgres.migrate: committed", target.name, _failure)


def _key(target: PostgresDatabase) -> Key:
    return target.database, target.schema or "public"


def _failure(what: str, path: str) -> Exception:
    return MigrationFailed(f"{path}: the connection was lost")
