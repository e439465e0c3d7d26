"""Clearing away what dead runs left in folders that are not a release's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.host.ports import Host
from mcc.host.temporaries import sweep
from mcc.model.plan import Facts, Seen


@dataclass(frozen=True, slots=True)
class RemoveLeftovers:
    """Remove folders that nobody needs (old tools, kept files without their run) and temporary names."""

    folders: tuple[Path, ...]
    swept: tuple[Path, ...]

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        for folder in self.folders:
            host.files.remove_tree(folder)
        for folder in self.swept:
            sweep(host.files, folder)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None
