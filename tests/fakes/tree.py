"""A file system's state in memory: nodes, the way along a path, and what a power cut leaves.

Names and data exist twice: as a running machine sees them, and as they are safe on disk. A change
of names waits in ``pending`` until a folder that it touches is settled (fsync(2)); at a power cut
each waiting change is kept whole or lost whole, at random, as a journalling file system does it.
Data that was not synced is lost, or kept up to a random byte. Modes and owners always survive.
"""

from __future__ import annotations

import copy
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeAlias

_LINKS_AT_MOST = 40  # as Linux has it: path_resolution(7)

Owner: TypeAlias = tuple[str, str]


@dataclass(slots=True, eq=False)
class File:
    """Contents; ``safe`` is what a power cut leaves of them."""

    data: bytes
    mode: int
    owner: Owner
    mtime: int
    safe: bytes = b""
    acl: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Link:
    """A symbolic link."""

    target: str
    owner: Owner
    mtime: int
    mode: int = 0o777


@dataclass(slots=True, eq=False)
class Other:
    """A socket, a pipe, a device: something that is none of the three."""

    mode: int
    owner: Owner
    mtime: int


@dataclass(slots=True, eq=False)
class Folder:
    """Names; ``safe`` are those that a power cut leaves."""

    mode: int
    owner: Owner
    mtime: int
    entries: dict[str, Node] = field(default_factory=dict)
    safe: dict[str, Node] = field(default_factory=dict)
    acl: tuple[str, ...] = ()


Node: TypeAlias = File | Link | Folder | Other
Change: TypeAlias = tuple[tuple[Folder, str, Node | None], ...]


def error(number: int, path: str) -> OSError:
    """The OSError, of the right subclass, that the kernel's number stands for."""
    return OSError(number, os.strerror(number), path)


@dataclass(frozen=True, slots=True)
class Who:
    """Whose rights count. ``groups`` None: a member of every group."""

    user: str
    groups: frozenset[str] | None = None

    def may(self, node: Node, bits: int) -> bool:
        """Whether all of ``bits`` (4 read, 2 write, 1 search) are granted."""
        if self.user == "root":
            return True
        user, group = node.owner
        if user == self.user:
            granted = node.mode >> 6
        elif self.groups is None or group in self.groups:
            granted = node.mode >> 3
        else:
            granted = node.mode
        return granted & bits == bits


