"""What a way back to a release needs besides its folders, kept where no deploy overwrites it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.host.ports import Host
from mcc.model.plan import Facts, Seen


@dataclass(frozen=True, slots=True)
class KeepMaterial:
    """Copy files into ``folder``, which is the release's own and readable by this user alone.

    ``files`` are pairs of a source and its name below ``folder``.
    """

    files: tuple[tuple[Path, str], ...]
    folder: Path

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        host.files.remove_tree(self.folder)
        host.files.make_folder(self.folder, 0o700)
        for source, name in self.files:
            target = self.folder / name
            host.files.make_folder(target.parent, 0o700)
            host.files.copy_file(source, target, 0o600)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        host.files.remove_tree(self.folder)
        return None
