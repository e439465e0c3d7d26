"""The journal of a run: what was begun, on disk before it was begun.

One JSON line an entry::

    {"journal": 1, "run": …, "plan": [{"phase", "title", "kind", "step", "optional"}, …], …}
    {"begin": 0, "seen": {…}}      {"done": 0}
    {"commit": true}               {"back": true}
    {"undone": 3}                  {"end": "done" | "failed" | "stuck"}

``back`` stands before the first undo. Behind a ``commit`` it means that the run was told that its
commit could not be written, although it can be read now: a failing disk.

Folding the lines gives the state of the run; :func:`way_out` says what recovery has to do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA = 1


class UnreadableJournal(ValueError):
    """The journal is of another schema, or damaged before its last line."""


@dataclass(frozen=True, slots=True)
class RunState:
    """A run as its journal tells it. Indexes count along the plan's steps.

    ``undone`` are those that need no undo any more; ``once_undone`` those whose undo went through, now or before the
    run was stuck.
    """

    header: Mapping[str, Any]
    seen: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    done: frozenset[int] = frozenset()
    undone: frozenset[int] = frozenset()
    committed: bool = False
    ended: str | None = None
    once_undone: frozenset[int] = frozenset()

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The plan's steps, as written when the run began."""
        return list(self.header["plan"])

    @property
    def first_after(self) -> int:
        """The index of the first step behind the commit."""
        return int(self.header["first_after"])


@dataclass(frozen=True, slots=True)
class Back:
    """Undo these steps, in this order."""

    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Forward:
    """Do these steps, in this order."""

    indexes: tuple[int, ...]


def entry(data: Mapping[str, Any]) -> bytes:
    """One line of a journal."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass") + b"\n"  # file names need not be UTF-8


def fold(text: bytes) -> RunState | None:
    """The state of a run; None if not even its first line was finished (nothing was begun then).

    A last line without its end does not count: an effect begins only after its line is on disk.
    Raises UnreadableJournal.
    """
    lines = text.split(b"\n")[:-1]
    if not lines:
        return None
    folding = _Folding(_header(_load(lines[0], 1)))
    for number, line in enumerate(lines[1:], 2):
        try:
            folding.add(_load(line, number))
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableJournal(f"line {number} is damaged") from error
    return folding.state()


def way_out(state: RunState) -> Back | Forward:
    """Before the commit a run is undone, newest step first; after it, it is finished.

    What was undone behind a step that could not be has to follow it once more: it left the state that was before both.
    """
    if state.committed:
        rest = (index for index in range(state.first_after, len(state.steps)) if index not in state.done)
        return Forward(tuple(rest))
    newest = max((index for index in state.seen if index not in state.undone), default=-1)
    return Back(tuple(index for index in sorted(state.seen, reverse=True) if index <= newest))


class _Folding:
    """The lines behind the first one, taken in one by one."""

    def __init__(self, header: Mapping[str, Any]) -> None:
        self._header = header
        self._seen: dict[int, Mapping[str, Any]] = {}
        self._done: set[int] = set()
        self._undone: set[int] = set()
        self._once_undone: set[int] = set()
        self._committed = False
        self._ended: str | None = None

    def add(self, item: Mapping[str, Any]) -> None:
        if "begin" in item:
            self._seen[self._step(item["begin"])] = dict(item["seen"])
        elif "done" in item:
            self._done.add(self._step(item["done"]))
        elif "undone" in item:
            self._undone.add(self._step(item["undone"]))
            self._once_undone.add(item["undone"])
        elif "commit" in item:
            self._committed = True
        elif "back" in item:
            self._committed = False
        elif "end" in item:
            self._end(str(item["end"]))

    def state(self) -> RunState:
        done, undone = frozenset(self._done), frozenset(self._undone)
        once = frozenset(self._once_undone)
        return RunState(self._header, self._seen, done, undone, self._committed, self._ended, once)

    def _step(self, index: object) -> int:
        if not isinstance(index, int) or not 0 <= index < len(self._header["plan"]):
            raise ValueError(f"there is no step {index!r}")
        return index

    def _end(self, result: str) -> None:
        self._ended = result
        if result == "stuck":
            # The next try undoes everything once more: what was undone behind a step that could
            # not be (services were restarted, the link still new) has to follow it.
            self._undone.clear()


def _header(data: dict[str, Any]) -> dict[str, Any]:
    if data.get("journal") != SCHEMA:
        raise UnreadableJournal(f"schema {data.get('journal')!r}; this mcc reads schema {SCHEMA}")
    if not isinstance(data.get("plan"), list) or not isinstance(data.get("first_after"), int):
        raise UnreadableJournal("line 1 is damaged")
    return data


def _load(line: bytes, number: int) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except ValueError as error:
        raise UnreadableJournal(f"line {number} is damaged") from error
    if not isinstance(data, dict):
        raise UnreadableJournal(f"line {number} is damaged")
    return data
