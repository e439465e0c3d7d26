"""A frozen site takes no release; a freeze that dies half-way is there or not."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import pytest

from engine import test_rollback_kills as back
from engine.test_maintenance_kills import Switching, live
from fakes import scenes
from fakes.deaths import dead
from fakes.hands import FakeHands
from fakes.host import FakeWorld
from fakes.scenes import BASE, Scene
from mcc.core.layout import Site
from mcc.deploy.reset import plan_reset, reset
from mcc.deploy.run import plan_deploy
from mcc.errors import SiteError, UsageError
from mcc.operations.backup import back_up
from mcc.operations.freeze import freeze, unfreeze
from mcc.operations.leave import leave, plan_leave
from mcc.operations.site import Asked
from mcc.runs.frozen import frozen

SITE = Site(BASE)
WORDS = "is frozen by deploy since 2026-02-27T15:0.* the audit goes on"


def freeze_it(world: FakeWorld) -> None:
    freeze(SITE, "the  audit\ngoes on", world.host())
    world.revive()


def frozen_scene(make: Callable[[], Scene] = scenes.second) -> Scene:
    scene = make()
    freeze_it(scene.world)
    return scene


def test_the_file_says_who_when_and_why() -> None:
    scene = frozen_scene()
    data = json.loads(scene.world.disk.read(SITE.frozen))
    assert data.keys() == {"who", "when", "reason"}
    assert (data["who"], data["reason"]) == ("deploy", "the audit goes on")


def test_deploys_resets_and_leaving_are_refused_and_nothing_is_touched() -> None:
    scene = frozen_scene()
    asked = Asked(SITE, scene.conf, "prod")
    hands = FakeHands(scene.world)
    before = scene.world.snapshot(BASE)
    acts: tuple[Callable[[], object], ...] = (
        scene.deploy,
        lambda: plan_deploy(scene.request, hands),
        lambda: reset(scene.request, hands),
        lambda: plan_reset(scene.request, hands),
        lambda: leave(asked, hands),
        lambda: plan_leave(asked, hands),
    )
    for act in acts:
        with pytest.raises(SiteError, match=WORDS) as refused:
            act()
        assert refused.value.help == f"when that is over: mcc unfreeze --site {BASE}"
    assert scene.world.snapshot(BASE) == before


def test_a_refused_deploy_leaves_a_dead_run_as_it_lies() -> None:
    scene = scenes.second()
    died = dead(scene, Scene.deploy, 60)
    died.world.revive()
    freeze_it(died.world)
    journals = died.journals()
    assert journals != []
    with pytest.raises(SiteError, match=WORDS):
        died.deploy()
    assert died.journals() == journals


def test_it_is_said_at_once_although_another_run_holds_the_site() -> None:
    """Nobody waits for a lock to be told that."""
    scene = frozen_scene()
    hands = FakeHands(scene.world)
    hands.lock(SITE, {})
    with pytest.raises(SiteError, match=WORDS):
        scene.deploy(hands)


def test_a_site_frozen_while_a_deploy_waits_for_it_is_frozen_for_that_deploy() -> None:
    scene = scenes.second()
    hands = FakeHands(scene.world)
    real = hands.lock

    def lock(site: Site, holder: object) -> object:
        held = real(site, {})
        freeze(SITE, "the audit goes on", scene.world.host())
        return held

    hands.lock = lock  # type: ignore[method-assign, assignment]
    with pytest.raises(SiteError, match=WORDS):
        scene.deploy(hands)
    assert scene.journals() == []


def test_a_rollback_a_backup_and_maintenance_go_on() -> None:
    scene = back.two_releases()
    freeze_it(scene.world)
    assert scene.go_back() == 0
    assert scene.live == scene.ledger.order[0]
    assert back_up(Asked(SITE, scene.conf, "prod"), (), FakeHands(scene.world)) == 0
    switching: Switching = live()
    freeze_it(switching.world)
    assert switching.switch() == 0


def test_it_is_deployed_again_when_it_is_not_frozen_any_more() -> None:
    scene = frozen_scene()
    was = unfreeze(SITE, scene.world.host())
    assert was is not None
    assert was.reason == "the audit goes on"
    assert unfreeze(SITE, scene.world.host()) is None
    assert scene.deploy() == 0


def test_a_second_freeze_does_not_lose_the_first_reason() -> None:
    scene = frozen_scene()
    with pytest.raises(SiteError, match=r"frozen already, by deploy since .*: the audit goes on"):
        freeze(SITE, "mine", scene.world.host())
    found = frozen(SITE, scene.world.disk)
    assert found is not None
    assert found.reason == "the audit goes on"


@pytest.mark.parametrize("text", [b"", b"not json", b"[]", b'{"who": null}', b"\xff"])
def test_a_file_that_somebody_made_by_hand_freezes_too(text: bytes) -> None:
    scene = scenes.second()
    scene.world.plant({str(SITE.frozen): text})
    with pytest.raises(SiteError, match="is frozen by hand"):
        scene.deploy()
    assert unfreeze(SITE, scene.world.host()) is not None


def test_a_folder_in_its_place_freezes_and_is_not_removed() -> None:
    scene = scenes.second()
    scene.world.plant({str(SITE.frozen): None})
    with pytest.raises(SiteError, match="is frozen by hand"):
        scene.deploy()
    with pytest.raises(SiteError, match="which mcc did not make"):
        unfreeze(SITE, scene.world.host())


def test_a_reason_cannot_rewrite_the_screen_and_is_not_a_novel() -> None:
    scene = scenes.second()
    with pytest.raises(UsageError, match="has 501 characters"):
        freeze(SITE, "x" * 501, scene.world.host())
    assert freeze(SITE, "a\x1b[2Jb\rc", scene.world.host()).reason == "a [2Jb c"


def test_root_freezes_no_site_of_somebody_else() -> None:
    scene = scenes.second()
    root = dataclasses.replace(scene.world.host(), machine=_Root())  # type: ignore[arg-type]
    with pytest.raises(SiteError, match="belongs to deploy"):
        freeze(SITE, "", root)
    assert frozen(SITE, scene.world.disk) is None


class _Root:
    def user(self) -> str:
        return "root"


def _freeze(scene: Scene) -> object:
    return freeze(SITE, "the audit goes on", scene.world.host())


def _unfreeze(scene: Scene) -> object:
    return unfreeze(SITE, scene.world.host())


@pytest.mark.parametrize("act", [_freeze, _unfreeze])
def test_killed_at_any_effect_or_cut_off_it_is_frozen_with_its_reason_or_not(act: Callable[[Scene], object]) -> None:
    scene = scenes.second() if act is _freeze else frozen_scene()
    done = scene.fork()
    act(done)
    assert done.world.process.ticks > 0
    for at in range(1, done.world.process.ticks + 1):
        died = dead(scene, act, at)
        cut = died.fork()
        cut.world.power_cut(at)
        for each in (died, cut):
            each.world.revive()
            found = frozen(SITE, each.world.disk)
            assert found is None or found.reason == "the audit goes on", at
            unfreeze(SITE, each.world.host())
            assert each.deploy() == 0, at
            assert each.temporaries() == [], at
