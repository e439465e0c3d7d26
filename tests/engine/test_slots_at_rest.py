"""Two slots where the site stands still, and where the way back fails: the old slot may be draining meanwhile."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from engine import test_reset_kills as resetting
from engine import test_rollback_kills as back
from engine import test_slot_kills as slots
from fakes import scenes
from fakes.deaths import cut_off, killed, killed_twice, some
from fakes.hands import FakeHands
from fakes.scenes import BASE, OUT, Scene, State, rich_files
from mcc.operations.backup import back_up
from mcc.operations.restore import RestoreRequest, restore
from mcc.operations.site import Asked

NAMES = ("001_one", "002_two", "003_three", "004_four")


def offline(scene: Scene, behaves: str = "") -> Scene:
    """All migrations come while everything rests."""
    database = dataclasses.replace(scene.conf.database, offline=True)
    scene.conf = dataclasses.replace(scene.conf, database=database)
    scene.bring(rich_files(4, NAMES))
    return behaving(scene, behaves)


def behaving(scene: Scene, how: str) -> Scene:
    if how:
        scene.world.plant({f"{OUT}/api/BEHAVES": how.encode()})
    scene.world.revive()
    return scene


def smoke_fails(scene: Any) -> Any:
    scene.world.http.fixed[slots.FRONT] = (500, "Internal Server Error")
    return scene


def phase_after() -> Scene:
    """A migration that the old slot must not meet."""
    scene = slots.second()
    scene.world.plant({f"{OUT}/{scenes.MIGRATIONS}/003_three.sql": b"-- mcc: phase=after\nDROP TABLE t;"})
    return scene


def reset(scene: Scene, behaves: str = "") -> resetting.Resetting:
    behaving(scene, behaves)
    return resetting.Resetting(scene.world, scene.conf, scene.keep)


def the_old_one_fails() -> back.BackScene:
    scene = slots.back(drained=True)
    (good,) = [release for release in scene.ledger.releases if release.state == "good"]
    scene.world.plant({f"{BASE}/api/{good.name}/api/BEHAVES": b"answers 500"})
    return back.of(scene)


CASES: Mapping[str, tuple[Callable[[], Any], Callable[[Any], int], int]] = {
    "phase=after": (phase_after, Scene.deploy, 0),
    "offline": (lambda: offline(slots.second()), Scene.deploy, 0),
    "offline, while the old slot drains": (lambda: offline(slots.third()), Scene.deploy, 0),
    "offline, does not start": (lambda: offline(slots.third(), "answers 500"), Scene.deploy, 1),
    "offline, smoke fails": (lambda: smoke_fails(offline(slots.third())), Scene.deploy, 1),
    "reset, while the old slot drains": (lambda: reset(slots.third()), resetting.Resetting.reset, 0),
    "reset, does not start": (lambda: reset(slots.third(), "dies"), resetting.Resetting.reset, 1),
    "back to one that fails": (the_old_one_fails, back.BackScene.go_back, 1),
    "back to one that drains, smoke fails": (lambda: smoke_fails(slots.back()), back.BackScene.go_back, 1),
}


class Case:
    """A machine before and after an undisturbed run, and what both are when no slot drains any more."""

    def __init__(self, name: str) -> None:
        make, self.act, code = CASES[name]
        self.scene = make()
        done = self.scene.fork()
        assert self.act(done) == code
        self.effects = done.world.process.ticks
        self.served = {slots.visitors(self.scene), slots.visitors(done)}
        self.databases = [each.databases() for each in (self.scene, done)]
        self.states = [slots.state_of(each.fork()) for each in (self.scene, done)]
        self.forward_only = name == "phase=after"

    def check(self, scene: Any, where: str) -> None:
        databases = scene.databases()
        assert slots.visitors(scene) in self.served, where
        now: State = slots.state_of(scene)
        found = [state.difference(now) for state in self.states]
        assert [] in found, f"{where}: mixed: {min(found, key=len)}"
        assert databases in self.databases, where
        assert self.forward_only or databases == self.databases[found.index([])], f"{where}: mixed: {databases}"
        assert (scene.journals(), scene.world.orphans()) == ([], []), where


@functools.cache
def case(name: str) -> Case:
    return Case(name)


@pytest.mark.parametrize("name", CASES)
def test_killed_anywhere_code_slots_and_databases_are_of_one_time(name: str) -> None:
    one = case(name)
    for scene, where in killed(one.scene, one.act, some(10, one.effects, name)):
        one.check(scene, where)


@pytest.mark.parametrize("name", CASES)
def test_also_when_the_recovery_dies_or_the_power_goes(name: str) -> None:
    one = case(name)
    for scene, where in killed_twice(one.scene, one.act, some(2, one.effects, name), 4):
        one.check(scene, where)
    for scene, where in cut_off(one.scene, one.act, some(4, one.effects, name)):
        one.check(scene, where)


@pytest.mark.parametrize("name", ["offline, does not start", "reset, does not start"])
def test_a_slot_that_drained_is_not_started_again_on_the_way_back(name: str) -> None:
    """Its link may be gone by then, and its visitors are: the run would be stuck for want of it."""
    one = case(name)
    done = one.scene.fork()
    assert one.act(done) == 1
    idle = next(unit for unit in slots.UNITS if unit != slots.live_unit(done))
    assert one.scene.world.serving()[idle] != ""
    assert done.world.serving()[idle] == ""
    assert slots.visitors(done) == slots.visitors(one.scene)


def test_a_restore_stops_a_slot_that_drains_and_starts_the_live_one_alone() -> None:
    scene = slots.third()
    asked = Asked(slots.SITE, scene.conf, "prod")
    assert back_up(asked, (), FakeHands(scene.world)) == 0
    idle = next(unit for unit in slots.UNITS if unit != slots.live_unit(scene))
    assert scene.world.serving()[idle] != ""
    before = slots.visitors(scene)
    assert restore(RestoreRequest(asked, None, ()), FakeHands(scene.world)) == 0
    assert (scene.world.serving()[idle], slots.visitors(scene)) == ("", before)
