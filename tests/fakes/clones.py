"""Telling databases apart, and cloning PostgreSQL, on the fake machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from fakes.files import FakeFiles
from fakes.postgres import PostgresState
from fakes.process import Process
from mcc.errors import CopyFailed
from mcc.model.database import Contents, PostgresDatabase, SqliteDatabase, Target, Tracking


class FakeClones:
    """The port ``Clones``. A dump holds the names of the migrations, as JSON; SQL must end with a semicolon."""

    def __init__(self, files: FakeFiles, process: Process, postgres: PostgresState) -> None:
        self._files = files
        self._process = process
        self._postgres = postgres

    def knowing(self, passwords: Mapping[Path, str]) -> FakeClones:
        return self

    def identity(self, what: Target | Path) -> str:
        if isinstance(what, PostgresDatabase):
            return f"{what.database} {what.schema or 'public'}"
        return self._files.identity(what.path if isinstance(what, SqliteDatabase) else what)

    def check(self, target: Target, contents: Contents, tracking: Tracking, exact: bool) -> None:
        if isinstance(target, PostgresDatabase):
            names = self._postgres.applied.get((target.database, target.schema or "public"), ())
        else:
            names = tuple(json.loads(self._files.read(target.path) or b"[]"))
        if names != tuple(contents.migrations):
            raise CopyFailed(
                f"{target.name} has {len(names)} migrations, not the {len(contents.migrations)} of the copy"
            )

    def compact(self, copy: Path, into: Path) -> None:
        self._process.breathe()
        self._process.tick("clones.compact", str(into), _failure)
        self._files.scribble(into, self._files.read(copy), 0o600)
        self._process.tick("clones.compact: written", str(into), _failure)

    def put(
        self, dump: Path, source: PostgresDatabase, target: PostgresDatabase, wait: float, scratch: Path,
        script: Path | None, shown: str,
    ) -> None:  # fmt: skip
        self._process.breathe()
        names = tuple(json.loads(self._files.read(dump)))
        if script is not None and not self._files.read(script).rstrip().endswith(b";"):
            raise CopyFailed(f"{target.name}: {shown}, line 1: syntax error; it is as it was")
        self._process.tick("clones.put: commit", target.name, _failure)
        self._postgres.applied[target.database, target.schema or "public"] = names
        self._process.tick("clones.put: committed", target.name, _failure)


def _failure(what: str, path: str) -> Exception:
    return CopyFailed(f"{path}: the connection was lost; it is as it was")
