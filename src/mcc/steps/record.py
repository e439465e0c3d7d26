"""Writing down what is live, and clearing away what is old."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mcc.core import ledger
from mcc.errors import StepError
from mcc.host.lines import append_line
from mcc.host.ports import Host
from mcc.model.plan import Facts, Seen
from mcc.model.release import Release


@dataclass(frozen=True, slots=True)
class RecordLive:
    """Say in the ledger that a release is live; once, however often this runs."""

    path: Path
    release: Release

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        known = host.files.kind(self.path) == "file"
        live = ledger.read(host.files.read(self.path)).live if known else None
        if live is None or (live.name, live.run) != (self.release.name, self.release.run):
            append_line(host.files, self.path, ledger.live_line(self.release), 0o644)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None  # it stands behind the commit


@dataclass(frozen=True, slots=True)
class MarkBad:
    """Say in the ledger that nobody wants a release back, and why; once, however often this runs."""

    path: Path
    name: str
    reason: str
    by: str
    run: str

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        known = host.files.kind(self.path) == "file"
        release = ledger.read(host.files.read(self.path)).get(self.name) if known else None
        if release is None or (release.bad, release.bad_by) != (self.reason, self.by):
            now = host.clock.now().isoformat(timespec="seconds")
            line = ledger.bad_line(self.name, self.reason, self.by, now, self.run)
            append_line(host.files, self.path, line, 0o644)
        return {"marked bad": self.name}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None  # it stands behind the commit


@dataclass(frozen=True, slots=True)
class TellDatabases:
    """Say how the databases stand beside a release that was gone back to: words, and what a person may do."""

    words: str
    todo: str

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        return {"databases": self.words, **({"to do": self.todo} if self.todo else {})}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None


@dataclass(frozen=True, slots=True)
class Prune:
    """Remove folders that nothing needs any more, and say so in the ledger."""

    folders: tuple[Path, ...]
    releases: tuple[str, ...]
    ledger: Path
    run: str

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        # The ledger first: a release that is half removed must not be gone back to.
        if self.releases:
            now = host.clock.now().isoformat(timespec="seconds")
            append_line(host.files, self.ledger, ledger.pruned_line(self.releases, now, self.run), 0o644)
        stay: dict[str, OSError] = {}
        for number, folder in enumerate(self.folders, 1):
            try:
                host.files.remove_tree(folder)
            except OSError as problem:  # another user made folders in it, for one; the others go all the same
                stay[str(folder)] = problem
            host.listener.progress(number, len(self.folders), "old folders")
        if stay:
            raise _stays(stay)
        return {"pruned": len(self.releases)} if self.releases else None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None


def _stays(problems: Mapping[str, OSError]) -> StepError:
    if all(isinstance(problem, PermissionError) for problem in problems.values()):
        return StepError(f"not all could be removed; as root: rm -r {shlex.join(problems)}")
    folder, first = next(iter(problems.items()))
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return StepError(f"{folder}{more} could not be removed: {first.strerror}; the next deploy tries again")


@dataclass(frozen=True, slots=True)
class RemoveFiles:
    """Remove single files that are too old to be asked for."""

    files: tuple[Path, ...]

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        for path in self.files:
            host.files.remove(path)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None
