"""Which sets stay: the first of a week or month gets a second name, what nobody needs goes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from mcc.core import ledger as ledgers
from mcc.core.backups import (
    MANIFEST,
    BackupSet,
    Copied,
    Keep,
    SetKind,
    befores_to_remove,
    making,
    removing,
    set_folder,
    to_json,
    to_promote,
    to_remove,
)
from mcc.host.copies.sets import leftovers, sets_of
from mcc.host.ports import Host
from mcc.host.temporaries import sweep_older
from mcc.model.plan import Facts, Seen


@dataclass(frozen=True, slots=True)
class PromoteSet:
    """Give the first good copies of a week or month a second name in ``weekly/`` or ``monthly/``.

    ``name`` is the set's, or a little before it: see :class:`mcc.steps.backup.BackUpDatabases`. Hard links where
    the file system allows them, copies elsewhere.
    """

    root: Path
    site: Path
    name: str
    kind: SetKind

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        sets = sets_of(host.files, self.root, self.site)
        later = [one for one in sets if one.shelf == "daily" and one.name >= self.name]
        made = min(later, key=lambda one: one.name, default=None)
        copies = to_promote(made, sets, "monthly" if self.kind == "monthly" else "weekly") if made else ()
        if made is None or not copies:
            return None
        target = set_folder(self.root, self.kind, made.name)
        if host.files.kind(target) != "absent":
            return None
        self._make(host, made, copies, target)
        return {self.kind: f"{self.kind}/{made.name}"}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None  # it stands behind the commit

    def _make(self, host: Host, made: BackupSet, copies: Iterable[Copied], target: Path) -> None:
        hidden = making(target, self.site)
        host.files.remove_tree(hidden)
        host.files.make_folder(target.parent, 0o700)
        host.files.make_folder(hidden, 0o700)
        for copied in copies:
            _second_name(host, made.folder / copied.file, hidden / copied.file)
        manifest = dataclasses.replace(made.manifest, kind=self.kind, databases=tuple(copies))
        host.files.write(hidden / MANIFEST, to_json(manifest), 0o600)
        host.files.rename(hidden, target)


def _second_name(host: Host, source: Path, target: Path) -> None:
    try:
        host.files.hard_link(source, target)
    except OSError:
        host.files.copy_file(source, target, 0o600)


@dataclass(frozen=True, slots=True)
class PruneSets:
    """Remove sets that nobody needs any more, and what dead runs left of sets.

    ``keep`` None: the calendar is left alone, and only sets from before a change are looked at.
    ``days``: how long those stay that belong to no release. ``ledger`` says which releases stand.
    """

    root: Path
    site: Path
    ledger: Path
    keep: Keep | None
    days: int

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        for folder in leftovers(host.files, self.root, self.site):
            host.files.remove_tree(folder)
        sets = sets_of(host.files, self.root, self.site)
        now = host.clock.now()
        over = befores_to_remove(sets, self._standing(host), now, self.days)
        over += to_remove(sets, self.keep, now) if self.keep else ()
        for one in (one for one in sets if one not in over):
            # Of somebody who read the set back and was killed.
            sweep_older(host.files, one.folder, now - timedelta(days=1))
        for number, one in enumerate(over, 1):
            self._remove(host, one)
            host.listener.progress(number, len(over), "old sets")
        return {"removed": [one.label for one in over]} if over else None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None

    def _remove(self, host: Host, one: BackupSet) -> None:
        """Under a hidden name first: a set that has lost a part must not look like one."""
        going = removing(one.folder, self.site)
        host.files.rename(one.folder, going)
        host.files.remove_tree(going)

    def _standing(self, host: Host) -> set[str]:
        if host.files.kind(self.ledger) != "file":
            return set()
        return {release.name for release in ledgers.read(host.files.read(self.ledger)).standing()}
