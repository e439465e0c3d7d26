"""A deploy that dies at any effect, and is recovered, leaves the site exactly before or exactly after.

Every scene is killed at each of its effects; the recovery of some of them is killed again, at
each of its own. A seeded part of that runs always; everything with MCC_FULL=1 in the environment.
"""

from __future__ import annotations

import dataclasses
import errno
import functools
import os
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from fakes import scenes
from fakes.deaths import cut_off, dead, killed, killed_twice, revived, some
from fakes.hands import FakeHands
from fakes.host import Killed
from fakes.scenes import Scene, State
from fakes.services import FakeServices
from mcc.errors import Refused, Stuck
from mcc.model.event import RunEnded

GOOD: Mapping[str, Callable[[], Scene]] = {
    "first": scenes.first,
    "second": scenes.second,
    "with clean-up": scenes.full,
    "migrates behind the cut-over": scenes.behind_the_cut_over,
}
BAD: Mapping[str, Callable[[], Scene]] = {
    "answers 500": lambda: scenes.broken("answers 500"),
    "refuses to start": lambda: scenes.broken("refuses to start"),
    "dies after a second": lambda: scenes.broken("dies"),
    "first one dies": lambda: scenes.broken_first("dies"),
    "third migration": scenes.third_migration_fails,
    "smoke": lambda: _smoke_fails(),  # noqa: PLW0108 - it stands below
}
ALL = {**GOOD, **BAD}


def _smoke_fails() -> Scene:
    scene = scenes.second()
    scene.world.http.fixed = {"https://two.example.com/api": (503, "Service Unavailable")}
    return scene


class Case:
    """A scene, what it is before, and what it is when a deploy has gone through undisturbed."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.before = State.of(scene)
        done = scene.fork()
        self.code = done.deploy()
        self.after = State.of(done)
        self.effects = done.world.process.ticks
        self.old_databases = scene.databases()
        self.new_databases = done.databases()

    def kill(self, at: int) -> Scene:
        """A machine on which a deploy died."""
        return dead(self.scene, Scene.deploy, at)

    def check(self, scene: Scene, where: str) -> None:
        """Exactly before or exactly after, and nothing else."""
        now = State.of(scene)
        differences = [expected.difference(now) for expected in (self.before, self.after)]
        assert not min(differences, key=len), f"{where}: mixed: {min(differences, key=len)}"
        assert scene.world.orphans() == [], where
        assert scene.journals() == [], where
        self._check_databases(scene, where)

    def _check_databases(self, scene: Scene, where: str) -> None:
        for path, names in scene.databases().items():
            new = self.new_databases[path]
            at_the_cut_over = tuple(name for name in new if name not in self.scene.waiting())
            assert names in (self.old_databases.get(path, ()), at_the_cut_over, new, ()), where
            assert len(names) >= len(self.old_databases.get(path, ())), f"{where}: a database went back"
        if scene.live == self.after.live and self.code == 0:
            assert scene.databases() == self.new_databases, where


@functools.cache
def case(name: str) -> Case:
    return Case(ALL[name]())


@pytest.mark.parametrize("name", GOOD)
def test_undisturbed_it_goes_through(name: str) -> None:
    one = case(name)
    assert one.code == 0
    assert one.before.difference(one.after)
    assert len(set(one.after.serving.values())) == 1


@pytest.mark.parametrize("name", BAD)
def test_a_broken_release_leaves_the_site_as_it_was(name: str) -> None:
    one = case(name)
    assert one.code == 1
    assert one.before.difference(one.after) == []


@pytest.mark.parametrize("name", ALL)
def test_killed_at_any_effect_it_is_before_or_after(name: str) -> None:
    one = case(name)
    for scene, where in killed(one.scene, Scene.deploy, some(60, one.effects, name)):
        one.check(scene, where)


@pytest.mark.parametrize("name", ALL)
def test_killed_again_while_it_is_recovered_it_is_before_or_after(name: str) -> None:
    one = case(name)
    for scene, where in killed_twice(one.scene, Scene.deploy, some(3, one.effects, f"{name} twice"), 11):
        one.check(scene, where)


@pytest.mark.parametrize("name", ALL)
def test_a_power_cut_at_any_effect_leaves_it_before_or_after(name: str) -> None:
    """What was not synced is gone, services have started with whatever the links say."""
    one = case(name)
    for scene, where in cut_off(one.scene, Scene.deploy, some(20, one.effects, f"{name} power")):
        one.check(scene, where)


@pytest.mark.parametrize("name", ["second", "answers 500"])
def test_power_cuts_in_a_row_do_not_mix_anything(name: str) -> None:
    one = case(name)
    for at in some(10, one.effects, f"{name} cuts"):
        scene = one.kill(at)
        scene.world.power_cut(at)
        for again in (2, 5, 9):
            scene.world.revive(kill_at=again)
            try:
                scene.recover()
            except Killed:
                scene.world.power_cut(at * again)
        revived(scene)
        one.check(scene, f"power cuts at {at}")


def no_room(what: str, path: str) -> Exception:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("failure", [None, no_room], ids=["as the tool says it", "no space left"])
def test_a_failure_at_any_effect_is_undone(name: str, failure: Callable[[str, str], Exception] | None) -> None:
    """Also one of the journal's own. Behind the commit it is finished, or the next command does it."""
    one = case(name)
    for at in some(25, one.effects, f"{name} {failure}"):
        scene = one.scene.fork()
        scene.world.revive(fail_at=at, failure=failure)
        hands = FakeHands(scene.world)
        try:
            code = scene.deploy(hands)
        except Refused:
            code = 2
        assert code in (0, 1, 2, 3), at
        _check_code(one, scene, hands, code, f"failed at {at}: {scene.world.process.trace[at - 1]}")
        revived(scene)
        if code == 0:
            _check_only_old_ones_stay(one, scene)
        else:
            one.check(scene, f"failed at {at}")


