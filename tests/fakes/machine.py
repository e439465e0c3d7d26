"""Who and where the fake process is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from fakes.process import Process
from fakes.tree import Folder, Node, Tree, Who


@dataclass(slots=True)
class MachineState:
    """``tokens`` counts the names used once, so that a run can be repeated exactly. ``lists``: its disk knows ACLs."""

    host_name: str = "server"
    variables: dict[str, str] = field(default_factory=dict)
    tokens: int = 0
    lists: bool = True
    users: set[str] = field(default_factory=lambda: {"root", "deploy", "www-data"})


class FakeMachine:
    """The port ``Machine``; every process has a number of its own."""

    def __init__(self, state: MachineState, user: str, tree: Tree, process: Process) -> None:
        self._state = state
        self._tree = tree
        self._user = user
        self._process = process

    def user(self) -> str:
        return self._user

    def name(self) -> str:
        return self._state.host_name

    def pid(self) -> int:
        return self._process.pid

    def variable(self, name: str) -> str | None:
        return self._state.variables.get(name)

    def token(self) -> str:
        self._state.tokens += 1
        return f"{self._state.tokens:04x}"

    def blocked(self, user: str, path: Path) -> Path | None:
        for folder in reversed(path.parents):
            node = self._folder(folder)
            if node is not None and not Who(user, frozenset({user})).may(node, 1):
                return folder
        return None

    def may_make_files(self, user: str, folder: Path) -> bool:
        node = self._folder(folder)
        return node is None or Who(user, frozenset({user})).may(node, 3)

    def _folder(self, path: Path) -> Node | None:
        try:
            node = self._tree.find(str(path), Who("root"), True)[2]
        except OSError:
            return None
        return node if type(node) is Folder else None
