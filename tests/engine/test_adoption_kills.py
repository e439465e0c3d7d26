"""A site that a script made is taken over, or is exactly the script's site again, wherever the deploy dies."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping

import pytest

from fakes import scripted
from fakes.deaths import cut_off, killed, killed_twice, some
from fakes.hands import FakeHands
from fakes.scenes import BASE, OUT, Scene, rich_files
from fakes.scripted import FOREIGN, SCRIPTED, state_of
from fakes.tree import Who
from mcc.core.layout import Site
from mcc.deploy.run import deploy
from mcc.errors import SiteError
from mcc.host.environments import fingerprint
from mcc.model.conf import Environment
from mcc.model.event import RunEnded, Warned

SITE = Site(BASE)


def _broken() -> Scene:
    scene = scripted.scripted()
    scene.world.plant({"/home/deploy/output/api/BEHAVES": b"answers 500"})
    return scene


def _without_exchange() -> Scene:
    scene = scripted.scripted()
    scene.world.tree.can_exchange = False
    return scene


def _broken_without_exchange() -> Scene:
    scene = _broken()
    scene.world.tree.can_exchange = False
    return scene


def in_turns() -> Scene:
    """mcc, the script, and now mcc again."""
    scene = scripted.scripted()
    assert scene.deploy() == 0
    scene.world.time.pass_by(600)
    scripted.script_deploys(scene, "vrs-2026-02-27T150500", 8)
    scene.bring(rich_files(9, ("001_one", "002_two")))
    scripted.settle(scene)
    return scene


CASES: Mapping[str, tuple[Callable[[], Scene], int]] = {
    "adopt": (scripted.scripted, 0),
    "adopt a broken one": (_broken, 1),
    "without exchange": (_without_exchange, 0),
    "broken without exchange": (_broken_without_exchange, 1),
    "in turns": (in_turns, 0),
}


class Case:
    def __init__(self, name: str) -> None:
        make, self.code = CASES[name]
        self.scene = make()
        self.before = state_of(self.scene)
        done = self.scene.fork()
        self.hands = FakeHands(done.world)
        assert done.deploy(self.hands) == self.code
        self.done, self.after, self.effects = done, state_of(done), done.world.process.ticks

    def check(self, scene: Scene, where: str) -> None:
        now = state_of(scene)
        differences = [expected.difference(now) for expected in (self.before, self.after)]
        assert not min(differences, key=len), f"{where}: mixed: {min(differences, key=len)}"
        assert scene.world.orphans() == [], where
        assert scene.journals() == [], where


@functools.cache
def case(name: str) -> Case:
    return Case(name)


def test_the_first_deploy_takes_the_site_over() -> None:
    one = case("adopt")
    adopted, live = one.done.ledger.releases
    assert (adopted.name, adopted.state, adopted.origin) == (SCRIPTED, "good", "adopted")
    assert adopted.links == (("current-api", f"api/{SCRIPTED}"), ("current-ui", f"ui/{SCRIPTED}"))
    assert live.state == "live"
    environment = SITE.environments / str(adopted.environment)
    before, after = one.scene.world, one.done.world
    assert fingerprint(after.disk, environment) == fingerprint(before.disk, SITE.environment) == adopted.fingerprint
    assert after.disk.owner(environment)[0] == scripted.SERVICE_USER
    assert after.disk.read_link(SITE.environment) == f"venvs/{live.environment}"
    kept = SITE.material(SCRIPTED)
    assert after.disk.read(kept / "uv.lock") == b"version = 3"
    assert after.disk.read(kept / "scripts/backup.sh") == b"#!/bin/sh\n# script 3\n"
    assert after.disk.read(kept / "crontab").count(b"\n") == 2


def test_doubled_jobs_are_one_afterwards_and_foreign_lines_stay() -> None:
    one = case("adopt")
    assert one.scene.world.cron.text.count(b"./backup.sh") == 3
    assert one.done.world.cron.text.startswith(FOREIGN)
    assert one.done.world.cron.text.count(b"./backup.sh") == 1


def test_older_folders_of_the_script_stay_as_long_as_the_script_would_keep_them() -> None:
    scene = scripted.scripted()
    scene.keep = 2
    assert scene.deploy() == 0
    assert scripted.OLDER not in scene.world.disk.names(BASE / "api")
    assert case("adopt").scene.keep == 3
    assert scripted.OLDER in case("adopt").done.world.disk.names(BASE / "api")


@pytest.mark.parametrize("name", ["adopt a broken one", "broken without exchange"])
def test_a_failed_deploy_gives_exactly_the_scripts_site_back(name: str) -> None:
    one = case(name)
    assert one.before.difference(one.after) == []
    (failed,) = one.done.ledger.releases
    assert failed.state == "failed"
    assert one.done.world.disk.names(SITE.own / "releases") == []


def test_where_names_cannot_be_exchanged_it_is_said() -> None:
    said = [event.text for event in case("without exchange").hands.events if isinstance(event, Warned)]
    assert any("cannot exchange two names at once" in text for text in said)


def test_what_the_script_did_in_between_is_said_and_adopted_again() -> None:
    one = case("in turns")
    said = " / ".join(event.text for event in one.hands.events if isinstance(event, Warned))
    first = one.scene.live
    assert f"current-api was changed by someone else: it is {BASE}/api/vrs-2026-02-27T150500" in said
    assert "was changed since it was built: it is not used again" in said
    assert "uv.lock of the site is not what" in said
    assert "jobs of this site a second time" in said
    assert "vrs-2026-02-27T150500 is live and not by mcc: it is adopted" in said
    states = {release.name: (release.state, release.origin) for release in one.done.ledger.releases}
    assert states["vrs-2026-02-27T150500"] == ("good", "adopted")
    assert states[str(first)] == ("good", "")
    assert one.done.ledger.order == (SCRIPTED, first, "vrs-2026-02-27T150500", one.done.live)
    used = {release.name: release.environment for release in one.done.ledger.releases}
    assert used[str(one.done.live)] != used[str(first)]


@pytest.mark.parametrize("name", CASES)
def test_killed_at_any_effect_it_is_the_scripts_site_or_mccs(name: str) -> None:
    one = case(name)
    for scene, where in killed(one.scene, Scene.deploy, some(45, one.effects, name)):
        one.check(scene, where)


@pytest.mark.parametrize("name", CASES)
def test_killed_again_while_it_is_recovered(name: str) -> None:
    one = case(name)
    for scene, where in killed_twice(one.scene, Scene.deploy, some(3, one.effects, f"{name} twice"), 9):
        one.check(scene, where)


@pytest.mark.parametrize("name", ["adopt", "adopt a broken one", "in turns"])
def test_a_power_cut_at_any_effect(name: str) -> None:
    one = case(name)
    for scene, where in cut_off(one.scene, Scene.deploy, some(12, one.effects, f"{name} power")):
        one.check(scene, where)


def test_an_environment_that_may_not_be_moved_is_refused_with_the_line_for_root() -> None:
    scene = scripted.scripted()
    node = scene.world.disk.node(SITE.environment)
    node.owner, node.mode = ("root", "root"), 0o755
    scene.world._who = Who("deploy", frozenset({"deploy"}))
    scene.world.revive()
    with pytest.raises(SiteError, match=r"may not move it") as refused:
        scene.deploy()
    assert refused.value.help == f"as root: chown deploy {SITE.environment}"


def test_a_release_without_an_environment_leaves_the_scripts_alone() -> None:
    scene = scripted.scripted()
    for name in ("pyproject.toml", "uv.lock"):
        scene.world.disk.remove(OUT / name)
    scene.conf = dataclasses.replace(scene.conf, environment=Environment())
    scene.world.revive()
    assert scene.deploy() == 0
    assert scene.world.disk.kind(SITE.environment) == "folder"
    adopted = scene.ledger.get(SCRIPTED)
    assert adopted is not None
    assert adopted.environment is None


def test_what_another_user_made_in_an_old_environment_is_named_and_the_rest_goes() -> None:
    """Bytecode in a folder that only the service user can write."""
    scene = scripted.scripted()
    scene.world.plant({f"{BASE}/.venv/lib/__pycache__/app.pyc": b"bytecode"}, "www-data")
    scene.world._who = Who("deploy", frozenset({"deploy"}))
    scripted.settle(scene)
    scene.keep = 1
    assert scene.deploy() == 0
    environment = next(name for name in scene.world.disk.names(SITE.environments) if name.startswith("adopted-"))
    scene.world.time.pass_by(60)
    hands = FakeHands(scene.world)
    assert scene.deploy(hands) == 0
    said = " / ".join(event.text for event in hands.events if isinstance(event, Warned))
    assert f"not all could be removed; as root: rm -r {SITE.environments / environment}" in said
    assert SCRIPTED not in scene.world.disk.names(BASE / "api")


def test_a_failed_deploy_says_that_the_code_is_as_before() -> None:
    ended = [event for event in case("adopt a broken one").hands.events if isinstance(event, RunEnded)]
    assert ended[-1].code == "as before (what a script made is live)"


def test_a_link_that_is_gone_makes_nothing_else_live() -> None:
    """It is said, and made again; what was live was made so by mcc all the same."""
    scene = case("adopt").done.fork()
    scene.world.disk.remove(BASE / "current-ui")
    hands = FakeHands(scene.world)
    assert deploy(scene.request, hands) == 0
    said = " / ".join(event.text for event in hands.events if isinstance(event, Warned))
    assert "current-ui was changed by someone else: it is absent" in said
    assert "somebody made" not in said
