"""The port ``Rights`` over the tree in memory."""

from __future__ import annotations

import errno
from pathlib import Path

from fakes.files import FakeFiles
from fakes.machine import MachineState
from fakes.tree import File, Folder, Who, error
from mcc.core.acl import canonical
from mcc.host.ports import Access


class FakeRights:
    """Lists are kept and told, and decide nothing: :class:`fakes.tree.Who` goes by the mode."""

    def __init__(self, files: FakeFiles, machine: MachineState) -> None:
        self._files = files
        self._machine = machine

    def look(self, path: Path) -> Access | None:
        if self._files.kind(path) == "absent":
            return None
        node = self._files.node(path)
        acl = node.acl if isinstance(node, File | Folder) else ()
        return Access(*node.owner, node.mode, acl)

    def supported(self, path: Path) -> bool:
        return self._machine.lists

    def knows(self, user: str) -> bool:
        return user in self._machine.users

    def knows_group(self, group: str) -> bool:
        return group in self._machine.users

    def set(self, path: Path, access: Access) -> None:
        self._files.process.breathe()
        node = self._files.node(path)
        if not isinstance(node, File | Folder):
            raise error(errno.ELOOP, str(path))
        if self._files.who not in (Who("root"), Who(node.owner[0], self._files.who.groups)):
            raise error(errno.EPERM, str(path))
        self._files.process.tick("rights", str(path))
        if self._files.who.groups is None or access.group in self._files.who.groups:
            node.owner = (node.owner[0], access.group)
        node.mode, node.acl = access.mode, canonical(access.acl)
