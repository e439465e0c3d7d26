"""Telling databases apart, and cloning PostgreSQL, on the fake machine."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
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

    def fetch(
        self, words: Sequence[str], folder: Path, on_bytes: Callable[[int], None]
    ) -> dict[str, tuple[Path, Contents]]:
        """The other server is this one: ``ssh … -- host 'mcc send --site BASE --database NAME …'``."""
        self._process.breathe()
        command = shlex.split(words[-1])
        site = Path(command[command.index("--site") + 1])
        names = [word for before, word in pairwise(command) if before == "--database"]
        found = {}
        for number, name in enumerate(names):
            data = self._files.read(site / "domains" / name / "data.db")
            place = folder / f"{number}.fetched"
            self._process.tick("clones.fetch", str(place), _failure)
            self._files.scribble(place, data[:1], 0o600)
            self._process.tick("clones.fetch: half", str(place), _failure)
            self._files.scribble(place, data, 0o600, synced=True)
            on_bytes(len(data))
            digest, content = hashlib.sha256(data).hexdigest(), tuple(json.loads(data))
            found[name] = place, Contents("sqlite", len(data), digest, len(data), {}, content)
        return found

    def compact(self, copy: Path, into: Path) -> None:
        self._process.breathe()
        self._process.tick("clones.compact", str(into), _failure)
        self._files.scribble(into, self._files.read(copy), 0o600)
        self._process.tick("clones.compact: written", str(into), _failure)

    def empty(self, target: PostgresDatabase, wait: float, scratch: Path) -> None:
        self._process.breathe()
        key = (target.database, target.schema or "public")
        if key not in self._postgres.applied:
            return
        self._process.tick("clones.empty: commit", target.name, _failure)
        self._postgres.applied[key] = ()
        self._process.tick("clones.empty: committed", target.name, _failure)

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
