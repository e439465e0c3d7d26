"""A rollback goes through, or leaves the site exactly as it was, wherever it dies."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from engine import test_alembic_kills
from fakes import scenes, scripted
from fakes.deaths import cut_off, killed, killed_twice, some
from fakes.hands import FakeHands
from fakes.scenes import BASE, OUT, Scene, rich_files
from fakes.scripted import SCRIPTED, state_of
from mcc.core.layout import Site
from mcc.deploy.rollback import plan_rollback, rollback
from mcc.deploy.way_back import RollbackRequest, bad_reason, choose, what_is_left
from mcc.errors import SiteError, UsageError
from mcc.host.environments import is_whole
from mcc.model.conf import CronJob
from mcc.model.event import RunEnded, Warned
from mcc.runs.standing import standings

SITE = Site(BASE)


@dataclass(slots=True)
class BackScene(Scene):
    """A machine right before a rollback."""

    to: str | None = None
    bad: str | None = None

    def fork(self, kill_at: int | None = None, fail_at: int | None = None) -> BackScene:
        return BackScene(self.world.fork(kill_at, fail_at), self.conf, self.keep, self.to, self.bad)

    @property
    def back(self) -> RollbackRequest:
        """Confs are files of this machine in real life, and are given here."""
        files = self.world.host().files
        release = choose(files, SITE, self.ledger, self.to)
        conf = dataclasses.replace(self.conf, path=SITE.conf(release.name))
        leaving = what_is_left(files, SITE, self.ledger, release, self.bad)
        return RollbackRequest(SITE, release, conf, self.to, (), leaving, self.bad)

    def go_back(self, hands: FakeHands | None = None) -> int:
        return rollback(self.back, hands or FakeHands(self.world))


def of(scene: Scene, to: str | None = None) -> BackScene:
    scripted.settle(scene)
    return BackScene(scene.world, scene.conf, scene.keep, to)


def two_releases() -> BackScene:
    scene = scenes.second()
    assert scene.deploy() == 0
    scene.world.time.pass_by(60)
    return of(scene)


def to_the_adopted() -> BackScene:
    scene = scripted.scripted()
    assert scene.deploy() == 0
    scene.world.time.pass_by(60)
    return of(scene)


def in_turns() -> BackScene:
    """mcc, mcc, the script (in the second one's environment), and now a rollback."""
    scene = scenes.second()
    assert scene.deploy() == 0
    scene.world.time.pass_by(600)
    scripted.script_deploys(scene, "vrs-2026-02-27T150500", 8)
    return of(scene)


def a_real_environment() -> BackScene:
    """The same by a script that removes the link first."""
    scene = scenes.second()
    assert scene.deploy() == 0
    scene.world.time.pass_by(600)
    scene.world.disk.remove(SITE.environment)
    scripted.script_deploys(scene, "vrs-2026-02-27T150500", 8)
    return of(scene)


def a_bad_one() -> BackScene:
    scene = two_releases()
    scene.bad = "it loses orders"
    return scene


def a_bad_one_by_a_script() -> BackScene:
    scene = in_turns()
    scene.bad = "it loses orders"
    return scene


def its_environment_is_gone() -> BackScene:
    scene = two_releases()
    (good,) = [release for release in scene.ledger.releases if release.state == "good"]
    scene.world.disk.remove_tree(SITE.environments / str(good.environment))
    scene.world.revive()
    return scene


def the_old_one_fails() -> BackScene:
    """What was good once does not answer any more."""
    scene = two_releases()
    (good,) = [release for release in scene.ledger.releases if release.state == "good"]
    scene.world.plant({f"{BASE}/api/{good.name}/api/BEHAVES": b"answers 500"})
    return of(scene)


CASES: Mapping[str, tuple[Callable[[], BackScene], int]] = {
    "two releases": (two_releases, 0),
    "to the adopted": (to_the_adopted, 0),
    "in turns": (in_turns, 0),
    "a real environment": (a_real_environment, 0),
    "a bad one": (a_bad_one, 0),
    "a bad one by a script": (a_bad_one_by_a_script, 0),
    "its environment is gone": (its_environment_is_gone, 0),
    "the old one fails": (the_old_one_fails, 1),
}


class Case:
    def __init__(self, name: str) -> None:
        make, code = CASES[name]
        self.scene = make()
        self.before = state_of(self.scene)
        done = self.scene.fork()
        self.hands = FakeHands(done.world)
        assert done.go_back(self.hands) == code
        self.done, self.after, self.effects = done, state_of(done), done.world.process.ticks

    @property
    def ended(self) -> RunEnded:
        return [event for event in self.hands.events if isinstance(event, RunEnded)][-1]

    @property
    def said(self) -> str:
        return " / ".join(event.text for event in self.hands.events if isinstance(event, Warned))

    def check(self, scene: BackScene, where: str) -> None:
        now = state_of(scene)
        differences = [expected.difference(now) for expected in (self.before, self.after)]
        assert not min(differences, key=len), f"{where}: mixed: {min(differences, key=len)}"
        assert scene.world.orphans() == [], where
        assert scene.journals() == [], where
        assert scene.databases() == self.scene.databases(), where
        marks = [release.name for release in scene.ledger.releases if release.bad]
        assert bool(marks) == bool(scene.bad and not self.after.difference(now)), where


@functools.cache
def case(name: str) -> Case:
    return Case(name)


def test_all_that_the_release_had_is_there_again() -> None:
    one = case("two releases")
    first, second = one.scene.ledger.order
    disk = one.done.world.disk
    assert one.done.live == first
    assert disk.read_link(BASE / "current-api") == f"api/{first}"
    assert disk.read(BASE / "scripts/backup.sh") == b"#!/bin/sh\n# 1\n"
    assert disk.read(BASE / "etc/notes/settings.ini") == b"release = 1"
    assert disk.read(BASE / "uv.lock") == b"version = 1"
    assert set(one.after.serving.values()) == {f"api/{first} venvs/{one.done.ledger.live.environment}"}  # type: ignore[union-attr]
    live = one.done.ledger.live
    assert live is not None
    assert (live.back_from, one.done.ledger.get(second).state) == (second, "good")  # type: ignore[union-attr]


def test_it_is_said_how_far_databases_are_ahead_and_which_copies_are_from_then() -> None:
    one = case("two releases")
    first, second = one.scene.ledger.order
    assert one.ended.databases == f"1 migration ahead of {first}: 003_three"
    assert one.ended.code == f"{first} is live"
    (todo,) = one.ended.todo
    assert f"mcc restore --site {BASE} --from before/{second} " in todo


def test_a_second_one_goes_to_the_release_before_that_and_never_to_and_fro() -> None:
    scene = two_releases()
    scene.bring(rich_files(3, ("001_one", "002_two", "003_three")))
    assert scene.deploy() == 0
    first, second, _ = scene.ledger.order
    for expected in (second, first):
        scene.world.time.pass_by(60)
        assert scene.go_back() == 0
        assert scene.live == expected
    with pytest.raises(UsageError, match=f"nothing that is kept was live before {first}"):
        scene.go_back()


def test_the_adopted_release_has_its_own_environment_and_jobs_again() -> None:
    one = case("to the adopted")
    disk, live = one.done.world.disk, one.done.ledger.live
    assert live is not None
    assert (live.name, live.origin) == (SCRIPTED, "adopted")
    assert disk.read_link(SITE.environment) == f"venvs/{live.environment}"
    assert str(live.environment).startswith("adopted-")
    assert disk.read(SITE.environment / "lib/app.py") == b"lock 3"
    assert one.done.world.cron.text.count(b"./backup.sh") == 1
    assert disk.read(BASE / "scripts/backup.sh") == b"#!/bin/sh\n# script 3\n"
    assert one.done.world.cron.text.startswith(scripted.FOREIGN)


def test_the_adopted_jobs_come_back_as_the_script_had_them() -> None:
    """Also if the release that adopted has another schedule for them."""
    scene = scripted.scripted()
    other = CronJob("30 4 * * *", "backup.sh", "backup.log", "MCC-BACKUP")
    scene.conf = dataclasses.replace(scene.conf, cron=(other,))
    assert scene.deploy() == 0
    assert b"30 4 * * *" in scene.world.cron.text
    back = of(scene)
    assert back.go_back() == 0
    assert b"30 4 * * *" not in back.world.cron.text
    assert b"# MCC-BACKUP\n0 2 * * * cd" in back.world.cron.text


def test_a_changed_environment_is_not_used_again_another_is_built_from_the_releases_lock() -> None:
    """The script synced into the second release's environment; the release itself gets a new one."""
    one = case("in turns")
    _, second = one.scene.ledger.order
    was = one.scene.ledger.get(second)
    live = one.done.ledger.live
    assert was is not None
    assert live is not None
    assert live.name == second
    assert live.environment not in (was.environment, None)
    disk = one.done.world.disk
    assert is_whole(disk, SITE.environments / str(live.environment))
    assert disk.read_link(BASE / "api" / second / ".venv") == f"../../venvs/{live.environment}"
    assert "was changed since it was built: it is built anew, from the uv.lock" in one.said
    assert "vrs-2026-02-27T150500 is live and not by mcc: it is adopted" in one.said
    adopted = one.done.ledger.get("vrs-2026-02-27T150500")
    assert adopted is not None
    assert (adopted.state, adopted.origin) == ("good", "adopted")
    assert live.back_from == adopted.name
    assert one.done.world.cron.text.count(b"./backup.sh") == 1


def test_an_environment_outside_of_venvs_is_not_mistaken_for_none() -> None:
    """A script's link led to it: the adopted code gets one from its own lock, and never runs in the newer one's."""
    scene = scripted.scripted()
    scene.world.disk.rename(SITE.environment, BASE / "env-of-the-script")
    scene.world.plant({str(SITE.environment): "env-of-the-script"})
    scene.world.start()
    scripted.settle(scene)
    assert scene.deploy() == 0
    newer = scene.world.disk.read_link(SITE.environment)
    scene.world.time.pass_by(60)
    back = of(scene)
    assert back.go_back() == 0
    own = back.world.disk.read_link(SITE.environment)
    assert own not in (newer, "env-of-the-script")
    assert set(back.world.serving().values()) == {f"api/{SCRIPTED} {own}"}


def test_there_is_a_way_to_the_adopted_one_although_its_environment_was_changed() -> None:
    scene = in_turns()
    assert scene.go_back() == 0
    scene.world.time.pass_by(60)
    scene.to = "vrs-2026-02-27T150500"
    assert scene.go_back() == 0
    live = scene.ledger.live
    assert live is not None
    assert is_whole(scene.world.disk, SITE.environments / str(live.environment))
    assert scene.world.disk.read(BASE / "uv.lock") == b"version = 8"


def test_a_release_that_does_not_answer_any_more_leaves_the_newer_one_live() -> None:
    one = case("the old one fails")
    assert one.before.difference(one.after) == []
    assert one.ended.code.startswith("as before (vrs-")
    assert one.ended.databases == "as before"
    assert one.done.ledger.get(one.scene.ledger.order[0]).state == "good"  # type: ignore[union-attr]


def test_it_never_goes_to_a_release_that_failed_was_pruned_or_is_live() -> None:
    scene = two_releases()
    scene.keep = 1
    scene.world.plant({f"{OUT}/api/BEHAVES": b"answers 500"})
    scene.world.revive()
    assert scene.deploy() == 1
    failed = scene.ledger.releases[-1].name
    first, second = scene.ledger.order[:2]
    scene.to = failed
    with pytest.raises(SiteError, match="it never came live") as refused:
        scene.go_back()
    assert refused.value.help == f"there is a way back to: {first}"
    scene.to = second
    with pytest.raises(SiteError, match="it is live"):
        scene.go_back()
    scene.to = second[:-1]
    with pytest.raises(UsageError, match="there is no release"):
        scene.go_back()
    scene.bring(rich_files(4, ("001_one", "002_two", "003_three")))
    scene.world.time.pass_by(60)
    assert scene.deploy() == 0
    scene.to = first
    with pytest.raises(SiteError, match="it is no longer on disk"):
        scene.go_back()


def test_without_its_folder_or_its_lock_there_is_no_way_back() -> None:
    scene = in_turns()
    second = scene.ledger.order[1]
    scene.world.disk.remove_tree(SITE.material(second))
    with pytest.raises(SiteError, match=r"was changed since it was built, and its uv\.lock is not kept"):
        scene.go_back()
    scene = two_releases()
    scene.world.disk.remove_tree(BASE / "ui" / scene.ledger.order[0])
    with pytest.raises(SiteError, match=r"ui/vrs-\S+ is gone"):
        scene.go_back()


def test_a_release_of_an_older_mcc_keeps_files_as_they_are_and_says_so() -> None:
    scene = two_releases()
    scene.world.disk.remove_tree(SITE.material(scene.ledger.order[0]))
    hands = FakeHands(scene.world)
    assert scene.go_back(hands) == 0
    said = " / ".join(event.text for event in hands.events if isinstance(event, Warned))
    assert "was deployed by an older mcc: scripts/, SITE_FILES and project files stay as they are" in said
    assert scene.world.disk.read(BASE / "scripts/backup.sh") == b"#!/bin/sh\n# 2\n"


def test_the_live_release_is_made_what_it_was_when_it_is_named() -> None:
    """Somebody pointed one link elsewhere; without that it is refused."""
    scene = two_releases()
    first, second = scene.ledger.order
    scene.world.disk.link(BASE / "current-ui", f"ui/{first}")
    scene.to = second
    assert scene.go_back() == 0
    assert scene.world.disk.read_link(BASE / "current-ui") == f"ui/{second}"


def test_the_guardian_does_not_take_a_release_that_was_live_before_for_one_that_came_live() -> None:
    """It fails, and its process dies at the very end, with all undone: the release of that name is live as before."""
    scene = two_releases()
    first, second = scene.ledger.order
    scene.world.disk.link(BASE / "current-ui", f"ui/{first}")
    scene.world.http.fixed = {"https://two.example.com/api": (503, "Service Unavailable")}
    scene.world.revive()
    scene.to = second
    done = scene.fork()
    assert done.go_back() == 1
    for at in range(done.world.process.ticks - 8, done.world.process.ticks + 1):
        died = scene.fork(kill_at=at)
        assert died.go_back(FakeHands(died.world, guardian=True)) == 1, at


def test_a_person_who_switched_the_links_by_hand_is_understood() -> None:
    """They went from the second to the first: before that nothing was live; to the second there is a way."""
    scene = two_releases()
    first, second = scene.ledger.order
    for name in ("api", "ui"):
        scene.world.disk.link(BASE / f"current-{name}", f"{name}/{first}")
    with pytest.raises(UsageError, match=f"nothing that is kept was live before {first}"):
        scene.go_back()
    scene.to = second
    assert scene.go_back() == 0
    assert scene.live == second
    assert scene.ledger.live.back_from == first  # type: ignore[union-attr]


def test_alembics_revision_is_said_and_the_way_back_too() -> None:
    scene = test_alembic_kills.scene()
    assert scene.deploy() == 0
    scene.world.postgres.applied[("shop", "public")] = ("b2",)
    scene.world.time.pass_by(60)
    back, hands = of(scene), FakeHands(scene.world)
    first, second = back.ledger.order
    assert back.go_back(hands) == 0
    ended = [event for event in hands.events if isinstance(event, RunEnded)][-1]
    assert ended.databases == f"at alembic's revision b2, which {first} does not know"
    assert f"--from before/{second} " in ended.todo[0]


def test_a_version_that_somebody_linked_by_hand_has_the_jobs_of_the_block() -> None:
    """An older one of the script, which no line of the crontab is left of: it is adopted with the jobs that run now."""
    scene = scripted.scripted()
    assert scene.deploy() == 0
    for name in ("api", "ui"):
        scene.world.disk.link(BASE / f"current-{name}", f"{name}/{scripted.OLDER}")
    scene.world.time.pass_by(60)
    scene.bring(rich_files(3, ("001_one", "002_two")))
    scripted.settle(scene)
    assert scene.deploy() == 0
    back = of(scene, scripted.OLDER)
    assert back.go_back() == 0
    assert back.world.cron.text.count(b"./backup.sh") == 1


def test_a_release_that_is_marked_bad_says_why_and_by_whom_and_is_never_gone_back_to() -> None:
    scene = a_bad_one()
    assert scene.go_back() == 0
    first, second = scene.ledger.order
    bad = scene.ledger.get(second)
    assert bad is not None
    assert (bad.state, bad.bad, bad.bad_by, bad.bad_at[:10]) == ("bad", "it loses orders", "deploy", "2026-02-27")
    assert scene.live == first
    scene.to, scene.bad = second, None
    with pytest.raises(SiteError, match=f"no way back to {second}: it was marked bad by deploy: it loses orders"):
        scene.go_back()


def test_a_later_rollback_passes_a_bad_release_by() -> None:
    scene = a_bad_one()
    assert scene.go_back() == 0
    first, second = scene.ledger.order
    scene.bring(rich_files(3, ("001_one", "002_two", "003_three")))
    scene.world.time.pass_by(60)
    assert scene.deploy() == 0
    scene.world.time.pass_by(60)
    scene.bad = None
    assert scene.go_back() == 0
    assert (scene.live, scene.ledger.get(second).state) == (first, "bad")  # type: ignore[union-attr]


def test_a_bad_release_that_somebody_links_by_hand_stays_bad() -> None:
    scene = a_bad_one()
    assert scene.go_back() == 0
    first, second = scene.ledger.order
    for name in ("api", "ui"):
        scene.world.disk.link(BASE / f"current-{name}", f"{name}/{second}")
    scene.world.time.pass_by(60)
    scene.to, scene.bad = first, None
    assert scene.go_back() == 0
    assert (scene.live, scene.ledger.get(second).state) == (first, "bad")  # type: ignore[union-attr]


def test_a_rollback_that_fails_marks_nothing() -> None:
    scene = the_old_one_fails()
    scene.bad = "it loses orders"
    assert scene.go_back() == 1
    assert [release.bad for release in scene.ledger.releases] == ["", ""]


def test_a_release_cannot_be_left_as_bad_and_come_live() -> None:
    scene = two_releases()
    first, second = scene.ledger.order
    scene.world.disk.link(BASE / "current-ui", f"ui/{first}")
    scene.to, scene.bad = second, "it loses orders"
    with pytest.raises(UsageError, match=f"{second} is live: --mark-bad marks what is left"):
        scene.go_back()


def test_what_came_live_meanwhile_is_not_marked_instead() -> None:
    scene = a_bad_one()
    asked = scene.back
    assert asked.leaving == scene.ledger.order[1]
    other = dataclasses.replace(asked, leaving="vrs-2026-02-27T160000")
    with pytest.raises(SiteError, match=r"another run was faster: vrs-.* was to be marked bad"):
        rollback(other, FakeHands(scene.world))


@pytest.mark.parametrize("reason", ["", " \n ", "x" * 501])
def test_a_mark_needs_a_reason_of_one_line(reason: str) -> None:
    with pytest.raises(UsageError, match="reason"):
        bad_reason(reason)
    assert bad_reason("it\nloses\x1b orders") == "it loses orders"


def test_secrets_of_the_conf_are_masked_in_a_mark() -> None:
    scene = two_releases()
    scene.conf = dataclasses.replace(scene.conf, secrets=frozenset({"hunter2000"}))
    scene.bad = "anyone can log in by hunter2000"
    assert scene.go_back() == 0
    assert b"hunter2000" not in scene.world.disk.read(SITE.ledger)
    assert b"anyone can log in by" in scene.world.disk.read(SITE.ledger)


def test_an_environment_that_is_gone_is_built_anew_and_said_before() -> None:
    one = case("its environment is gone")
    live = one.done.ledger.live
    assert live is not None
    assert is_whole(one.done.world.disk, SITE.environments / str(live.environment))
    assert f"of {live.name} is gone: it is built anew, from the uv.lock" in one.said
    (before, now) = (standings(each.world.disk, SITE, each.ledger.releases) for each in (one.scene, one.done))
    assert before[live.name].rebuilds.endswith(" is gone")
    assert [each.rebuilds for each in now.values()] == ["", ""]
    planned = plan_rollback(one.scene.fork().back, FakeHands(one.scene.fork().world))
    assert any("is gone: it is built anew" in text for text in planned.warnings)


def test_a_plan_changes_nothing() -> None:
    scene = to_the_adopted()
    before, ticks = state_of(scene), scene.world.process.ticks
    plan = plan_rollback(scene.back, FakeHands(scene.world))
    assert any(step.title.startswith("databases: 2 migrations ahead of") for step in plan.steps)
    assert state_of(scene).difference(before) == []
    assert scene.world.process.ticks == ticks


@pytest.mark.parametrize("name", CASES)
def test_killed_at_any_effect_it_is_before_or_after(name: str) -> None:
    one = case(name)
    for scene, where in killed(one.scene, BackScene.go_back, some(45, one.effects, name)):
        one.check(scene, where)


@pytest.mark.parametrize("name", CASES)
def test_killed_again_while_it_is_recovered(name: str) -> None:
    one = case(name)
    for scene, where in killed_twice(one.scene, BackScene.go_back, some(3, one.effects, f"{name} twice"), 9):
        one.check(scene, where)


@pytest.mark.parametrize("name", CASES)
def test_a_power_cut_at_any_effect(name: str) -> None:
    one = case(name)
    for scene, where in cut_off(one.scene, BackScene.go_back, some(10, one.effects, f"{name} power")):
        one.check(scene, where)
