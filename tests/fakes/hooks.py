"""A project's own Python on the fake machine: ``mcc_deploy.py`` there is JSON that says its hooks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fakes.files import FakeFiles
from fakes.process import Process
from mcc.core.hooks import FILE
from mcc.errors import ConfigError, StepError
from mcc.model.hooks import Hook, HookCall, ProjectCode
from mcc.model.problem import Problem


@dataclass(slots=True)
class HooksState:
    """``marks``: what each hook has made, a first and a second half, until its undo takes it away.

    ``calls``: every function that was entered, ``do`` or ``undo`` with the hook's key. ``failing``: keys of
    hooks that raise when they have done half of it; ``failing_undo``: of those whose undo does.
    """

    marks: set[tuple[str, int]] = field(default_factory=set)
    calls: list[tuple[str, str]] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    failing_undo: set[str] = field(default_factory=set)


class FakeHooks:
    """The port ``Hooks``. A hook only runs from its kept code, with its context, as in the real one."""

    def __init__(self, state: HooksState, files: FakeFiles, process: Process) -> None:
        self._state = state
        self._files = files
        self._process = process

    def read(self, folder: Path) -> ProjectCode | None:
        if self._files.kind(folder / FILE) != "file":
            return None
        text = self._files.read(folder / FILE)
        if not text.startswith(b"{"):
            return None
        data = json.loads(text)
        if "problem" in data:
            raise ConfigError([Problem(FILE, 1, "", data["problem"])])
        said = enumerate(data["hooks"], 1)
        hooks = tuple(Hook(file=FILE, line=number, timeout=60.0, **each) for number, each in said)
        return ProjectCode(hooks, (FILE, *data.get("files", ())))

    def run(self, call: HookCall, undo: bool, on_line: Callable[[str], None]) -> Mapping[str, Any]:
        what, key = "undo" if undo else "do", call.hook.key
        assert json.loads(self._files.read(call.context))["site"]
        if self._files.kind(call.code / FILE) != "file":
            raise StepError(f"{call.hook.place}: the code is gone")
        self._process.tick(f"hook: {what}", key, _failure)
        self._state.calls.append((what, key))
        self._mark(key, 1, undo)
        self._process.tick(f"hook: {what}, half", key, _failure)
        if key in (self._state.failing_undo if undo else self._state.failing):
            raise StepError(f"{call.hook.place}: {call.hook.name}: ValueError: no", log=["mcc_deploy.py:1, in it"])
        self._mark(key, 2, undo)
        self._process.tick(f"hook: {what}, ended", key, _failure)
        return {} if undo else {"made": 2}

    def _mark(self, key: str, half: int, undo: bool) -> None:
        if undo:
            self._state.marks.discard((key, half))
        else:
            self._state.marks.add((key, half))


def _failure(what: str, path: str) -> Exception:
    return StepError(f"{FILE}:1: {path}: OSError")
