"""Bringing a component's files to where its release will live."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mcc.errors import StepError
from mcc.host.ports import Host
from mcc.model.plan import Facts, Seen

_SKIP = ("__pycache__", ".venv")


@dataclass(frozen=True, slots=True)
class PlaceComponent:
    """Copy folders of the output into a new version folder, under a name that no one reads; sync; rename.

    ``sources`` maps absolute folders to folders of the release. ``links`` are made in the release
    (``.venv`` -> ``../../venvs/…``).
    """

    stays_while_stuck: ClassVar[bool] = True
    folder: Path
    sources: tuple[tuple[Path, str], ...]
    links: tuple[tuple[str, str], ...] = ()

    @property
    def _hidden(self) -> Path:
        return self.folder.with_name(f".placing-{self.folder.name}")

    def look(self, host: Host) -> Seen:
        return {"free": host.files.kind(self.folder) == "absent" == host.files.kind(self._hidden)}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        if not seen["free"]:
            raise StepError(f"{self.folder} is there already", help="deploy again: the next name is free")
        files = size = 0
        for source, target in self.sources:
            place = self._hidden / target
            host.files.make_folder(place)
            tally = host.files.copy_tree(source, place, skip=_SKIP)
            files, size = files + tally.files, size + tally.bytes
        for name, target in self.links:
            host.files.link(self._hidden / name, target)
        host.files.sync(self._hidden)
        host.files.rename(self._hidden, self.folder)
        return {f"placed {self.folder.parent.name}": f"{files} files, {_size(size)}"}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        if seen["free"]:
            host.files.remove_tree(self._hidden)
            host.files.remove_tree(self.folder)
        return None


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
