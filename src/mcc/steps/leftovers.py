"""Clearing away what dead runs left in folders that are not a release's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.errors import StepError
from mcc.host.ports import Host
from mcc.host.temporaries import sweep
from mcc.model.plan import Facts, Seen


@dataclass(frozen=True, slots=True)
class RemoveLeftovers:
    """Remove folders that nobody needs (old tools, kept files without their run) and temporary names.

    One that cannot be removed, such as another user's, does not keep the others.
    """

    folders: tuple[Path, ...]
    swept: tuple[Path, ...]

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        for folder in self.swept:
            sweep(host.files, folder)
        failed: dict[Path, OSError] = {}
        for folder in self.folders:
            try:
                host.files.remove_tree(folder)
            except OSError as error:
                failed[folder] = error
        if failed:
            first = next(iter(failed.values()))
            denied = isinstance(first, PermissionError)
            help = f"as root: rm -r {' '.join(map(str, failed))}" if denied else "the next deploy tries again"
            raise StepError(f"{first.filename} cannot be removed: {first.strerror}", help=help) from first
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None
