"""A run that another mcc has begun is recovered by that one, and takes as long as its undos may take."""

from __future__ import annotations

import pytest

from fakes import scenes
from fakes.commands import Call, FakeCommands
from fakes.deaths import dead
from fakes.hands import FakeHands
from fakes.scenes import Scene, State
from mcc.core.hooks import STAGE_TIMEOUT
from mcc.runs.recover import recover_all

OLDER = "0.9-older"


def begun_by_an_older_one() -> tuple[Scene, State]:
    """It died when the new code was running."""
    scene = scenes.second()
    watched = scene.fork()
    assert watched.deploy(FakeHands(watched.world, version=OLDER)) == 0
    trace = [what for what, _ in watched.world.process.trace]
    at = 2 + trace.index("services.restart")
    died = dead(scene, lambda one: one.deploy(FakeHands(one.world, version=OLDER)), at)
    died.world.revive()
    died.world.commands.calls.clear()
    return died, State.of(scene)


def test_it_is_asked_to_with_the_lock_and_with_time_for_the_longest_undo(monkeypatch: pytest.MonkeyPatch) -> None:
    scene, before = begun_by_an_older_one()
    limits: list[object] = []
    real = FakeCommands.run

    def run(self: FakeCommands, words: object, **options: object) -> object:
        limits.append(options["timeout"])
        return real(self, words, **options)  # type: ignore[arg-type]

    def recovers(call: Call) -> tuple[int, str]:
        hands, site = FakeHands(scene.world, version=OLDER), scene.request.site
        recover_all(site, hands, hands.lock(site, {}), "as it was told", by_its_own_tool=True)
        return 0, ""

    scene.world.commands.does["mcc"] = recovers
    monkeypatch.setattr(FakeCommands, "run", run)
    scene.recover()
    (call,) = scene.world.commands.calls
    assert call.words[1:] == ("recover", "--site", str(scenes.BASE), "--lock-descriptor", "7")
    assert limits[0] > 2 * STAGE_TIMEOUT  # type: ignore[operator]
    assert before.difference(State.of(scene)) == []


def test_one_that_is_gone_is_stood_in_for() -> None:
    scene, before = begun_by_an_older_one()
    scene.world.disk.remove_tree(scene.request.site.tool(OLDER))
    scene.recover()
    assert scene.world.commands.calls == []
    assert before.difference(State.of(scene)) == []
    assert scene.journals() == []