class Tree:
    """All nodes from ``/`` on. ``size_limit`` and ``inode_limit`` None: there is always room.

    ``can_exchange`` False: a file system without RENAME_EXCHANGE.
    """

    def __init__(self) -> None:
        self.root = Folder(0o755, ("root", "root"), 0)
        self.pending: list[Change] = []
        self.size_limit: int | None = None
        self.inode_limit: int | None = None
        self.read_only = False
        self.can_exchange = True
        self._stamp = 0

    def stamp(self) -> int:
        """A number that no earlier change got; makes times of change and temporary names unique."""
        self._stamp += 1
        return self._stamp

    def find(self, path: str, who: Who, follow: bool) -> tuple[Folder, str, Node | None]:
        """The folder that holds the last name of ``path``, that name, and what it stands for.

        Links in the middle are followed, one at the end if ``follow``. Raises OSError.
        """
        folder, links = self.root, 0
        above: list[Folder] = []
        todo = path.split("/")[::-1]
        while True:
            part = todo.pop()
            if part in ("", ".", ".."):
                if part == "..":
                    folder = above.pop() if above else self.root
                if not todo:
                    return folder, ".", folder
                continue
            if not who.may(folder, 1):
                raise error(errno.EACCES, path)
            if len(part) > 63 and len(os.fsencode(part)) > 255:
                raise error(errno.ENAMETOOLONG, path)
            node = folder.entries.get(part)
            if type(node) is Link and (todo or follow):
                links += 1
                if links > _LINKS_AT_MOST:
                    raise error(errno.ELOOP, path)
                if node.target.startswith("/"):
                    folder, above = self.root, []
                todo += node.target.split("/")[::-1]
            elif not todo:
                return folder, part, node
            elif type(node) is Folder:
                above.append(folder)
                folder = node
            else:
                raise error(errno.ENOENT if node is None else errno.ENOTDIR, path)

    def change(self, *parts: tuple[Folder, str, Node | None]) -> None:
        """Change names in one stroke; safe when one of the folders is settled."""
        for folder, name, node in parts:
            if node is None:
                folder.entries.pop(name, None)
            else:
                folder.entries[name] = node
        self.pending.append(parts)

    def settle(self, *folders: Folder) -> None:
        """fsync(2) of folders: changes that touch them are safe, with the older ones they rest on."""
        wanted = {id(folder) for folder in folders}
        waiting: list[Change] = []
        safe: list[Change] = []
        for change in reversed(self.pending):
            touched = {id(folder) for folder, _, _ in change}
            if wanted & touched:
                wanted |= touched
                safe.append(change)
            else:
                waiting.append(change)
        for change in reversed(safe):
            _make_safe(change)
        self.pending = waiting[::-1]

    def nodes(self, top: Node | None = None) -> Iterator[Node]:
        """Every node below and with ``top`` (the root), each once, parents first."""
        met: set[int] = set()
        todo: list[Node] = [top or self.root]
        while todo:
            node = todo.pop()
            if id(node) in met:
                continue
            met.add(id(node))
            yield node
            if type(node) is Folder:
                todo.extend(node.entries.values())

    def power_cut(self, chance: Random) -> None:
        """Go back to what is safe, and to what happened to reach the disk."""
        for change in self.pending:
            if chance.random() < 0.5:
                _make_safe(change)
        self.pending = []
        todo = [self.root]
        while todo:
            folder = todo.pop()
            folder.entries = dict(folder.safe)
            for node in folder.entries.values():
                if type(node) is Folder:
                    todo.append(node)
                elif type(node) is File and node.data != node.safe:
                    node.data = node.safe = _torn(node, chance)

    def used(self) -> tuple[int, int]:
        """Bytes and inodes in use."""
        size = inodes = 0
        for node in self.nodes():
            inodes += 1
            size += len(node.data) if type(node) is File else 0
        return size, inodes

    def room(self) -> tuple[int, int]:
        """Bytes and inodes that are left."""
        plenty = 1 << 40
        if self.size_limit is None and self.inode_limit is None:
            return plenty, plenty
        size, inodes = self.used()
        left = plenty if self.size_limit is None else self.size_limit - size
        free = plenty if self.inode_limit is None else self.inode_limit - inodes
        return max(0, left), max(0, free)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tree:
        """By hand: many times faster than field by field, and tests copy worlds by the thousand."""
        twin = copy.copy(self)
        memo[id(self)] = twin
        twins: dict[int, Node] = {}
        twin.root = _twin_folder(self.root, twins)
        twin.pending = [
            tuple((_twin_folder(at, twins), name, node and _twin(node, twins)) for at, name, node in change)
            for change in self.pending
        ]
        return twin


def _make_safe(change: Change) -> None:
    for folder, name, node in change:
        if node is None:
            folder.safe.pop(name, None)
        else:
            folder.safe[name] = node


def _torn(file: File, chance: Random) -> bytes:
    """What was appended may be there in part; what was overwritten is as it was."""
    if not file.data.startswith(file.safe) or chance.random() < 0.5:
        return file.safe
    return file.data[: chance.randint(len(file.safe), len(file.data))]


def _twin(node: Node, twins: dict[int, Node]) -> Node:
    if type(node) is Folder:
        return _twin_folder(node, twins)
    twin = twins.get(id(node))
    if twin is None:
        twin = twins[id(node)] = copy.copy(node)
    return twin


def _twin_folder(folder: Folder, twins: dict[int, Node]) -> Folder:
    known = twins.get(id(folder))
    if isinstance(known, Folder):
        return known
    twin = twins[id(folder)] = Folder(folder.mode, folder.owner, folder.mtime, acl=folder.acl)
    twin.entries = {name: _twin(node, twins) for name, node in folder.entries.items()}
    twin.safe = {name: _twin(node, twins) for name, node in folder.safe.items()}
    return twin
