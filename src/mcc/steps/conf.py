"""The conf that a release was deployed with, kept in the site for commands that have no output folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.host.ports import Host
from mcc.host.temporaries import sweep
from mcc.model.plan import Facts, Seen


@dataclass(frozen=True, slots=True)
class KeepConf:
    """Copy the file as it is written: placeholders stay placeholders, and only this user can read it."""

    source: Path
    target: Path

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        host.files.make_folder(self.target.parent, 0o700)
        host.files.copy_file(self.source, self.target, 0o600)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        """The name is the release's own: nobody else has a file there."""
        host.files.remove(self.target)
        if host.files.kind(self.target.parent) == "folder":
            sweep(host.files, self.target.parent)
        return None
