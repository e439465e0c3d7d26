"""The undo of one step fails, and the older ones go through: the next try brings everything back all the same."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from engine.test_each_effect_kills import CASES, case, effects
from fakes.deaths import dead, revived
from mcc.runs.kinds import step_kinds

NAMES = (
    "adopt without exchange", "leave without exchange", "lists", "offline", "reset", "roll back", "slots", "variables",
)  # fmt: skip


def _fails(self: object, host: object, seen: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO), "")


@pytest.mark.parametrize("said", [True, False], ids=["said", "not said"])
@pytest.mark.parametrize("name", NAMES)
def test_whichever_fails(name: str, said: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """``not said``: the process dies before the line of its journal that says that it is stuck.

    Until then nothing is taken away from under a service that goes on with the release which failed.
    """
    act = CASES[name][1]
    for kind in sorted({kind for kind, half, _ in effects(name) if half == "undo"}):
        scene = case(name).scene.fork()
        with monkeypatch.context() as patch:
            patch.setattr(step_kinds()[kind], "undo", _fails)
            assert act(scene) == 3, kind
            assert name == "variables" or scene.world.orphans() == [], kind
            if not said:
                scene = dead(case(name).scene, act, _last_line(scene))
        revived(scene)
        case(name).check(scene, f"{name}: the undo of {kind} failed")


def _last_line(scene: Any) -> int:
    lines = [
        at for at, (what, path) in enumerate(scene.world.process.trace, 1) if what == "append" and "journal" in path
    ]
    return lines[-1]


def test_what_puts_data_back_does_so_once() -> None:
    """Visitors may have written since. What empties folders says by its own mark that all is back."""
    found = {name for name, kind in step_kinds().items() if getattr(kind, "undone_once", False)}
    assert found == {"EmptyDatabase", "PutBack", "PutClone", "RestoreOnFailure"}
