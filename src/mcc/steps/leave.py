"""Giving a site back to the script that it came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mcc.core import ledger
from mcc.core.cron import crontab
from mcc.errors import StepError
from mcc.host.environments import MARKER
from mcc.host.lines import append_line
from mcc.host.ports import Files, Host
from mcc.host.temporaries import sweep
from mcc.model.plan import Facts, Seen
from mcc.steps.exchanging import change_places, link_back

_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class CopyEnvironment:
    """Copy an environment to ``target``, as one that was made at ``place``: its scripts name their interpreter by that.

    What in it names its own path are the files in ``bin``; bytecode is left out, it is made anew.
    """

    stays_while_stuck: ClassVar[bool] = True
    source: Path
    target: Path
    place: Path

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        host.files.remove_tree(self.target)
        tally = host.files.copy_tree(self.source, self.target, skip=("__pycache__", MARKER))
        self._name_place(host.files)
        host.files.sync(self.target)
        return {"environment": f"{tally.files} files"}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        if host.files.kind(self.target) == "folder":
            host.files.remove_tree(self.target)
        return None

    def _name_place(self, files: Files) -> None:
        ours, theirs = str(self.source).encode(), str(self.place).encode()
        for entry in files.walk(self.target / "bin"):
            path = self.target / "bin" / entry.path
            text = files.read(path) if entry.kind == "file" and entry.size <= _LARGEST else b""
            if ours in text:
                files.write(path, text.replace(ours, theirs), entry.mode)


@dataclass(frozen=True, slots=True)
class GiveEnvironment:
    """Put a real environment, now at ``folder``, in the place of the link to one; the link moves there."""

    place: Path
    folder: Path

    def look(self, host: Host) -> Seen:
        kind = host.files.kind(self.place)
        return {"kind": kind, "target": host.files.read_link(self.place) if kind == "link" else ""}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        if seen["kind"] != "link":
            raise StepError(f"{self.place} was changed by someone else meanwhile", help="look at it, then try again")
        change_places(host, self.place, self.folder)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        if seen["kind"] == "link":
            for folder in (self.place.parent, self.folder.parent):
                sweep(host.files, folder)
            link_back(host, self.place, self.folder, seen["target"])
        return None


@dataclass(frozen=True, slots=True)
class PlainCron:
    """Put the plain lines of ``file`` in the place of the site's block. It stands behind the commit.

    Until then the block has the line that recovers a dead run after a reboot. The lines may hold secrets, so that they
    stand in no journal.
    """

    site: Path
    file: Path

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        with host.crontab.alone():
            now = host.crontab.read()
            if crontab.block_of(now, self.site) is not None:
                lines = host.files.read(self.file).splitlines()
                host.crontab.write(crontab.with_plain_lines(now, self.site, lines))
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None


@dataclass(frozen=True, slots=True)
class RecordLeft:
    """Say in the ledger that nothing of mcc's is live any more; once, however often this runs."""

    path: Path
    run: str

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        if not ledger.read(host.files.read(self.path)).left:
            now = host.clock.now().isoformat(timespec="seconds")
            append_line(host.files, self.path, ledger.left_line(now, self.run), 0o644)
        return {"code": "given back to the script"}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None
