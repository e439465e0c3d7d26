"""SQLite databases of the fake machine: a file holds the names of its migrations, as JSON.

It has no tables and no checksums: a database is filled when it has had migrations.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fakes.files import FakeFiles
from fakes.process import Process
from mcc.core.migrating.work import groups, recorded, to_run
from mcc.errors import MigrationFailed
from mcc.host.database_ports import Each
from mcc.model.database import Applied, Found, How, SqliteDatabase, Tracking
from mcc.model.migration import Migration


@dataclass(slots=True)
class SqliteState:
    """``failing``: names of migrations that cannot be applied. ``locked``: databases held by a writer.

    ``rows``: how many each table has, in every database.
    """

    failing: set[str] = field(default_factory=set)
    locked: set[Path] = field(default_factory=set)
    rows: dict[str, int] = field(default_factory=dict)


class FakeSqlite:
    """The port ``SqliteMigrator``; contents live in the fake files, so that a kill and a power cut reach them."""

    def __init__(self, state: SqliteState, files: FakeFiles, process: Process) -> None:
        self._state = state
        self._files = files
        self._process = process

    def look(self, target: SqliteDatabase, tracking: Tracking) -> Found:
        database = target.path
        if self._files.kind(database) == "absent":
            return Found(False)
        try:
            names = json.loads(self._files.read(database) or b"[]")
        except (OSError, ValueError, TypeError) as problem:
            raise MigrationFailed(f"{database} cannot be read: file is not a database") from problem
        return Found(True, bool(names), bool(self._files.read(database)), tuple(Applied(name) for name in names))

    def sizes(self, target: SqliteDatabase, tables: Sequence[str]) -> dict[str, int]:
        return {table: self._state.rows[table] for table in tables if table in self._state.rows}

    def migrate(self, target: SqliteDatabase, migrations: Sequence[Migration], how: How) -> tuple[str, ...]:
        self._process.breathe()
        database = target.path
        found = self.look(target, how.tracking)
        todo = to_run(migrations, found, how)
        if not todo and found.tracked:
            return ()
        self._process.tick("sqlite.migrate", str(database), _failure)
        if database in self._state.locked:
            raise MigrationFailed(f"{database} is locked", help=f"a writer held it for {how.wait:g} s")
        made = self._open(database)
        names = found.names
        try:
            for group in groups(todo) or ((),):
                for migration in group:
                    self._apply(database, migration)
                names = (*names, *(each.name for each in recorded(group, migrations)))
                self._commit(database, names)
        except Exception:
            for path in made:
                self._discard(path)
            raise
        return names[len(found.names) :]

    def record(self, target: SqliteDatabase, migrations: Sequence[Migration], how: How) -> tuple[str, ...]:
        self._process.breathe()
        found = self.look(target, how.tracking)
        if not found.exists:
            raise MigrationFailed(f"{target.path} is not there")
        new = tuple(each.name for each in migrations if each.name not in found.names)
        if new:
            self._process.tick("sqlite.record", str(target.path), _failure)
            self._commit(target.path, (*found.names, *new))
        return new

    def migrate_all(
        self,
        targets: Sequence[SqliteDatabase],
        migrations: Sequence[Migration],
        how: How,
        scratch: Path | None,
        each: Each,
    ) -> None:
        for target in targets:
            try:
                answer: tuple[str, ...] | MigrationFailed = self.migrate(target, migrations, how)
            except MigrationFailed as error:
                answer = error
            each(target, answer)

    def rehearse(self, target: SqliteDatabase, migrations: Sequence[Migration], how: How, scratch: Path) -> None:
        self._process.breathe()
        found = self.look(target, how.tracking)
        self._process.tick("sqlite.rehearse", str(target.path), _failure)
        for migration in to_run(migrations, found, how):
            self._apply(target.path, migration)

    def _apply(self, database: Path, migration: Migration) -> None:
        self._process.tick(f"sqlite.migrate: in {migration.name}", str(database), _failure)
        if migration.name in self._state.failing:
            line = migration.statements[0].line if migration.statements else 1
            raise MigrationFailed(f"{database}: {migration.file}, line {line}: made to fail")

    def _open(self, database: Path) -> list[Path]:
        """SQLite makes the file when it opens it. What was made, deepest first."""
        made = [path for path in database.parents if self._files.kind(path) == "absent"]
        self._files.make_folder(database.parent, 0o775)
        if self._files.kind(database) == "absent":
            self._files.scribble(database, b"", 0o664, synced=True)
            made.insert(0, database)
        return made

    def _discard(self, path: Path) -> None:
        """A failure leaves nothing of what it made; others' files, and what was committed, stay."""
        if self._files.kind(path) == "file":
            if not self._files.read(path):
                self._files.remove(path)
        elif not self._files.names(path):
            self._files.remove_tree(path)

    def _commit(self, database: Path, names: tuple[str, ...]) -> None:
        # In one stroke, into the same file: inode, owner and mode stay.
        self._process.tick("sqlite.migrate: commit", str(database), _failure)
        self._files.scribble(database, json.dumps(names).encode(), synced=True)
        self._process.tick("sqlite.migrate: committed", str(database), _failure)


def _failure(what: str, path: str) -> Exception:
    return MigrationFailed(f"{path}: disk I/O error")