def _check_only_old_ones_stay(one: Case, scene: Scene) -> None:
    """A clean-up that failed is a warning; the next deploy tries again."""
    now = State.of(scene)
    left = {path: what for path, what in now.site.items() if path not in one.after.site}
    assert left.items() <= one.before.site.items()
    without = {path: what for path, what in now.site.items() if path not in left}
    assert one.after.difference(dataclasses.replace(now, site=without)) == []
    scene.world.revive()
    scene.world.time.pass_by(60)
    assert scene.deploy() == 0
    assert set(scene.world.disk.names(scenes.BASE / "api")) == _standing(scene)


def _check_code(one: Case, scene: Scene, hands: FakeHands, code: int, where: str) -> None:
    now = State.of(scene)
    ended = [event for event in hands.events if isinstance(event, RunEnded)]
    if code in (1, 2):
        assert one.before.difference(now) == [], where
    if code == 0:
        assert (now.live, now.serving) == (one.after.live, one.after.serving), where
    if code == 3:
        assert ended[-1].result == "stuck", where
        assert ended[-1].todo, where


def test_a_guardian_puts_things_right_at_once() -> None:
    """Its exit code says which of the two the site is, wherever the runner died."""
    one = case("second")
    for at in some(25, one.effects, "guardian"):
        scene = one.scene.fork(kill_at=at)
        try:
            code = scene.deploy(FakeHands(scene.world, guardian=True))
        except Killed:
            continue  # before the guardian was there: the next command's business
        expected = one.after if code == 0 else one.before
        assert expected.difference(State.of(scene)) == [], at
        assert code in (0, 1)


@pytest.mark.parametrize("name", ["first", "second"])
def test_ctrl_c_at_any_moment_goes_back_and_after_the_commit_does_nothing(name: str) -> None:
    one = case(name)
    watched = one.scene.fork()
    hands = FakeHands(watched.world)
    watched.deploy(hands)
    for number in range(1, hands.interrupt_at.count + 1):
        scene = one.scene.fork()
        hands = FakeHands(scene.world, interrupt_at=number)
        assert scene.deploy(hands) == 1
        assert one.before.difference(State.of(scene)) == [], number
        assert scene.journals() == []


def test_the_next_deploy_recovers_first_and_then_clears_away_all_leftovers() -> None:
    one = case("second")
    for at in some(12, one.effects, "next"):
        scene = one.kill(at)
        scene.world.revive()
        scene.world.time.pass_by(60)
        assert scene.deploy() == 0, at
        assert scene.temporaries() == [], at
        assert scene.journals() == [], at
        assert set(scene.world.disk.names(scenes.BASE / "api")) == _standing(scene), at
        assert len(scene.world.disk.names(scenes.BASE / "venvs")) <= 2, at


def test_a_migration_that_fails_behind_the_cut_over_is_stuck_until_it_runs() -> None:
    """The release is live by then: there is only the way forward, and the next command takes it."""
    scene = scenes.behind_the_cut_over()
    scene.world.sqlite.failing = {"003_three"}
    hands = FakeHands(scene.world)
    assert scene.deploy(hands) == 3
    (ended,) = [event for event in hands.events if isinstance(event, RunEnded)]
    assert ended.databases == "1 migration forward"
    assert "003_three" in ended.error
    assert scene.live == case("migrates behind the cut-over").after.live
    with pytest.raises(Stuck, match="was committed, but could not be finished"):
        revived(scene)
    scene.world.sqlite.failing = set()
    revived(scene)
    one = case("migrates behind the cut-over")
    one.check(scene, "stuck behind the cut-over, then finished")


def _standing(scene: Scene) -> set[str]:
    return {release.name for release in scene.ledger.standing()}


def test_a_site_that_is_stuck_is_tried_again_as_a_whole() -> None:
    """The links could not go back at first: the services that were restarted then follow them now."""
    one = case("answers 500")
    scene = one.scene.fork()
    base = scene.world.disk.node(scenes.BASE)
    with pytest.MonkeyPatch.context() as patch:
        _close_at_restart(patch, base)
        assert scene.deploy() == 3
    with pytest.raises(Stuck, match="could not be undone"):
        revived(scene)
    base.mode = 0o755
    revived(scene)
    one.check(scene, "stuck, then tried again")


def _close_at_restart(patch: pytest.MonkeyPatch, folder: Any) -> None:
    """Somebody closes a folder: no link can be made in it any more."""
    restart = FakeServices.restart

    def restart_and_close(self: FakeServices, name: str, definition: bytes | None = None) -> None:
        folder.mode = 0o555
        restart(self, name, definition)

    patch.setattr(FakeServices, "restart", restart_and_close)
