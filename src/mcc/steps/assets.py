"""Hashed files of older front ends in a new one, so that pages that are open go on working."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mcc.core.assets import Listed, to_json
from mcc.host.assets import listed_assets
from mcc.host.ports import Host, Tally
from mcc.host.temporaries import sweep
from mcc.model.plan import Facts, Seen

_ANOTHERS = (errno.ELOOP, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENXIO)


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
        """What a service's user has put in the place of an old file keeps nobody from deploying."""
        try:
            return host.files.copy_files(older.folder, self.folder, older.files)
        except OSError as problem:
            if problem.errno not in _ANOTHERS:
                raise
            words = f"pages of {older.folder.name} that are open may miss files: {problem.strerror}"
            host.listener.warn(f"{words} ({problem.filename})" if problem.filename else words)
            return Tally(0, 0)

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        """The folder goes with the release that it was made for."""
        host.files.remove_tree(self.list.parent)
        return None


@dataclass(frozen=True, slots=True)
class LendAssets:
    """Bring hashed files of newer releases into an older one that comes live again, and write them down.

    What is there stays as it is. Each file comes in one rename, since the folder may be live by then. Nobody's way
    back hangs on them: what cannot be copied is a warning.
    """

    folder: Path
    list: Path
    others: tuple[TakenOver, ...]

    def look(self, host: Host) -> Seen:
        names = [name for each in self.others for name in each.files]
        kinds = {name: host.files.kind(self.folder / name) for name in _with_folders(names)}
        blocked = {name for name, kind in kinds.items() if kind not in ("absent", "folder")}  # never through a link
        new = [name for name in names if kinds[name] == "absent" and not blocked & {*_with_folders([name])}]
        missing = [name for name in _with_folders(new) if kinds[name] == "absent" and name not in new]
        there = host.files.kind(self.list) == "file"
        return {"new": new, "folders": missing, **({"list": host.files.read(self.list)} if there else {})}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        try:
            self._sweep(host, seen)  # behind the commit a run that died goes on here, with no undo before it
            self._write_down(host)
            copied = sum(self._copy(host, name, source) for name, source in self._sources(seen))
            host.files.sync(self.folder)
        except OSError as problem:
            words = f"pages of newer releases that are open may miss files: {problem.strerror or problem}"
            host.listener.warn(f"{words} ({problem.filename})" if problem.filename else words)
            return None
        return {f"newer files in {self.folder.parent.name}": copied} if copied else None

    def _write_down(self, host: Host) -> None:
        listed = listed_assets(host.files, self.folder, self.list)
        others = {each.folder.name: each.files for each in self.others}
        host.files.make_folder(self.list.parent, 0o700)
        host.files.write(self.list, to_json(Listed(listed.own, {**listed.older, **others})), 0o600)

    def _sources(self, seen: Seen) -> Iterator[tuple[str, Path]]:
        new = set(seen["new"])
        yield from ((name, each.folder / name) for each in self.others for name in each.files if name in new)

    def _copy(self, host: Host, name: str, source: Path) -> int:
        if host.files.kind(source) != "file":
            return 0
        target = self.folder / name
        host.files.make_folder(target.parent)
        host.files.copy_file(source, target)
        return 1

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        for name in seen["new"]:
            host.files.remove(self.folder / name)
        self._sweep(host, seen)
        for name in reversed(seen["folders"]):
            if host.files.kind(self.folder / name) == "folder" and not host.files.names(self.folder / name):
                host.files.remove_tree(self.folder / name)
        self._put_list_back(host, seen)
        return None

    def _sweep(self, host: Host, seen: Seen) -> None:
        """What a copy that was killed has left, beside the files and beside the list."""
        for folder in dict.fromkeys([*((self.folder / name).parent for name in seen["new"]), self.list.parent]):
            sweep(host.files, folder)

    def _put_list_back(self, host: Host, seen: Seen) -> None:
        if "list" in seen:
            host.files.write(self.list, seen["list"], 0o600)
        elif host.files.kind(self.list.parent) == "folder":
            host.files.remove(self.list)
            sweep(host.files, self.list.parent)
            if not host.files.names(self.list.parent):
                host.files.remove_tree(self.list.parent)


def _with_folders(names: Iterable[str]) -> tuple[str, ...]:
    """The names with all folders above them, from the outermost on."""
    return tuple(
        dict.fromkeys(
            str(path) for name in names for path in (*reversed(PurePosixPath(name).parents[:-1]), PurePosixPath(name))
        )
    )
