"""Keeping what databases hold before a run exchanges it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mcc.core.backups import MANIFEST, Copied, Manifest, SetKind, file_name, making, to_json
from mcc.errors import Damaged, MigrationFailed, StepError
from mcc.host.copies.sets import refuse_links
from mcc.host.ports import Host, copier, migrator
from mcc.model.database import Target, Tracking
from mcc.model.plan import Facts, Seen
from mcc.steps.putting_back import WAIT, raw_names, raw_paths


@dataclass(frozen=True, slots=True)
class KeepPresent:
    """Copy the present state of databases into a set of its own, read back before it counts.

    A database that is not there is left out. A file that is no whole database is kept byte for byte:
    it is what a restore is most needed for. The set stays, whatever becomes of the run.
    """

    targets: tuple[Target, ...]
    folder: Path
    site: Path
    kind: SetKind
    stage: str = ""
    release: str = ""
    tool: str = ""
    tracking: Tracking = field(default_factory=Tracking)

    @property
    def _making(self) -> Path:
        return making(self.folder, self.site)

    def look(self, host: Host) -> Seen:
        return {"free": host.files.kind(self.folder) == "absent"}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        if not seen["free"]:
            raise StepError(f"{self.folder} is there already", help="try again: the next name is free")
        refuse_links(host.files, self.folder.parent.parent, self.folder.parent)
        at = host.clock.now()
        host.files.remove_tree(self._making)
        host.files.make_folder(self.folder.parent, 0o700)
        host.files.make_folder(self._making, 0o700)
        kept = []
        for number, target in enumerate(self.targets, 1):
            copied = self._keep(host, target)
            kept += [copied] if copied else []
            host.listener.progress(number, len(self.targets), "databases kept")
        manifest = Manifest(at, self.site, self.kind, tuple(kept), self.stage, self.release, self.tool)
        host.files.write(self._making / MANIFEST, to_json(manifest), 0o600)
        # Copies and manifest are on the disk by now; Files.sync would have everybody on it wait.
        host.files.rename(self._making, self.folder)
        return {"kept": str(self.folder)}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        # The set itself stays: an undo that failed may need it again.
        host.files.remove_tree(self._making)
        return None

    def _keep(self, host: Host, target: Target) -> Copied | None:
        if not _is_there(host, target, self.tracking):
            return None
        name = file_name(target)
        place = self._making / name
        try:
            contents = copier(host, target).copy(target, place, WAIT, True, _quietly, self.tracking)
            copier(host, target).verify(place, contents, self.tracking)
        except Damaged as error:
            host.files.remove(place)
            return self._keep_raw(host, target, error)
        return Copied(target.name, name, contents)

    def _keep_raw(self, host: Host, target: Target, error: Damaged) -> Copied:
        if target.kind == "sqlite" and host.files.kind(target.path) != "file":
            message = f"{error.message}; {target.path} is not the file itself, so that it cannot be kept as it is"
            raise StepError(message, help="put the file in the place of the link") from error
        host.listener.warn(f"{error.message}; it is kept as it is, byte for byte, in {self.folder}")
        for name, path in zip(raw_names(target), raw_paths(target), strict=False):
            if host.files.kind(path) == "file":
                host.files.copy_file(path, self._making / name, 0o600)
        return Copied(target.name, raw_names(target)[0], None, error.message)


def _quietly(_done: int, _total: int) -> None:
    """Databases are counted, not their pages."""


def _is_there(host: Host, target: Target, tracking: Tracking) -> bool:
    if target.kind == "sqlite":
        return bool(host.clones.identity(target))
    if target.schema is None:
        return True  # also if it has no schema for new tables, which is what the migrator looks for
    try:
        return migrator(host, target).look(target, tracking).exists
    except MigrationFailed:
        return True  # the copy says what is wrong
