"""A site is given back to its script, or stays exactly as it was, wherever the run dies."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from fakes import scenes, scripted
from fakes.deaths import cut_off, killed, killed_twice, some
from fakes.hands import FakeHands
from fakes.host import Killed
from fakes.scenes import BASE, Scene
from fakes.scripted import SERVICE_USER, state_of
from mcc.core.layout import Site
from mcc.deploy.rollback import rollback
from mcc.deploy.way_back import RollbackRequest, choose
from mcc.errors import SiteError, UsageError
from mcc.model.conf import CronJob
from mcc.operations.leave import leave, plan_leave, put_aside, was_left
from mcc.operations.site import Asked

SITE = Site(BASE)


@dataclass(slots=True)
class LeaveScene(Scene):
    """A machine right before the site is given back."""

    def fork(self, kill_at: int | None = None, fail_at: int | None = None) -> LeaveScene:
        return LeaveScene(self.world.fork(kill_at, fail_at), self.conf, self.keep)

    @property
    def asked(self) -> Asked:
        return Asked(SITE, self.conf, "prod")

    def leave(self) -> int:
        return leave(self.asked, FakeHands(self.world)).code

    def left(self) -> bool:
        return was_left(self.world.disk, SITE)


def of(scene: Scene) -> LeaveScene:
    scripted.settle(scene)
    return LeaveScene(scene.world, scene.conf, scene.keep)


def from_mcc() -> LeaveScene:
    scene = scenes.second()
    assert scene.deploy() == 0
    scene.world.time.pass_by(60)
    return of(scene)


def from_the_adopted() -> LeaveScene:
    """The release that a script made is live again."""
    scene = scripted.scripted()
    assert scene.deploy() == 0
    scene.world.time.pass_by(60)
    release = choose(scene.world.disk, SITE, scene.ledger, None)
    conf = dataclasses.replace(scene.conf, path=SITE.conf(release.name))
    assert rollback(RollbackRequest(SITE, release, conf), FakeHands(scene.world)) == 0
    scene.world.time.pass_by(60)
    return of(scene)


def without_exchange() -> LeaveScene:
    scene = from_mcc()
    scene.world.tree.can_exchange = False
    return scene


def does_not_start() -> LeaveScene:
    """With the environment at its old place, and only there."""
    scene = from_mcc()
    scene.world.units.broken = {" .venv": "answers 500"}
    return scene


CASES: Mapping[str, tuple[Callable[[], LeaveScene], int]] = {
    "from mcc": (from_mcc, 0),
    "from the adopted": (from_the_adopted, 0),
    "without exchange": (without_exchange, 0),
    "does not start": (does_not_start, 1),
}


class Case:
    def __init__(self, name: str) -> None:
        make, code = CASES[name]
        self.scene = make()
        self.before = state_of(self.scene)
        done = self.scene.fork()
        assert done.leave() == code
        self.done, self.after, self.effects = done, _here(done), done.world.process.ticks

    def check(self, scene: LeaveScene, where: str) -> None:
        """Before; or after, with only the name of ``.mcc`` left to be changed."""
        assert scene.journals() == [], where
        if scene.left():
            put_aside(SITE, FakeHands(scene.world))
        now = _here(scene)
        differences = [expected.difference(now) for expected in (self.before, self.after)]
        assert not min(differences, key=len), f"{where}: mixed: {min(differences, key=len)}"
        assert scene.world.orphans() == [], where


def _here(scene: Scene) -> scenes.State:
    """Without what was put aside, whose name is a time."""
    state = state_of(scene)
    site = {path: what for path, what in state.site.items() if "/.mcc-left-" not in path}
    return dataclasses.replace(state, site=site)


@functools.cache
def case(name: str) -> Case:
    return Case(name)


def test_the_environment_is_a_real_one_whose_scripts_name_its_place() -> None:
    one = case("from mcc")
    scene = one.scene.fork()
    name = scene.world.disk.read_link(SITE.environment)
    bin = BASE / name / "bin"
    scene.world.disk.write(bin / "uvicorn", f"#!{BASE / name}/bin/python\n".encode(), 0o755)
    assert scene.leave() == 0
    disk = scene.world.disk
    assert disk.kind(SITE.environment) == "folder"
    assert disk.read(SITE.environment / "bin/uvicorn") == f"#!{SITE.environment}/bin/python\n".encode()
    assert disk.mode(SITE.environment / "bin/uvicorn") == 0o755
    assert disk.kind(SITE.environment / ".mcc-environment.json") == "absent"
    assert disk.kind(SITE.environments) == "absent"
    assert disk.kind(SITE.own) == "absent"
    assert [name for name in disk.names(BASE) if name.startswith(".mcc-left-")]
    assert set(one.done.world.serving().values()) == {f"{disk.read_link(BASE / 'current-api')} .venv"}


def test_the_crontab_has_plain_lines_where_the_block_was() -> None:
    one = case("from mcc")
    text = one.done.world.cron.text
    assert b"# BEGIN mcc" not in text
    assert b".mcc" not in text
    assert text.count(b"./backup.sh") == 1
    assert text.startswith(b"MAILTO=ops@example.com\n5 4 * * * /usr/bin/true\n# MCC-BACKUP\n0 2 * * * cd")


def test_lines_with_a_secret_come_back_whole_also_when_the_run_is_finished_by_another() -> None:
    """Journals mask secrets; what is written behind the commit must not come from one."""
    scene = from_mcc()
    job = CronJob("", "", "", "MCC-PING", line="* * * * * curl -u me:swordfish https://example.com")
    scene.conf = dataclasses.replace(scene.conf, cron=(job,), secrets=frozenset({"swordfish"}))
    done = scene.fork()
    assert done.leave() == 0
    assert done.world.cron.text.endswith(b"# MCC-PING\n* * * * * curl -u me:swordfish https://example.com\n")
    for at in range(1, done.world.process.ticks - 1, 3):
        died = scene.fork(kill_at=at)
        with pytest.raises(Killed):
            died.leave()
        if journals := [name for name in died.journals() if name.endswith(".jsonl")]:
            assert b"swordfish" not in died.world.disk.read(SITE.journals / journals[0])
        died.world.revive()
        died.recover()
        assert (b"swordfish" in died.world.cron.text) == died.left(), at


def test_an_adopted_environment_goes_back_to_its_place_as_it_is() -> None:
    one = case("from the adopted")
    disk = one.done.world.disk
    assert disk.owner(SITE.environment)[0] == SERVICE_USER
    assert disk.read(SITE.environment / "lib/app.py") == b"lock 3"
    assert one.done.world.cron.text.count(b"./backup.sh") == 1


def test_services_that_do_not_start_from_it_leave_everything_as_it_was() -> None:
    one = case("does not start")
    assert one.before.difference(one.after) == []


def test_the_script_and_then_mcc_again_find_a_site_of_the_script() -> None:
    scene = case("from mcc").done.fork()
    scene.world.time.pass_by(600)
    scripted.script_deploys(scene, "vrs-2026-02-27T150500", 8)
    scene.bring(scenes.rich_files(9, ("001_one", "002_two", "003_three")))
    scripted.settle(scene)
    assert scene.deploy() == 0
    first = scene.ledger.releases[0]
    assert (first.name, first.origin) == ("vrs-2026-02-27T150500", "adopted")


def test_what_was_never_live_by_mcc_is_the_scripts_already() -> None:
    scene = of(scripted.scripted())
    with pytest.raises(UsageError, match="nothing that mcc has brought live"):
        scene.leave()


def before_the_last_rename() -> LeaveScene:
    """The run has ended, and died before ``.mcc`` got another name; the next one is a deploy."""
    scene = from_mcc()
    died = scene.fork(kill_at=case("from mcc").effects - 1)
    with pytest.raises(Killed):
        died.leave()
    assert died.left()
    assert died.world.disk.kind(SITE.own) == "folder"
    died.world.revive()
    died.world.time.pass_by(60)
    died.bring(scenes.rich_files(9, ("001_one", "002_two", "003_three")))
    scripted.settle(died)
    return died


def test_a_deploy_that_died_in_between_is_recovered_before_its_journal_goes_aside() -> None:
    scene = before_the_last_rename()
    before, done = _here(scene), scene.fork()
    assert done.deploy() == 0
    at = 1 + next(at for at, (what, _) in enumerate(done.world.process.trace) if what.startswith("services.restart"))
    died = scene.fork(kill_at=at)
    with pytest.raises(Killed):
        died.deploy()
    died.world.revive()
    put_aside(SITE, FakeHands(died.world))
    assert before.difference(_here(died)) == []
    assert died.world.disk.kind(SITE.own) == "absent"


def test_a_site_that_was_deployed_in_between_is_not_put_aside() -> None:
    scene = before_the_last_rename()
    assert scene.deploy() == 0
    with pytest.raises(SiteError, match="mcc has deployed"):
        put_aside(SITE, FakeHands(scene.world))
    assert scene.world.disk.kind(SITE.own) == "folder"


def test_services_of_the_embedded_manager_would_lose_it_and_nothing_is_started() -> None:
    """It lives in ``.mcc``, and a script knows nothing of it."""
    scene = from_mcc()
    scene.conf = dataclasses.replace(scene.conf, services=dataclasses.replace(scene.conf.services, manager="embedded"))
    before = state_of(scene)
    with pytest.raises(SiteError, match="SERVICE_MANAGER: embedded"):
        scene.leave()
    assert state_of(scene).difference(before) == []


def test_a_deploy_that_is_finished_first_has_a_conf_of_its_own() -> None:
    """It was committed and died; what was read for the leave is the conf of the release before."""
    scene = from_mcc()
    conf = dataclasses.replace(scene.conf, path=SITE.conf(str(scene.live)))
    scene.bring(scenes.rich_files(9, ("001_one", "002_two", "003_three")))
    scripted.settle(scene)
    done = scene.fork()
    assert done.deploy() == 0
    at = done.world.process.trace.index(("append", str(SITE.ledger))) + 1
    died = scene.fork(kill_at=at)
    with pytest.raises(Killed):
        died.deploy()
    died.world.revive()
    with pytest.raises(SiteError, match=f"{done.live} is live by now"):
        leave(Asked(SITE, conf, "prod"), FakeHands(died.world))
    assert state_of(done).difference(state_of(died)) == []


def test_a_plan_changes_nothing() -> None:
    scene = from_mcc()
    before, ticks = state_of(scene), scene.world.process.ticks
    plan = plan_leave(scene.asked, FakeHands(scene.world))
    assert [step.phase for step in plan.after] == ["after", "record", "prune"]
    assert (state_of(scene).difference(before), scene.world.process.ticks) == ([], ticks)


@pytest.mark.parametrize("name", CASES)
def test_killed_at_any_effect_it_is_before_or_after(name: str) -> None:
    one = case(name)
    last = one.effects - 2  # .mcc gets another name by one rename, when the run has ended
    for scene, where in killed(one.scene, LeaveScene.leave, some(45, last, name)):
        one.check(scene, where)


@pytest.mark.parametrize("name", CASES)
def test_killed_again_while_it_is_recovered(name: str) -> None:
    one = case(name)
    for scene, where in killed_twice(one.scene, LeaveScene.leave, some(3, one.effects - 2, f"{name} twice"), 9):
        one.check(scene, where)


@pytest.mark.parametrize("name", CASES)
def test_a_power_cut_at_any_effect(name: str) -> None:
    one = case(name)
    for scene, where in cut_off(one.scene, LeaveScene.leave, some(10, one.effects - 2, f"{name} power")):
        one.check(scene, where)
