"""Commands as root on the fake machine: ``chown`` and ``chmod`` really change its files."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fakes.process import Process
from fakes.tree import Folder, Link, Node, Tree, Who
from mcc.errors import CommandFailed
from mcc.host.ports import Completed

_ROOT = Who("root")
_BITS = {"r": 4, "w": 2, "x": 1}
_SHIFT = {"u": 6, "g": 3, "o": 0}


@dataclass(slots=True)
class SudoState:
    """``allowed`` None: everything. ``does``: what other programs do, by their bare name."""

    allowed: set[tuple[str, ...]] | None = None
    does: dict[str, Callable[[tuple[str, ...]], tuple[int, str]]] = field(default_factory=dict)
    calls: list[tuple[str, ...]] = field(default_factory=list)


class FakeSudo:
    """The port ``Sudo``. ``systemctl`` is left to what ``does`` holds."""

    def __init__(self, state: SudoState, tree: Tree, process: Process) -> None:
        self._state = state
        self._tree = tree
        self._process = process

    def allows(self, words: Sequence[str]) -> bool:
        return self._state.allowed is None or tuple(words) in self._state.allowed

    def run(self, words: Sequence[str], *, timeout: float = 120.0) -> Completed:
        said = tuple(words)
        self._process.tick("sudo", " ".join(said), _failure)
        self._state.calls.append(said)
        if not self.allows(said):
            return Completed(said, 1, "sudo: a password is required\n")
        code, output = self._do(said)
        self._process.tick("sudo: ended", " ".join(said), _failure)
        return Completed(said, code, output, output.encode())

    def _do(self, words: tuple[str, ...]) -> tuple[int, str]:
        program = Path(words[0]).name
        if program in self._state.does:
            return self._state.does[program](words)
        if program not in ("chown", "chmod"):
            return 0, ""
        options = [word for word in words[1:] if word.startswith("-") and len(word) > 1]
        what, *paths = (word for word in words[1:] if word not in options)
        change = _owner_change(what) if program == "chown" else _mode_change(what)
        deep = any("R" in option for option in options if not option.startswith("--"))
        return self._change(paths, change, deep, program == "chown")

    def _change(
        self, paths: Sequence[str], change: Callable[[Node], None], deep: bool, links_too: bool
    ) -> tuple[int, str]:
        """``chown -R`` stops at a link and changes it; ``chmod -R`` enters one that it is given."""
        for path in paths:
            try:
                top = self._tree.find(path, _ROOT, not (links_too and deep))[2]
            except OSError:
                top = None
            if top is None:
                return 1, f"cannot access '{path}': No such file or directory\n"
            nodes = list(self._tree.nodes(top)) if deep else [top]
            for number, node in enumerate(nodes):
                if number == len(nodes) // 2:
                    self._process.tick("sudo: half-way", path, _failure)
                if links_too or type(node) is not Link:
                    change(node)
        return 0, ""


def _owner_change(what: str) -> Callable[[Node], None]:
    user, _, group = what.partition(":")

    def change(node: Node) -> None:
        node.owner = (user or node.owner[0], group or node.owner[1])

    return change


def _mode_change(what: str) -> Callable[[Node], None]:
    """An octal mode, or symbolic ones such as ``g+rwX,o-w``: chmod(1)."""
    if re.fullmatch(r"[0-7]+", what):
        mode = int(what, 8)
        return lambda node: _set_mode(node, mode)
    parts = [re.fullmatch(r"([ugoa]*)([-+=])([rwxXst]*)", part) for part in what.split(",")]

    def change(node: Node) -> None:
        for part in parts:
            assert part is not None, f"chmod: not understood: {what}"
            _set_mode(node, _symbolic(node, *part.groups()))

    return change


def _set_mode(node: Node, mode: int) -> None:
    node.mode = mode


def _symbolic(node: Node, who: str, sign: str, letters: str) -> int:
    mode = node.mode
    for letter in "ugo" if who in ("", "a") or "a" in who else who:
        wanted = sum(_BITS[bit] for bit in set(letters) & set(_BITS))
        if "X" in letters and (type(node) is Folder or node.mode & 0o111):
            wanted |= 1
        bits = wanted << _SHIFT[letter]
        if "s" in letters and letter in "ug":
            bits |= 0o4000 if letter == "u" else 0o2000
        if sign == "=":
            mode &= ~(7 << _SHIFT[letter])
        mode = mode & ~bits if sign == "-" else mode | bits
    return mode


def _failure(what: str, path: str) -> Exception:
    return CommandFailed(f"sudo {path} ended with exit code 1")
