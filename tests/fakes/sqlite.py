"""SQLite databases of the fake machine: a file holds the names of its migrations, as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fakes.files import FakeFiles
from fakes.process import Process
from mcc.errors import MigrationFailed
from mcc.model.migration import Migration


@dataclass(slots=True)
class SqliteState:
    """``failing``: names of migrations that cannot be applied. ``locked``: databases held by a writer."""

    failing: set[str] = field(default_factory=set)
    locked: set[Path] = field(default_factory=set)


class FakeSqlite:
    """The port ``Sqlite``; contents live in the fake files, so that a kill and a power cut reach them."""

    def __init__(self, state: SqliteState, files: FakeFiles, process: Process) -> None:
        self._state = state
        self._files = files
        self._process = process

    def applied(self, database: Path) -> tuple[str, ...]:
        if self._files.kind(database) == "absent":
            return ()
        try:
            return tuple(json.loads(self._files.read(database) or b"[]"))
        except (OSError, ValueError, TypeError) as problem:
            raise MigrationFailed(f"{database} cannot be read: file is not a database") from problem

    def migrate(self, database: Path, migrations: Sequence[Migration], wait: float) -> tuple[str, ...]:
        self._process.breathe()
        applied = self.applied(database)
        pending = [migration for migration in migrations if migration.name not in applied]
        if not pending and self._files.kind(database) == "file":
            return ()
        self._process.tick("sqlite.migrate", str(database), _failure)
        if database in self._state.locked:
            raise MigrationFailed(f"{database} is locked", help=f"a writer held it for {wait:g} s")
        made = self._open(database)
        try:
            for migration in pending:
                self._apply(database, migration)
            names = (*applied, *(migration.name for migration in pending))
            self._commit(database, names)
        except Exception:
            for path in made:
                self._discard(path)
            raise
        return names[len(applied) :]

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
        """A failure leaves nothing of what it made; others' files stay."""
        if self._files.kind(path) == "file":
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
