"""Folders that the site must have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.host.ports import Files, Host
from mcc.model.plan import Facts, Seen


@dataclass(frozen=True, slots=True)
class MakeFolders:
    """Make the folders of a site that are missing, those above them included."""

    folders: tuple[Path, ...]
    mode: int = 0o775

    def look(self, host: Host) -> Seen:
        missing: list[str] = []
        for folder in self.folders:
            for path in _missing(host.files, folder):
                if str(path) not in missing:
                    missing.append(str(path))
        return {"missing": missing}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        for folder in seen["missing"]:
            host.files.make_folder(Path(folder), self.mode)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        """A folder that somebody has put something into by now stays."""
        for folder in reversed(seen["missing"]):
            path = Path(folder)
            if host.files.kind(path) == "folder" and not host.files.names(path):
                host.files.remove_tree(path)
        return None


def _missing(files: Files, folder: Path) -> list[Path]:
    """The parts of a path that are not there, outermost first."""
    missing = []
    while files.kind(folder) == "absent":
        missing.append(folder)
        folder = folder.parent
    return missing[::-1]
