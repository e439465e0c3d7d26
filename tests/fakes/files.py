"""The port ``Files`` over a tree in memory."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from fakes.clock import Time
from fakes.process import Process
from fakes.tree import File, Folder, Link, Node, Other, Owner, Tree, Who, error
from mcc.host.ports import Entry, Kind, Space, Tally

TEMPORARY = ".mcc-tmp"
"""How the names end that a killed write leaves behind."""

_KINDS: dict[type, Kind] = {File: "file", Folder: "folder", Link: "link", Other: "other"}


class FakeFiles:
    """Behaves as the real one does on Linux, for the user ``who``.

    Effects tick when they would change something. One that puts a name in place ticks three times:
    before, with the temporary name made, and renamed but not yet safe from a power cut. A rename,
    a link, a written or a removed file is safe when the method returns; a copied tree is not
    before :meth:`sync`.
    """

    def __init__(self, tree: Tree, process: Process, who: Who, time: Time) -> None:
        self.tree = tree
        self.process = process
        self.who = who
        self._time = time

    # looking

    def kind(self, path: Path) -> Kind:
        try:
            node = self.tree.find(str(path), self.who, False)[2]
        except (FileNotFoundError, NotADirectoryError):
            return "absent"
        return "absent" if node is None else _KINDS[type(node)]

    def read_link(self, path: Path) -> str:
        node = self._node(path, follow=False)
        if type(node) is not Link:
            raise error(errno.EINVAL, str(path))
        return node.target

    def read(self, path: Path, limit: int | None = None, offset: int = 0) -> bytes:
        data = self._file(path).data
        return data[offset:] if limit is None else data[offset : offset + limit]

    def size(self, path: Path) -> int:
        return _size(self._node(path, follow=False))

    def names(self, folder: Path) -> list[str]:
        try:
            return sorted(self._folder(folder).entries)
        except FileNotFoundError:
            return []

    def walk(self, folder: Path, skip: Collection[str] = ()) -> Iterator[Entry]:
        return self._walk(self._folder(folder), "", skip)

    def space(self, path: Path) -> Space:
        return Space(*self.tree.room())

    def may_write(self, path: Path) -> bool:
        try:
            node = self._node(path)
        except OSError:
            return False
        return not self.tree.read_only and self.who.may(node, 3 if isinstance(node, Folder) else 2)

    def owner(self, path: Path) -> Owner:
        """User and group; not part of the port."""
        return self._node(path, follow=False).owner

    def mode(self, path: Path) -> int:
        """Permission bits; not part of the port."""
        return self._node(path, follow=False).mode

    def identity(self, path: Path) -> str:
        """What a path leads to at the end of all links, as a name; empty if there is nothing."""
        try:
            return str(id(self._node(path, follow=True)))
        except OSError:
            return ""

    def node(self, path: Path) -> Node:
        """What stands at a path, links not followed; not part of the port."""
        return self._node(path, follow=False)

    def scribble(self, path: Path, data: bytes, mode: int = 0o644, *, synced: bool = False) -> None:
        """Write in place, as other programs do: the file stays itself. No tick; not part of the port."""
        folder, name, node = self.tree.find(str(path), self.who, True)
        if type(node) is File:
            if self.tree.read_only or not self.who.may(node, 2):
                raise error(errno.EROFS if self.tree.read_only else errno.EACCES, str(path))
            self._check_room(len(data) - len(node.data), 0, path)
            node.data, node.mtime = data, self._now()
        else:
            self._check_writable(folder, path)
            node = self._new_file(folder, data, mode)
            self._create(folder, name, node, path)
        if synced:
            node.safe = node.data
            self.tree.settle(folder)

    # effects

    def make_folder(self, path: Path, mode: int = 0o755) -> None:
        self.process.breathe()
        node = self._maybe(path)
        if type(node) is Folder:
            return
        if path.parent != path:
            self.make_folder(path.parent, mode)
        folder, name, there = self.tree.find(str(path), self.who, False)
        if there is not None:
            raise error(errno.ENOTDIR, str(path))
        self._check_writable(folder, path)
        self._tick("make_folder", path)
        self._create(folder, name, self._new_folder(folder, mode), path)
        self._tick("make_folder: made", path)
        self.tree.settle(folder)

    def copy_tree(self, source: Path, target: Path, skip: Collection[str] = ()) -> Tally:
        if type(self._maybe(target)) is not Folder:
            folder, name, there = self.tree.find(str(target), self.who, False)
            if there is not None:
                raise error(errno.EEXIST, str(target))
            self._check_writable(folder, target)
            self._tick("copy_tree", target)
            self._create(folder, name, self._new_folder(folder, 0o755), target)
        return self._copy(self._folder(source), self._folder(target), target, skip)

    def copy_files(self, source: Path, target: Path, names: Collection[str]) -> Tally:
        copied = []
        for name in names:
            self.process.breathe()
            if self.kind(source / name) == "absent":
                continue
            if type(self._node(source / name, follow=False)) is Link:
                raise error(errno.ELOOP, str(source / name))
            file = self._file(source / name)
            self.make_folder((target / name).parent)
            folder, last, there = self.tree.find(str(target / name), self.who, False)
            if there is None:
                self._check_writable(folder, target / name)
                self._copy_data(file, folder, last, target / name)
                copied.append(len(file.data))
        return Tally(len(copied), sum(copied))

    def copy_file(self, source: Path, target: Path, mode: int | None = None) -> None:
        self.process.breathe()
        if type(self._node(source)) is Folder:
            self._put("copy_file", target, lambda folder: self._file(source))  # only a read finds out
        file = self._file(source)
        self._put("copy_file", target, lambda folder: self._new_file(folder, file.data, _or(mode, file.mode)))

    def write(self, path: Path, data: bytes, mode: int = 0o644) -> None:
        self.process.breathe()
        self._put("write", path, lambda folder: self._new_file(folder, bytes(data), mode))

    def link(self, path: Path, target: str) -> None:
        self.process.breathe()
        if not target:
            raise error(errno.ENOENT, str(path))
        self._put("link", path, lambda folder: Link(target, self._owner_in(folder), self._now()))

    def append(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        self.process.breathe()
        folder, name, node = self.tree.find(str(path), self.who, True)
        if node is None:
            self._check_writable(folder, path)
        elif type(node) is not File:
            raise error(errno.EISDIR if type(node) is Folder else errno.ENXIO, str(path))
        elif self.tree.read_only or not self.who.may(node, 2):
            raise error(errno.EROFS if self.tree.read_only else errno.EACCES, str(path))
        self._tick("append", path)
        if node is None:
            node = self._new_file(folder, b"", mode)
            self._create(folder, name, node, path)
        self._extend(node, bytes(data), path)
        self.tree.settle(folder)

    def hard_link(self, source: Path, target: Path) -> None:
        self.process.breathe()
        node = self._node(source, follow=False)
        folder, name, there = self.tree.find(str(target), self.who, False)
        if there is not None:
            return
        if type(node) is Folder:
            raise error(errno.EPERM, str(source))
        self._check_writable(folder, target)
        self._tick("hard_link", target)
        self.tree.change((folder, name, node))
        self._tick("hard_link: made", target)
        self.tree.settle(folder)

    def rename(self, source: Path, target: Path) -> None:
        self.process.breathe()
        old, old_name, node = self.tree.find(str(source), self.who, False)
        new, new_name, there = self.tree.find(str(target), self.who, False)
        if node is None:
            raise error(errno.ENOENT, str(source))
        self._check_rename(node, there, new, target)
        self._check_writable(old, source)
        self._check_writable(new, target)
        if node is there:
            return
        self._tick("rename", target)
        self.tree.change((old, old_name, None), (new, new_name, node))
        self._tick("rename: renamed", target)
        self.tree.settle(new, old)

    def exchange(self, first: Path, second: Path) -> None:
        self.process.breathe()
        one, one_name, node = self.tree.find(str(first), self.who, False)
        two, two_name, other = self.tree.find(str(second), self.who, False)
        if node is None or other is None:
            raise error(errno.ENOENT, str(first))
        within = any(below is two for below in self.tree.nodes(node)) or any(
            below is one for below in self.tree.nodes(other)
        )
        if not self.tree.can_exchange or within:
            raise error(errno.EINVAL, str(first))
        self._check_writable(one, first)
        self._check_writable(two, second)
        for each, path in ((node, first), (other, second)):
            if type(each) is Folder and one is not two and not self.who.may(each, 2):
                raise error(errno.EACCES, str(path))  # its .. changes
        self._tick("exchange", first)
        self.tree.change((one, one_name, other), (two, two_name, node))
        self._tick("exchange: exchanged", first)
        self.tree.settle(one, two)

    def chmod(self, path: Path, mode: int) -> None:
        self.process.breathe()
        node = self._node(path)
        if self.tree.read_only:
            raise error(errno.EROFS, str(path))
        if self.who.user not in ("root", node.owner[0]):
            raise error(errno.EPERM, str(path))
        self._tick("chmod", path)
        node.mode = mode

    def remove(self, path: Path) -> None:
        self.process.breathe()
        try:
            folder, name, node = self.tree.find(str(path), self.who, False)
        except (FileNotFoundError, NotADirectoryError):
            return
        if node is None:
            return
        if type(node) is Folder:
            raise error(errno.EISDIR, str(path))
        self._check_writable(folder, path)
        self._tick("remove", path)
        self.tree.change((folder, name, None))
        self._tick("remove: removed", path)
        self.tree.settle(folder)

    def remove_tree(self, path: Path) -> None:
        self.process.breathe()
        if self.kind(path) == "absent":
            return
        folder, name, node = self.tree.find(str(path), self.who, False)
        if type(node) is not Folder:
            raise error(errno.ENOTDIR, str(path))
        self._remove_below(node, path)
        self._remove_name(folder, name, path)
        self._tick("remove_tree: removed", path)
        self.tree.settle(folder)

    def sync(self, folder: Path) -> None:
        self.process.breathe()
        node = self._folder(folder)
        self._tick("sync", folder)
        folders = [self.tree.find(str(folder), self.who, False)[0]]
        for below in self.tree.nodes(node):
            if type(below) is File:
                below.safe = below.data
            elif type(below) is Folder:
                folders.append(below)
        self.tree.settle(*folders)

    # what they are made of

    def _tick(self, what: str, path: Path) -> None:
        self.process.tick(what, str(path))

    def _now(self) -> int:
        return self._time.nanoseconds() + self.tree.stamp()

    def _node(self, path: Path, follow: bool = True) -> Node:
        node = self.tree.find(str(path), self.who, follow)[2]
        if node is None:
            raise error(errno.ENOENT, str(path))
        return node

    def _maybe(self, path: Path) -> Node | None:
        """What a path stands for, links followed; None for whatever reason."""
        try:
            return self.tree.find(str(path), self.who, True)[2]
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as problem:
            if problem.errno == errno.ELOOP:
                return None
            raise

    def _folder(self, path: Path) -> Folder:
        node = self._node(path)
        if type(node) is not Folder:
            raise error(errno.ENOTDIR, str(path))
        if not self.who.may(node, 4):
            raise error(errno.EACCES, str(path))
        return node

    def _file(self, path: Path) -> File:
        node = self._node(path)
        if type(node) is not File:
            raise error(errno.EISDIR if type(node) is Folder else errno.ENXIO, str(path))
        if not self.who.may(node, 4):
            raise error(errno.EACCES, str(path))
        return node

    def _owner_in(self, folder: Folder) -> Owner:
        """Files of a set-gid folder get its group: inode(7)."""
        return (self.who.user, folder.owner[1] if folder.mode & 0o2000 else self.who.user)

    def _new_file(self, folder: Folder, data: bytes, mode: int) -> File:
        return File(data, mode, self._owner_in(folder), self._now())

    def _new_folder(self, folder: Folder, mode: int) -> Folder:
        return Folder(mode, self._owner_in(folder), self._now())

    def _check_writable(self, folder: Folder, path: Path) -> None:
        if self.tree.read_only:
            raise error(errno.EROFS, str(path))
        if not self.who.may(folder, 3):
            raise error(errno.EACCES, str(path))

    def _check_room(self, size: int, inodes: int, path: Path) -> None:
        if self.tree.size_limit is None and self.tree.inode_limit is None:
            return
        left, free = self.tree.room()
        if size > left or inodes > free:
            raise error(errno.ENOSPC, str(path))

    def _create(self, folder: Folder, name: str, node: Node, path: Path) -> None:
        self._check_room(len(node.data) if type(node) is File else 0, 1, path)
        self.tree.change((folder, name, node))

    def _put(self, what: str, path: Path, make: Callable[[Folder], Node]) -> None:
        """Under a name used once, synced, then renamed."""
        folder, name, _ = self.tree.find(str(path), self.who, False)
        self._check_writable(folder, path)
        self._tick(what, path)
        node = make(folder)
        temporary = f".{name[:60]}.{self.tree.stamp():012x}{TEMPORARY}"
        self._create(folder, temporary, node, path)
        try:
            self._tick(f"{what}: temporary made", path)
            if type(folder.entries.get(name)) is Folder:
                raise error(errno.EISDIR, str(path))
        except Exception:
            self.tree.change((folder, temporary, None))
            raise
        if type(node) is File:
            node.safe = node.data
        self.tree.change((folder, temporary, None), (folder, name, node))
        self._tick(f"{what}: renamed", path)
        self.tree.settle(folder)

    def _extend(self, file: File, data: bytes, path: Path) -> None:
        """Write behind the end; a failure takes back what was written."""
        was = file.data
        try:
            self._check_room(len(data), 0, path)
            file.data = was + data
            self._tick("append: written", path)
        except Exception:
            file.data = was
            raise
        file.mtime = self._now()
        file.safe = file.data

    def _check_rename(self, node: Node, there: Node | None, new: Folder, target: Path) -> None:
        """What rename(2) refuses."""
        if type(node) is Folder:
            if any(below is new for below in self.tree.nodes(node)):
                raise error(errno.EINVAL, str(target))
            if type(there) is Folder and there.entries and there is not node:
                raise error(errno.ENOTEMPTY, str(target))
            if there is not None and type(there) is not Folder:
                raise error(errno.ENOTDIR, str(target))
        elif type(there) is Folder:
            raise error(errno.EISDIR, str(target))

    def _copy(self, source: Folder, target: Folder, path: Path, skip: Collection[str]) -> Tally:
        files = size = 0
        for name, node in sorted(source.entries.items()):
            if name in skip or type(node) is Other:
                continue
            there = path / name
            self._check_writable(target, there)
            if type(node) is Folder:
                tally = self._copy_folder(node, target, name, there, skip)
                files, size = files + tally.files, size + tally.bytes
            elif type(node) is Link:
                self._copy_link(node, target, name, there)
            elif type(node) is File:
                self._copy_data(node, target, name, there)
                files, size = files + 1, size + len(node.data)
        return Tally(files, size)

    def _copy_folder(self, node: Folder, target: Folder, name: str, path: Path, skip: Collection[str]) -> Tally:
        if not self.who.may(node, 5):
            raise error(errno.EACCES, str(path))
        made = target.entries.get(name)
        if type(made) is not Folder:
            self._tick("copy_tree: folder", path)
            self._clear_way(target, name, path, Link)
            made = self._new_folder(target, 0o755)
            self._create(target, name, made, path)
        tally = self._copy(node, made, path, skip)
        made.mode = node.mode | 0o755
        return tally

    def _copy_link(self, node: Link, target: Folder, name: str, path: Path) -> None:
        self._tick("copy_tree: link", path)
        self._clear_way(target, name, path, Link, File, Other)
        self._create(target, name, Link(node.target, self._owner_in(target), self._now()), path)

    def _copy_data(self, node: File, target: Folder, name: str, path: Path) -> None:
        """A file of its own, so that other names of what was there are left alone."""
        if not self.who.may(node, 4):
            raise error(errno.EACCES, str(path))
        self._tick("copy_tree: file", path)
        self._clear_way(target, name, path, Link, File, Other)
        made = self._new_file(target, b"", 0o600)
        self._create(target, name, made, path)
        self._check_room(len(node.data), 0, path)
        made.data = node.data[: len(node.data) // 2]
        self._tick("copy_tree: half a file", path)
        made.data = node.data
        made.mode = node.mode | 0o644

    def _clear_way(self, folder: Folder, name: str, path: Path, *kinds: type) -> None:
        there = folder.entries.get(name)
        if there is None:
            return
        if type(there) not in kinds:
            raise error(errno.EISDIR if type(there) is Folder else errno.ENOTDIR, str(path))
        self.tree.change((folder, name, None))

    def _remove_below(self, node: Folder, path: Path) -> None:
        if not self.who.may(node, 5):
            raise error(errno.EACCES, str(path))
        for name in sorted(node.entries):
            there, below = path / name, node.entries[name]
            if type(below) is Folder:
                self._remove_below(below, there)
            self._remove_name(node, name, there)

    def _remove_name(self, folder: Folder, name: str, path: Path) -> None:
        self._check_writable(folder, path)
        self._tick("remove_tree", path)
        self.tree.change((folder, name, None))

    def _walk(self, folder: Folder, below: str, skip: Collection[str]) -> Iterator[Entry]:
        for name, node in sorted(folder.entries.items()):
            if name in skip:
                continue
            target = node.target if type(node) is Link else ""
            yield Entry(below + name, _KINDS[type(node)], _size(node), node.mode, node.mtime, target)
            if type(node) is Folder:
                if not self.who.may(node, 5):
                    raise error(errno.EACCES, below + name)
                yield from self._walk(node, f"{below}{name}/", skip)


def _size(node: Node) -> int:
    if type(node) is File:
        return len(node.data)
    return len(os.fsencode(node.target)) if type(node) is Link else 4096 if type(node) is Folder else 0


def _or(mode: int | None, other: int) -> int:
    return other if mode is None else mode
