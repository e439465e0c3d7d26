"""Making databases what copies of them are, and putting them back when the run fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from mcc.errors import CopyFailed, MigrationFailed
from mcc.host.ports import Host, copier, migrator
from mcc.model.database import Contents, Target, Tracking
from mcc.model.plan import Facts, Seen
from mcc.steps.putting_back import WAIT, put_kept_back, stop_all


@dataclass(frozen=True, slots=True)
class Source:
    """One database's copy in a set. ``label`` names the set for the reader."""

    place: Path
    contents: Contents
    label: str


@dataclass(frozen=True, slots=True)
class VerifyCopies:
    """Read copies back before anything is touched: all that are damaged are named at once."""

    sources: tuple[Source, ...]
    targets: tuple[Target, ...]
    tracking: Tracking = field(default_factory=Tracking)

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        bad: list[CopyFailed] = []
        for number, (source, target) in enumerate(zip(self.sources, self.targets, strict=True), 1):
            try:
                copier(host, target).verify(source.place, source.contents, self.tracking)
            except CopyFailed as error:
                bad.append(error)
            host.listener.progress(number, len(self.targets), "copies read back")
        if len(bad) == 1:
            raise bad[0]
        if bad:
            message = f"{len(bad)} of {len(self.targets)} copies are not what they should be: {bad[0].message}"
            raise CopyFailed(message, help=bad[0].help, log=tuple(error.message for error in bad))
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None


@dataclass(frozen=True, slots=True)
class PutBack:
    """Make a database what a copy of it is, and look whether it is that.

    On the way back the content that is in the set ``kept`` is put back, with the services ``stopped``.
    ``exact``: nobody writes, so that every row counts.
    """

    undone_once: ClassVar[bool] = True
    source: Source
    target: Target
    kept: Path
    stopped: tuple[str, ...] = ()
    exact: bool = True
    tracking: Tracking = field(default_factory=Tracking)

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        copier(host, self.target).put_back(self.source.place, self.source.contents, self.target, WAIT)
        host.clones.check(self.target, self.source.contents, self.tracking, self.exact)
        return {"databases": f"restored from {self.source.label}"}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        stop_all(host, self.stopped)
        return {"databases": put_kept_back(host, self.target, self.kept)}


@dataclass(frozen=True, slots=True)
class RestoreOnFailure:
    """Stands before a migration for which the site stands still: on the way back databases are as before.

    ``kept`` is the set of the copies that were taken; a database of ``new`` was not there. Only what has
    changed is put back: after a reboot services may have written to the rest. ``always``: a file without a
    transaction may have changed a database without a row that says so.
    """

    undone_once: ClassVar[bool] = True
    targets: tuple[Target, ...]
    new: tuple[Target, ...]
    kept: Path
    stopped: tuple[str, ...]
    always: bool
    tracking: Tracking = field(default_factory=Tracking)

    def look(self, host: Host) -> Seen:
        return {"had": {target.name: self._names(host, target) for target in (*self.targets, *self.new)}}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        changed = [target for target in (*self.targets, *self.new) if self._has_changed(host, target, seen)]
        if changed:
            stop_all(host, self.stopped)
        words = "as before"
        for number, target in enumerate(changed, 1):
            words = max(words, put_kept_back(host, target, self.kept), key=len)
            host.listener.progress(number, len(changed), "databases put back")
        return {"databases": words, "put back": True}

    def _has_changed(self, host: Host, target: Target, seen: Seen) -> bool:
        if self.always and target in self.targets:
            return True
        return bool(self._names(host, target) != seen["had"][target.name])

    def _names(self, host: Host, target: Target) -> list[str] | None:
        """The migrations of a database; None if it is not there, or cannot be read."""
        try:
            found = migrator(host, target).look(target, self.tracking)
        except MigrationFailed:
            return None
        return list(found.names) if found.exists else None
