"""The disk is full from some effect on: nothing more can be written, also on the way back.

Then the run may end stuck. With room again the next command brings it to its end, exactly before or exactly after.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine import test_adoption_kills as adoption
from engine import test_each_effect_kills as each_effect
from engine import test_hook_kills as hooks
from engine import test_leave_kills as leaving
from engine import test_offline_kills as offline
from engine import test_reset_kills as resetting
from engine import test_rollback_kills as back
from fakes.deaths import revived, some
from fakes.files import FakeFiles
from fakes.host import FakeWorld, Killed
from fakes.process import Process, io_error
from fakes.scenes import Scene, State
from mcc.errors import Refused, Stuck
from mcc.steps.maintenance import EndMaintenance

_TAKE_ROOM = (
    "append", "copy_file", "copy_tree", "crontab.write", "hard_link", "link", "make_folder", "rights",
    "uv.sync", "write",
)  # fmt: skip

CASES: Mapping[str, tuple[Callable[[], Any], Callable[[Any], int]]] = {
    "adopt": (lambda: adoption.case("adopt"), Scene.deploy),
    "adopt a broken one": (lambda: adoption.case("broken without exchange"), Scene.deploy),
    "hooks": (lambda: hooks.case("answers 500"), Scene.deploy),
    "leave": (lambda: leaving.case("without exchange"), leaving.LeaveScene.leave),
    "leave, does not start": (lambda: leaving.case("does not start"), leaving.LeaveScene.leave),
    "offline": (lambda: offline.case("dies"), Scene.deploy),
    "offline, smoke": (lambda: offline.case("smoke"), Scene.deploy),
    "reset": (lambda: resetting.case("smoke"), resetting.Resetting.reset),
    "roll back": (lambda: back.case("a real environment"), back.BackScene.go_back),
    **{name: (lambda name=name: each_effect.case(name), each_effect.CASES[name][1])  # type: ignore[misc]
       for name in ("lists", "reset on a server", "variables")},
}  # fmt: skip


@contextmanager
def full_from(world: FakeWorld, at: int) -> Iterator[None]:
    """From that effect of the present process on there is room for nothing."""
    real, process = Process.tick, world.process

    def tick(self: Process, what: str, path: str = "", failure: Callable[[str, str], Exception] = io_error) -> None:
        real(self, what, path, failure)
        if self is process and self.ticks >= at and what in _TAKE_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Process, "tick", tick)
        yield


@pytest.mark.parametrize("name", CASES)
def test_with_room_again_it_ends_before_or_after(name: str) -> None:
    one, act = CASES[name][0](), CASES[name][1]
    whole = one.scene.fork()
    act(whole)
    for at in some(30, whole.world.process.ticks, f"full {name}"):
        scene = one.scene.fork()
        with full_from(scene.world, at):
            code = _code(act, scene)
        revived(scene)
        if code:
            one.check(scene, f"{name}: full at {at}, exit code {code}")


def _code(act: Callable[[Any], int], scene: Any) -> int:
    try:
        return act(scene)
    except Refused:
        return 2
    except Stuck:
        return 3


def test_a_journal_that_could_not_begin_is_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk makes its file and takes no byte of it: nothing was started, so that nothing has died."""
    scene = each_effect.case("lists").scene.fork()

    def takes_no_byte(self: FakeFiles, node: object, data: bytes, path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(FakeFiles, "_extend", takes_no_byte)
        with pytest.raises(Refused, match="nothing was started: No space left on device") as caught:
            scene.deploy()
    assert caught.value.help.startswith("make room")
    assert scene.journals() == []


def test_a_switch_that_could_not_come_back_is_not_left_behind_by_the_next_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its undo failed, the older ones went through, and the process died before it could say that it is stuck."""
    one = offline.case("smoke")
    scene = one.scene.fork()
    real = EndMaintenance.undo
    with monkeypatch.context() as patch:
        patch.setattr(EndMaintenance, "undo", _fails)
        watched = scene.fork()
        assert watched.deploy() == 3
        trace = watched.world.process.trace
        last = max(at for at, (what, path) in enumerate(trace, 1) if what == "append" and "journal" in path)
        died = scene.fork(kill_at=last)  # the line that says "stuck"
        with pytest.raises(Killed):
            died.deploy()
    assert EndMaintenance.undo is real
    revived(died)
    assert State.of(scene).difference(State.of(died)) == []


def _fails(self: EndMaintenance, host: object, seen: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO), str(self.switch))
