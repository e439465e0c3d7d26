"""Copies of the fake machine's databases: a copy holds the names of the migrations, as JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fakes.files import FakeFiles
from fakes.postgres import PostgresState
from fakes.process import Process
from mcc.errors import CopyFailed, Damaged
from mcc.model.database import Contents, PostgresDatabase, SqliteDatabase, Target, Tracking


@dataclass(slots=True)
class CopiesState:
    """``failing``: names of databases that cannot be copied."""

    failing: set[str] = field(default_factory=set)


class FakeCopies:
    """The port ``Copier`` for databases of both kinds."""

    def __init__(self, state: CopiesState, files: FakeFiles, process: Process, postgres: PostgresState) -> None:
        self._state = state
        self._files = files
        self._process = process
        self._postgres = postgres

    def copy(
        self,
        target: Target,
        place: Path,
        deadline: float,
        compress: bool,
        on_progress: Callable[[int, int], None],
        tracking: Tracking | None = None,
    ) -> Contents:
        self._process.breathe()
        names = self._names(target)
        self._process.tick("copies.copy", str(place), _failure)
        if target.name in self._state.failing:
            raise CopyFailed(f"{target.name}: made to fail")
        data = json.dumps(names).encode()
        try:
            # Made, half written, then whole and on the disk.
            self._files.scribble(place, data[:1], 0o600)
            self._process.tick("copies.copy: half", str(place), _failure)
            self._files.scribble(place, data, 0o600, synced=True)
        except Exception:
            self._files.remove(place)
            raise
        on_progress(1, 1)
        digest = hashlib.sha256(data).hexdigest()
        return Contents(target.kind, len(data), digest, len(data), {"migrations": len(names)}, names)

    def verify(self, place: Path, contents: Contents, tracking: Tracking | None = None) -> None:
        try:
            data = self._files.read(place)
        except OSError as error:
            raise CopyFailed(f"{place} cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != contents.sha256:
            raise CopyFailed(f"{place} is not what was written: its SHA-256 is another")

    def put_back(self, place: Path, contents: Contents, target: Target, wait: float) -> None:
        self._process.breathe()
        self.verify(place, contents)
        names = tuple(json.loads(self._files.read(place)))
        self._process.tick("copies.put_back", target.name, _failure)
        if isinstance(target, SqliteDatabase):
            self._files.make_folder(target.path.parent, 0o775)
            self._files.scribble(target.path, json.dumps(names).encode(), synced=True)
        else:
            self._postgres.applied[_key(target)] = names
        self._process.tick("copies.put_back: written", target.name, _failure)

    def _names(self, target: Target) -> tuple[str, ...]:
        if isinstance(target, PostgresDatabase):
            return self._postgres.applied.get(_key(target), ())
        if self._files.kind(target.path) == "absent":
            raise CopyFailed(f"{target.path} is not there")
        try:
            return tuple(json.loads(self._files.read(target.path) or b"[]"))
        except (OSError, ValueError, TypeError) as error:
            raise Damaged(f"{target.path}: it is not an SQLite database") from error


def _key(target: PostgresDatabase) -> tuple[str, str]:
    return target.database, target.schema or "public"


def _failure(what: str, path: str) -> Exception:
    return CopyFailed(f"{path}: disk I/O error")
