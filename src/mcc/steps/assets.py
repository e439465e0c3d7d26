"""Hashed files of older front ends in a new one, so that pages that are open go on working."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.core.assets import Listed, to_json
from mcc.host.ports import Host, Tally
from mcc.model.plan import Facts, Seen


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Files of one older release: paths below its ``folder``."""

    folder: Path
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeepAssets:
    """Write down which hashed files are the release's ``own``, and bring those of older ones beside them.

    ``folder`` is a new release's, which no one reads yet; ``own`` are paths in it, with sizes. A file of its own
    stays as it is, whatever an older release has by that name. ``list`` goes where the release's material is.
    """

    folder: Path
    list: Path
    own: tuple[tuple[str, int], ...]
    older: tuple[TakenOver, ...]

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        # The list first: what is not in it would be taken for the release's own by the next one.
        host.files.make_folder(self.list.parent, 0o700)
        older = {each.folder.name: each.files for each in self.older}
        host.files.write(self.list, to_json(Listed(dict(self.own), older)), 0o600)
        tallies = [self._take_over(host, each) for each in self.older]
        if not tallies:
            return None
        host.files.sync(self.folder)
        return {f"old files in {self.folder.parent.name}": sum(tally.files for tally in tallies)}

    def _take_over(self, host: Host, older: TakenOver) -> Tally:
        return host.files.copy_files(older.folder, self.folder, older.files)

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        """The folder goes with the release that it was made for."""
        host.files.remove_tree(self.list.parent)
        return None
