"""Verified copies of databases, as one set: whole, with its manifest, or not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mcc.core.backups import (
    MANIFEST,
    Copied,
    Manifest,
    SetKind,
    file_name,
    making,
    next_name,
    removing,
    set_folder,
    shelf_of,
    to_json,
)
from mcc.errors import CopyFailed, MigrationFailed, StepError
from mcc.host.copies.sets import manifest_in, refuse_links
from mcc.host.ports import Host, copier, migrator
from mcc.model.database import Target, Tracking
from mcc.model.plan import Facts, Seen


@dataclass(frozen=True, slots=True)
class BackUpDatabases:
    """Copy databases into the new set ``name``, and read each copy back before it counts.

    The set is made under a hidden name (0700, its files 0600), synced and renamed. In a set by the
    calendar what can be copied is kept, and the step fails; of one from before a change nothing is.
    ``root`` is BACKUP_PATH. ``wait``: seconds for whoever keeps a database to himself. ``unseen``: what comes
    behind it may change a database without a row that says so.
    """

    root: Path
    kind: SetKind
    name: str
    site: Path
    targets: tuple[Target, ...]
    stage: str = ""
    release: str = ""
    tool: str = ""
    tracking: Tracking = field(default_factory=Tracking)
    wait: float = 30.0
    unseen: bool = False

    @property
    def folder(self) -> Path:
        return set_folder(self.root, self.kind, self.name)

    @property
    def _hidden(self) -> Path:
        return making(self.folder, self.site)

    def look(self, host: Host) -> Seen:
        return {"free": host.files.kind(self.folder) == "absent"}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        if not seen["free"] and not self._by_calendar:
            raise StepError(f"{self.folder} is there already", help="try again: the next name is free")
        refuse_links(host.files, self.root, self.folder.parent)
        host.files.remove_tree(self._hidden)
        host.files.make_folder(self.folder.parent, 0o700)
        host.files.make_folder(self._hidden, 0o700)
        at = host.clock.now()
        copied = [self._one(host, target, number) for number, target in enumerate(self.targets, 1)]
        manifest = Manifest(at, self.site, self.kind, tuple(copied), self.stage, self.release, self.tool)
        self._refuse_bad(manifest)
        host.files.write(self._hidden / MANIFEST, to_json(manifest), 0o600)
        # Copies and manifest are on the disk by now, with their names. Syncing all of the file system
        # here (see Files.sync) would have the service wait.
        label = f"{shelf_of(self.kind)}/{self._name(host)}"
        if manifest.failed:
            raise CopyFailed(f"{_reasons(manifest)}; good copies of the others are kept in {label}")
        return {"backup": label, "copies": len(copied)}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        """A set that is whole stays, unless it was made for a change that did not come."""
        host.files.remove_tree(self._hidden)
        host.files.remove_tree(removing(self.folder, self.site))
        if not seen["free"] or self._by_calendar or not self._is_ours(host):
            return None
        label = f"{shelf_of(self.kind)}/{self.name}"
        if self.unseen or self._moved(host):
            return {"copies before": label}
        host.files.rename(self.folder, removing(self.folder, self.site))
        host.files.remove_tree(removing(self.folder, self.site))
        return None

    @property
    def _by_calendar(self) -> bool:
        return not self.kind.startswith("before")

    def _name(self, host: Host) -> str:
        """Give the set its name: the next one that is free, if another site of this BACKUP_PATH has taken it since."""
        folder = self.folder
        while True:
            try:
                host.files.rename(self._hidden, folder)
            except OSError:
                if not self._by_calendar or host.files.kind(folder) == "absent":
                    raise
                folder = folder.with_name(next_name(folder.name))
            else:
                return folder.name

    def _is_ours(self, host: Host) -> bool:
        """Whether the set is there, and not another site's that was faster."""
        if host.files.kind(self.folder) == "absent":
            return False
        try:
            return manifest_in(host.files, self.folder).site == self.site
        except CopyFailed:
            return False

    def _one(self, host: Host, target: Target, number: int) -> Copied:
        name = file_name(target)
        port, place = copier(host, target), self._hidden / name

        def progress(done: int, total: int) -> None:
            if len(self.targets) == 1:
                host.listener.progress(done, total, f"parts of {target.name}")

        try:
            contents = port.copy(target, place, self.wait, True, progress, self.tracking)
            port.verify(place, contents, self.tracking)
        except (StepError, OSError) as error:
            message = error.message if isinstance(error, StepError) else f"{error.strerror}: {error.filename}"
            host.files.remove(place)
            host.listener.say(f"{target.name}: failed: {message}")
            return Copied(target.name, name, None, message)
        finally:
            host.listener.progress(number, len(self.targets), "databases")
        return Copied(target.name, name, contents)

    def _refuse_bad(self, manifest: Manifest) -> None:
        if manifest.failed and (not manifest.good or not self._by_calendar):
            raise CopyFailed(_reasons(manifest), log=[copied.error for copied in manifest.failed[1:]])

    def _moved(self, host: Host) -> bool:
        """Whether a database is no longer what its copy is: then the copy may be needed."""
        try:
            contents = {copied.name: copied.contents for copied in manifest_in(host.files, self.folder).good}
            for target in self.targets:
                found = migrator(host, target).look(target, self.tracking)
                copy = contents.get(target.name)
                if copy is None or found.names != copy.migrations:
                    return True
        except (CopyFailed, MigrationFailed):
            return True
        return False


def _reasons(manifest: Manifest) -> str:
    failed: Sequence[Copied] = manifest.failed
    first = f"{failed[0].name}: {failed[0].error}"
    if len(manifest.databases) == 1:
        return failed[0].error
    names = ", ".join(copied.name for copied in failed[1:6])
    more = f"; also {names}" + (" and others" if len(failed) > 6 else "") if names else ""
    return f"{len(failed)} of {len(manifest.databases)} databases could not be copied: {first}{more}"
