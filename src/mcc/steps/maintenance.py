"""Sending visitors to a page while the site rests: a file that the web server looks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mcc.core.maintenance import UNAVAILABLE, is_ours, plain_page
from mcc.errors import StepError
from mcc.host.ports import Answer, Files, Host
from mcc.host.temporaries import sweep
from mcc.model.plan import MAY_HOLD_SECRETS, Facts, Seen
from mcc.steps.asking import at_once

_MODE, _FOLDER_MODE = 0o644, 0o755  # the web server reads, and nobody but the deploy user writes
_BEFORE, _FOLDER = "before", "folder"


@dataclass(frozen=True, slots=True)
class PlacePage:
    """Place what visitors see while the site rests: a file of the output, or the plain page.

    ``source`` None: the plain page, unless there is one that is not ours. ``refresh`` is in seconds.
    """

    page: Path
    source: Path | None
    refresh: int

    def look(self, host: Host) -> Seen:
        return _look(host.files, self.page)

    def do(self, host: Host, seen: Seen) -> Facts | None:
        wanted = plain_page(self.refresh) if self.source is None else host.files.read(self.source)
        had = seen[_BEFORE]
        if had != wanted and (self.source is not None or had is None or is_ours(had)):
            _make_folder(host.files, self.page.parent)
            host.files.write(self.page, wanted, _MODE)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        _put_back(host.files, self.page, seen)
        return None


@dataclass(frozen=True, slots=True)
class BeginMaintenance:
    """Make the switch; one that is there already stays as it is, and is not taken away again by the undo."""

    switch: Path
    text: str

    def look(self, host: Host) -> Seen:
        return _look(host.files, self.switch)

    def do(self, host: Host, seen: Seen) -> Facts | None:
        if seen[_BEFORE] is None:
            _make_folder(host.files, self.switch.parent)
            host.files.write(self.switch, self.text.encode(), _MODE)
        return {"code": "in maintenance"}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        _put_back(host.files, self.switch, seen)
        return {"code": ""}


@dataclass(frozen=True, slots=True)
class EndMaintenance:
    """Take the switch away; the page stays, for the next time."""

    switch: Path

    def look(self, host: Host) -> Seen:
        return _look(host.files, self.switch)

    def do(self, host: Host, seen: Seen) -> Facts | None:
        if host.files.kind(self.switch) in ("file", "link"):
            host.files.remove(self.switch)
        return {"code": "not in maintenance"}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        _put_back(host.files, self.switch, seen)
        return {"code": ""}


@dataclass(frozen=True, slots=True)
class LookForMaintenance:
    """Ask as a visitor does whether the page shows; if not, that is a warning: the switch alone does nothing.

    ``timeout``: seconds that each address has. ``some_pass``: this machine may be among those that pass.
    """

    urls: tuple[str, ...] = field(metadata={MAY_HOLD_SECRETS: True})
    timeout: float
    some_pass: bool = False

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        answers = at_once(self.urls, lambda url: host.http.get(url, self.timeout))
        silent = [answer for answer in answers if not answer.status]
        open_ones = [answer for answer in answers if answer.status not in (0, UNAVAILABLE)]
        if silent:
            host.listener.warn(f"{_first(silent)} does not answer, so that nobody knows what shows: {silent[0].reason}")
        if open_ones:
            why = "either this machine is among MAINTENANCE_ALLOW, or " if self.some_pass else ""
            host.listener.warn(
                f"{_first(open_ones)} answers {open_ones[0].status}, not {UNAVAILABLE}: {why}"
                "the web server does not look for the switch; mcc provision --only nginx lets it"
            )
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None


def _first(answers: Sequence[Answer]) -> str:
    return f"{answers[0].url} (and {len(answers) - 1} more)" if len(answers) > 1 else answers[0].url


def _look(files: Files, path: Path) -> Seen:
    kind = files.kind(path)
    if kind not in ("absent", "file"):
        raise StepError(f"{path} is a {kind}, not a file", help="move it away")
    return {_BEFORE: files.read(path) if kind == "file" else None, _FOLDER: files.kind(path.parent)}


def _make_folder(files: Files, folder: Path) -> None:
    if files.kind(folder) not in ("absent", "folder"):
        raise StepError(f"{folder} is a {files.kind(folder)}, not a folder", help="move it away")
    files.make_folder(folder, _FOLDER_MODE)


def _put_back(files: Files, path: Path, seen: Seen) -> None:
    folder, before = path.parent, seen[_BEFORE]
    sweep(files, folder)
    if before is None:
        files.remove(path)
    elif files.kind(path) != "file" or files.read(path) != before:
        _make_folder(files, folder)  # gone, if an older undo went through where this one had failed
        files.write(path, before, _MODE)
    if seen[_FOLDER] == "absent" and files.kind(folder) == "folder" and not files.names(folder):
        files.remove_tree(folder)
