"""Bringing the content of one site's databases to another site."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from mcc.core.migrating.files import read_one
from mcc.errors import CopyFailed, MigrationFailed
from mcc.host.ports import Host, copier
from mcc.model.database import Contents, How, SqliteDatabase, Target, Tracking
from mcc.model.plan import Facts, Seen
from mcc.steps.putting_back import WAIT, put_kept_back, stop_all

# No table: the project's own SQL leaves no rows of ours.
_UNTRACKED = Tracking("no tracking table", "name", None)


@dataclass(frozen=True, slots=True)
class SourceCopy:
    """A copy of a source that waits to be put in place: ``place``, and beside it what is in it."""

    place: Path

    @property
    def note(self) -> Path:
        """Where the contents are written down."""
        return self.place.with_name(f"{self.place.name}.json")

    def write_note(self, host: Host, contents: Contents) -> None:
        """Write down what is in it."""
        host.files.write(self.note, json.dumps(dataclasses.asdict(contents)).encode(), 0o600)

    def contents(self, host: Host) -> Contents:
        """What is in it, as it was written down. Raises CopyFailed."""
        try:
            data = json.loads(host.files.read(self.note))
            return Contents(**{**data, "migrations": tuple(data["migrations"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise CopyFailed(f"{self.note} cannot be read, so that {self.place} is worth nothing: {error}") from error


@dataclass(frozen=True, slots=True)
class FetchSources:
    """Have another server send copies of its databases, and read them back.

    ``words`` is the command whose output they are. ``wanted`` are the names, and where each copy goes.
    ``server`` is its name for the reader.
    """

    words: tuple[str, ...]
    server: str
    folder: Path
    wanted: tuple[tuple[str, SourceCopy], ...]
    tracking: Tracking = field(default_factory=Tracking)

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        host.files.remove_tree(self.folder)
        host.files.make_folder(self.folder, 0o700)
        came = 0

        def progress(count: int) -> None:
            nonlocal came
            came += count
            host.listener.progress(came // 1_000_000, 0, f"MB from {self.server}")

        found = host.clones.fetch(self.words, self.folder, progress)
        for name, copied in self.wanted:
            if name not in found:
                raise CopyFailed(f"{self.server} sent no copy of {name}", help="is its mcc the same as here?")
            place, contents = found[name]
            port = host.sqlite_copies if contents.kind == "sqlite" else host.postgres_copies
            port.verify(place, contents, self.tracking)
            host.files.rename(place, copied.place)
            copied.write_note(host, contents)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        host.files.remove_tree(self.folder)
        return None


@dataclass(frozen=True, slots=True)
class CopySource:
    """Copy a database that is in use, read the copy back, and run the project's own SQL on it.

    ``script`` is for SQLite, where it is one transaction on the copy; ``shown`` is its name. The source
    is opened to be read only. ``wait``: seconds for whoever keeps the source to himself.
    """

    source: Target
    copied: SourceCopy
    script: Path | None = None
    shown: str = ""
    tracking: Tracking = field(default_factory=Tracking)
    wait: float = 30.0

    @property
    def _raw(self) -> Path:
        return self.copied.place.with_name(f"{self.copied.place.name}.raw")

    @property
    def _compact(self) -> Path:
        return self.copied.place.with_name(f"{self.copied.place.name}.compact")

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        self._remove(host)
        place = self.copied.place
        host.files.make_folder(place.parent, 0o700)
        contents = self._copy(host, self.source, place) if self.script is None else self._changed_copy(host, place)
        copier(host, self.source).verify(place, contents, self.tracking)
        self.copied.write_note(host, contents)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        self._remove(host)
        return None

    def _changed_copy(self, host: Host, place: Path) -> Contents:
        """A copy on which the script has run, and in which nothing is left of what it removed."""
        self._copy(host, self.source, self._raw)
        self._run_script(host, SqliteDatabase(self.source.name, self._raw))
        host.clones.compact(self._raw, self._compact)
        host.files.remove(self._raw)
        contents = self._copy(host, SqliteDatabase(self.source.name, self._compact), place)
        host.files.remove(self._compact)
        return contents

    def _copy(self, host: Host, source: Target, place: Path) -> Contents:
        def progress(done: int, total: int) -> None:
            host.listener.progress(done, total, f"pages of {self.source.name}")

        return copier(host, source).copy(source, place, self.wait, False, progress, self.tracking)

    def _run_script(self, host: Host, copy: SqliteDatabase) -> None:
        assert self.script is not None
        script = read_one(host.files.read(self.script), self.shown, "always")
        try:
            host.sqlite.migrate(copy, (script,), How(_UNTRACKED))
        except MigrationFailed as error:
            message = error.message.replace(str(copy.path), f"the copy of {self.source.name}")
            raise CopyFailed(message, help=error.help, log=error.log) from error

    def _remove(self, host: Host) -> None:
        for path in (self.copied.place, self.copied.note, self._raw, self._compact):
            for suffix in ("", "-wal", "-shm", "-journal"):
                host.files.remove(path.with_name(path.name + suffix))


@dataclass(frozen=True, slots=True)
class PutClone:
    """Make a target's database what the copy of a source is, and look whether it is that.

    On the way back the content that is in the set ``kept`` is put back, with the services ``stopped``.
    ``script`` is SQL of the project's own, ``shown`` its name: for PostgreSQL, where it is part of the one
    transaction. ``exact``: nobody writes, so that every row counts.
    """

    undone_once: ClassVar[bool] = True
    copied: SourceCopy
    source: Target
    target: Target
    kept: Path
    script: Path | None = None
    shown: str = ""
    stopped: tuple[str, ...] = ()
    exact: bool = True
    tracking: Tracking = field(default_factory=Tracking)

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        contents, place = self.copied.contents(host), self.copied.place
        if self.source.kind == "postgresql" and self.target.kind == "postgresql":
            host.clones.put(place, self.source, self.target, WAIT, place.parent, self.script, self.shown)
        else:
            copier(host, self.target).put_back(place, contents, self.target, WAIT)
        if self.script is None:  # what it has done is the project's own business
            host.clones.check(self.target, contents, self.tracking, self.exact)
        return {"databases": "cloned"}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        stop_all(host, self.stopped)
        return {"databases": put_kept_back(host, self.target, self.kept)}
