"""Emptying a site: what its users have made goes aside, and comes back if the run fails."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mcc.core.databases import side_files
from mcc.errors import StepError
from mcc.host.ports import Files, Host
from mcc.model.database import PostgresDatabase
from mcc.model.plan import Facts, Seen
from mcc.steps.putting_back import WAIT, put_kept_back, stop_all

_ALL_ASIDE = "all-aside"


@dataclass(frozen=True, slots=True)
class WipeFiles:
    """Move aside what is in ``folders``, which stay with owner and rights, and single ``databases``.

    ``aside`` is a folder of ours on the same file system; ``stopped`` are services that rest meanwhile. Names
    are moved, never followed: a service's user may have put links there. ``all_databases``: all that the run
    migrates are among what is moved.

    On the way back what was made since goes, and the rest is again what it was, by the same names of the same
    files. A mark in ``aside`` says that all of it was moved: only then is a name that is new the run's own. It
    goes before the first name comes back, since services that a reboot starts may make new names from then on.
    """

    folders: tuple[Path, ...]
    databases: tuple[Path, ...]
    aside: Path
    stopped: tuple[str, ...] = ()
    all_databases: bool = False

    def look(self, host: Host) -> Seen:
        return {str(place): _names(host.files, place) for place in self.folders} | {
            str(path): [each.name for each in _group(path) if host.files.kind(each) != "absent"]
            for path in self.databases
        }

    def do(self, host: Host, seen: Seen) -> Facts | None:
        files = host.files
        files.make_folder(self.aside.parent, 0o700)
        files.make_folder(self.aside, 0o700)
        for place, names in self._places(seen):
            for name in names or ():
                self._move(files, self._folder(place) / name, self._kept(place) / name)
        files.write(self.aside / _ALL_ASIDE, b"", 0o600)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        files = host.files
        if files.kind(self.aside) != "folder":
            return None  # never begun, or back already
        stop_all(host, self.stopped)
        if files.kind(self.aside / _ALL_ASIDE) == "file":
            for place, _ in self._places(seen):
                self._remove_new(files, place, seen)
            files.remove(self.aside / _ALL_ASIDE)
        for place, names in self._places(seen):
            self._bring_back(files, place, names or [])
        files.remove_tree(self.aside)
        return {"databases": "as before", "put back": True} if self.all_databases else None

    def _places(self, seen: Seen) -> Iterator[tuple[Path, list[str] | None]]:
        """Folders and databases with the names that were there; None: not even the folder."""
        return ((place, seen[str(place)]) for place in (*self.folders, *self.databases))

    def _folder(self, place: Path) -> Path:
        return place if place in self.folders else place.parent

    def _kept(self, place: Path) -> Path:
        return self.aside / str((*self.folders, *self.databases).index(place))

    def _move(self, files: Files, path: Path, to: Path) -> None:
        if files.kind(path) == "absent":
            return
        files.make_folder(to.parent, 0o700)
        try:
            files.rename(path, to)
        except OSError as error:
            raise _not_moved(path, error) from error

    def _remove_new(self, files: Files, place: Path, seen: Seen) -> None:
        names = seen[str(place)]
        if names is None:
            _remove(files, place)
        elif place in self.databases:
            for path in _group(place):
                _remove(files, path)
        else:
            for name in files.names(place) if files.kind(place) == "folder" else ():
                _remove(files, place / name)

    def _bring_back(self, files: Files, place: Path, names: list[str]) -> None:
        kept, folder = self._kept(place), self._folder(place)
        away = [name for name in names if files.kind(kept / name) != "absent"]  # the others never went, or are back
        if place in self.databases and place.name in away:
            for path in _group(place):  # of a new one, made by a service that a reboot has started
                if path.name not in names:
                    _remove(files, path)
        for name in away:
            _remove(files, folder / name)
            files.rename(kept / name, folder / name)


@dataclass(frozen=True, slots=True)
class LetGo:
    """Give what went aside a name that says that it may be removed. It stands behind the commit.

    By its first name it may be all that is left of users' data, if somebody removed the journal that would bring it
    back; so only what has the other name is ever a leftover.
    """

    aside: Path
    gone: Path

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        if host.files.kind(self.aside) == "folder":
            host.files.rename(self.aside, self.gone)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None


@dataclass(frozen=True, slots=True)
class EmptyDatabase:
    """Empty a schema, or a whole database of PostgreSQL, in one transaction.

    On the way back it becomes what the set ``kept`` says that it was, with the services ``stopped``.
    """

    undone_once: ClassVar[bool] = True
    target: PostgresDatabase
    kept: Path
    scratch: Path
    stopped: tuple[str, ...] = ()

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        host.clones.empty(self.target, WAIT, self.scratch)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        stop_all(host, self.stopped)
        return {"databases": put_kept_back(host, self.target, self.kept)}


def _names(files: Files, folder: Path) -> list[str] | None:
    kind = files.kind(folder)
    if kind not in ("absent", "folder"):
        raise StepError(f"{folder} is a {kind}, not a folder", help="move it away")
    return files.names(folder) if kind == "folder" else None


def _group(database: Path) -> tuple[Path, ...]:
    """The file last: beside a file of its name nobody takes the side files for those of a new one."""
    return (*side_files(database), database)


def _remove(files: Files, path: Path) -> None:
    if files.kind(path) == "folder":
        files.remove_tree(path)
    else:
        files.remove(path)


def _not_moved(path: Path, error: OSError) -> StepError:
    if error.errno == errno.EXDEV:
        return StepError(f"{path} cannot be moved aside: it is on another file system, or of a layer below")
    help = "" if error.errno != errno.EACCES else f"as root: chmod -R g+rwX {path.parent}"
    return StepError(f"{path} cannot be moved aside: {error.strerror}", help=help)
