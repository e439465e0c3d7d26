"""A deploy that fails behind its cut-over asks the old code again, and says how the databases stand."""

from __future__ import annotations

import pytest

from fakes import scenes
from fakes.hands import FakeHands
from fakes.scenes import BASE, Scene, State
from mcc.errors import Stuck
from mcc.model.event import RunEnded


def ended(hands: FakeHands) -> RunEnded:
    return [event for event in hands.events if isinstance(event, RunEnded)][-1]


def old_code_fails_too() -> Scene:
    """The old code cannot live with the newer schema: it does not come up again."""
    scene = scenes.broken("answers 500")
    scene.world.plant({f"{BASE}/api/{scene.live}/api/BEHAVES": b"answers 500"})
    return scene


def test_the_old_code_is_live_and_well_and_the_databases_are_ahead_of_it() -> None:
    scene = scenes.broken("answers 500")
    before, live = State.of(scene), scene.live
    hands = FakeHands(scene.world)
    assert scene.deploy(hands) == 1
    last = ended(hands)
    assert (last.code, last.databases) == (f"as before ({live} is live)", "1 migration ahead")
    (todo,) = last.todo
    assert f"mcc restore --site {BASE} --from before/" in todo
    assert before.difference(State.of(scene)) == []


def test_old_code_that_does_not_live_with_the_newer_schema_leaves_the_run_stuck() -> None:
    scene = old_code_fails_too()
    hands = FakeHands(scene.world)
    assert scene.deploy(hands) == 3
    last = ended(hands)
    assert (last.result, last.code) == ("stuck", "neither as before nor as after")
    assert last.databases == "1 migration ahead"
    assert any(f"mcc restore --site {BASE} --from before/" in each for each in last.todo)
    assert any("remember how the services are" in each for each in last.todo)


def test_it_is_brought_to_its_end_once_the_old_code_lives_again() -> None:
    scene = old_code_fails_too()
    live = scene.live
    assert scene.deploy() == 3
    scene.world.revive()
    with pytest.raises(Stuck):
        scene.recover()
    scene.world.disk.remove(BASE / f"api/{live}/api/BEHAVES")
    scene.world.revive()
    scene.recover()
    assert scene.journals() == []
    assert scene.live == live
    assert scene.world.disk.read_link(BASE / "current-api") == f"api/{live}"
