"""A rehearsal does every step before the migrations and leaves the site as it was, however it ends."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping

import pytest

from fakes import scenes, scripted
from fakes.deaths import cut_off, killed, killed_twice, some
from fakes.hands import FakeHands
from fakes.scenes import BASE, OUT, Scene, State
from mcc.core.hooks import FILE
from mcc.deploy.rehearse import plan_rehearsal, rehearse
from mcc.errors import Refused, StepError
from mcc.model.event import Committed, RunEnded, StepDone, StepUndone
from mcc.steps.place import PlaceComponent

SCENES: Mapping[str, Callable[[], Scene]] = {
    "first": scenes.first,
    "second": scenes.second,
    "with clean-up": scenes.full,
    "of a script": scripted.scripted,
    "would answer 500": lambda: scenes.broken("answers 500"),
    "third migration would fail": scenes.third_migration_fails,
}


def act(scene: Scene) -> int:
    return rehearse(scene.request, FakeHands(scene.world))


@functools.cache
def effects(name: str) -> int:
    scene = SCENES[name]().fork()
    act(scene)
    return scene.world.process.ticks


def check(scene: Scene, before: Scene, where: str) -> None:
    assert State.of(before).difference(State.of(scene)) == [], where
    assert scene.ledger == before.ledger, where
    assert scene.databases() == before.databases(), where
    assert sets(scene) == sets(before), where
    assert scene.journals() == [], where
    assert scene.temporaries() == [], where


def sets(scene: Scene) -> list[str]:
    return scene.world.disk.names(BASE / "backups/before")


@pytest.mark.parametrize("name", SCENES)
def test_everything_before_the_migrations_is_done_and_undone(name: str) -> None:
    """Also where the deploy would fail later: a rehearsal does not see that, and says so."""
    before = SCENES[name]()
    scene = before.fork()
    hands = FakeHands(scene.world)
    assert rehearse(scene.request, hands) == 0
    check(scene, before, name)
    done = {event.phase for event in hands.events if isinstance(event, StepDone)}
    assert {"place", "venv"} <= done <= {"place", "venv", "probe", "back up"}
    undone = [event.index for event in hands.events if isinstance(event, StepUndone)]
    assert undone == sorted((e.index for e in hands.events if isinstance(e, StepDone)), reverse=True)
    assert not any(isinstance(event, Committed) for event in hands.events)


def test_it_says_what_only_a_deploy_shows() -> None:
    scene = scenes.second()
    hands = FakeHands(scene.world)
    rehearse(scene.request, hands)
    last = hands.events[-1]
    assert isinstance(last, RunEnded)
    assert (last.result, last.exit_code, last.release, last.databases) == ("done", 0, "", "as before")
    assert last.code == "as before: all that was rehearsed is undone"
    assert last.todo[0].startswith("not rehearsed: migrate (2 steps), own (1 step), cut-over (")
    assert last.todo[-1].startswith("only a deploy shows whether migrations go through")


def test_databases_that_would_be_migrated_are_copied_and_the_copies_go() -> None:
    scene = scenes.second()
    hands = FakeHands(scene.world)
    assert rehearse(scene.request, hands) == 0
    assert "back up" in {event.phase for event in hands.events if isinstance(event, StepDone)}
    assert sets(scene) == []


def test_also_copies_that_a_deploy_would_keep_whatever_becomes_of_it() -> None:
    """Its migrations may change a database half-way without saying so; a rehearsal runs none."""
    scene = scenes.second()
    path = f"{OUT}/{scenes.MIGRATIONS}/003_three.sql"
    scene.world.plant({path: b"-- mcc: no-transaction\nCREATE INDEX i ON t (a);"})
    assert act(scene) == 0
    assert sets(scene) == []


def test_what_cannot_be_built_fails_it() -> None:
    before = scenes.second()
    scene = before.fork()
    scene.world.uv.broken = "No space left on device"
    hands = FakeHands(scene.world)
    assert rehearse(scene.request, hands) == 1
    check(scene, before, "uv fails")
    last = hands.events[-1]
    assert isinstance(last, RunEnded)
    assert last.result == "failed"
    assert not any("rehearsed" in line for line in last.todo)


def test_what_would_stop_a_deploy_stops_it_before_anything_begins() -> None:
    scene = scenes.second()
    scene.world.sudo.allowed = set()
    with pytest.raises(Refused):
        act(scene)


def test_an_undo_that_fails_leaves_it_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> None:
        raise StepError("cannot")

    scene = scenes.second()
    monkeypatch.setattr(PlaceComponent, "undo", refuses)
    hands = FakeHands(scene.world)
    assert rehearse(scene.request, hands) == 3
    last = hands.events[-1]
    assert isinstance(last, RunEnded)
    assert last.error == "not all that was rehearsed could be undone"
    assert scene.journals() != []
    monkeypatch.undo()
    scene.recover()
    check(scene, scenes.second(), "recovered")


def test_steps_of_the_project_are_rehearsed_if_they_can_be_undone() -> None:
    scene = scenes.second()
    hooks = [
        {"when": "before", "at": "place", "name": "lock_door", "undo": True},
        {"when": "after", "at": "probe", "name": "send_mail", "undo": False},
        {"when": "after", "at": "migrate", "name": "count_rows", "undo": True},
    ]
    scene.world.plant({f"{OUT}/{FILE}": json.dumps({"hooks": hooks}).encode()})
    hands = FakeHands(scene.world)
    assert rehearse(scene.request, hands) == 0
    called = {key for _, key in scene.world.hooks.calls}
    assert "before place: lock_door" in called
    assert not any("send_mail" in word or "count_rows" in word for word in called)
    assert scene.world.hooks.marks == set()
    last = hands.events[-1]
    assert isinstance(last, RunEnded)
    assert last.todo[0].startswith("not rehearsed: send_mail, after probe")
    assert last.todo[0].endswith(": it has no undo")


def test_its_plan_changes_nothing() -> None:
    before = scenes.second()
    scene = before.fork()
    plan = plan_rehearsal(scene.request, FakeHands(scene.world))
    assert plan.after == ()
    assert scene.world.process.ticks == 0
    check(scene, before, "plan")


@pytest.mark.parametrize("name", ["first", "second", "of a script"])
def test_a_rehearsal_that_dies_is_undone(name: str) -> None:
    before = SCENES[name]()
    for scene, where in killed(before, act, some(40, effects(name), name)):
        check_recovered(scene, before, where)


@pytest.mark.parametrize("name", ["first", "second"])
def test_also_if_its_recovery_dies_too(name: str) -> None:
    before = SCENES[name]()
    for scene, where in killed_twice(before, act, some(5, effects(name), name), 5):
        check_recovered(scene, before, where)


def test_also_after_a_power_cut() -> None:
    before = scenes.second()
    for scene, where in cut_off(before, act, some(20, effects("second"), "power")):
        check_recovered(scene, before, where)


def check_recovered(scene: Scene, before: Scene, where: str) -> None:
    """Temporary names of a killed write may lie there until the next deploy."""
    now, then = State.of(scene), State.of(before)
    lines = [line for line in then.difference(now) if ".mcc-tmp" not in line.partition(":")[0]]
    assert lines == [], where
    assert scene.ledger == before.ledger, where
    assert sets(scene) == sets(before), where
    assert scene.journals() == [], where
