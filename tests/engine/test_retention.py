"""What a deploy clears away, and what it never does: what runs, what may run, what a rollback needs."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from engine.test_rollback_kills import of
from fakes import scenes
from fakes.deaths import FULL, some
from fakes.hands import FakeHands
from fakes.host import FakeWorld
from fakes.scenes import BASE, OUT, Scene
from mcc.errors import StepError
from mcc.model.conf import Services, Smoke
from mcc.model.event import RunEnded, StepStarted, Warned
from mcc.runs.in_use import running

MIGRATIONS = ("001_one", "002_two", "003_three")


def deployed(scene: Scene, *numbers: int, keep: int = 5) -> list[str]:
    """Deploys, each with an environment of its own; the names of the releases."""
    scene.keep, names = keep, []
    for number in numbers:
        bring(scene, number)
        assert scene.deploy() == 0
        names.append(str(scene.live))
    return names


def bring(scene: Scene, number: int) -> None:
    scene.world.time.pass_by(60)
    scene.bring(scenes.rich_files(number, MIGRATIONS))
    scene.world.revive()


def states(scene: Scene) -> list[str]:
    return [release.state for release in scene.ledger.releases]


def environments(scene: Scene) -> list[str]:
    """The releases that still have theirs."""
    there = scene.world.disk.names(BASE / "venvs")
    return [release.name for release in scene.ledger.standing() if release.environment in there]


def said(hands: FakeHands) -> list[str]:
    return [event.text for event in hands.events if isinstance(event, Warned)]


class TestInUse:
    def test_a_service_that_no_deploy_restarts_keeps_its_release_and_environment(self) -> None:
        """A worker that the conf names no more goes on with the code that it was started with, however old."""
        scene = scenes.first()
        (first,) = deployed(scene, 1)
        scene.conf = dataclasses.replace(scene.conf, services=Services(names=("app.service",)))
        second, third, fourth = deployed(scene, 2, 3, 4, keep=1)
        assert first in scene.world.serving()["worker.service"]
        assert scene.world.orphans() == []
        assert environments(scene) == [first, second, third, fourth], "it may have looked at a link at any time since"

    def test_it_is_said_which_service_that_is_and_once_it_is_restarted_they_go(self) -> None:
        scene = scenes.first()
        deployed(scene, 1)
        scene.conf = dataclasses.replace(scene.conf, services=Services(names=("app.service",)))
        deployed(scene, 2, 3, keep=1)
        hands = FakeHands(scene.world)
        bring(scene, 4)
        assert scene.deploy(hands) == 0
        assert any(
            "beyond keep_builds stay: worker.service has run since 2026-02-27 15:0" in text for text in said(hands)
        )
        scene.world.start("worker.service")
        hands = FakeHands(scene.world)
        bring(scene, 5)
        assert scene.deploy(hands) == 0
        assert states(scene) == ["pruned", "pruned", "pruned", "good", "live"]
        assert not any("keep_builds" in text for text in said(hands))

    def test_without_a_manager_only_the_live_one_and_its_fallback_are_known(self) -> None:
        """Nobody can tell when anything was started."""
        scene = scenes.first()
        scene.conf = dataclasses.replace(scene.conf, services=Services("none", ("app.service",)), smoke=Smoke(urls=()))
        deployed(scene, 1, 2, 3, keep=1)
        assert states(scene) == ["pruned", "good", "live"]

    def test_a_manager_that_says_nothing_keeps_all_of_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        scene = scenes.first()
        names = deployed(scene, 1, 2)
        host = scene.world.host()

        def silent(name: str) -> object:
            raise StepError("this machine was not started by systemd")

        monkeypatch.setattr(host.services, "state", silent)
        assert running(host, scene.conf.services, scene.ledger).releases == {*names}


class TestEnvironments:
    def test_only_the_live_release_and_its_fallback_keep_theirs_and_the_way_back_builds_another(self) -> None:
        scene = scenes.first()
        first, _, third, fourth = deployed(scene, 1, 2, 3, 4)
        assert states(scene) == ["good", "good", "good", "live"]
        assert environments(scene) == [third, fourth]
        back = of(scene, first)
        assert back.go_back() == 0
        assert back.live == first
        assert back.world.orphans() == []

    def test_an_environment_that_nobody_could_build_again_stays_with_its_release(self) -> None:
        scene = scenes.first()
        (first,) = deployed(scene, 1)
        scene.world.disk.remove(scene.request.site.material(first) / "uv.lock")
        _, third, fourth = deployed(scene, 2, 3, 4)
        assert environments(scene) == [first, third, fourth]
        deployed(scene, 5, 6, keep=2)
        assert first not in environments(scene)

    def test_after_a_rollback_what_was_gone_back_to_stays_and_what_was_gone_back_from_goes(self) -> None:
        scene = scenes.first()
        first, second, third = deployed(scene, 1, 2, 3)
        back = of(scene, first)
        assert back.go_back() == 0
        (fourth,) = deployed(back, 4, keep=1)
        assert [one.name for one in back.ledger.standing()] == [first, fourth]
        assert environments(back) == [first, fourth]
        assert not {second, third} & {*back.world.disk.names(BASE / "api")}


def everything(world: FakeWorld) -> dict[str, list[str]]:
    """Folders whose names are those of releases and environments."""
    own = BASE / ".mcc"
    places = [BASE / "api", BASE / "ui", BASE / "venvs", own / "conf", own / "releases"]
    return {str(place): world.disk.names(place) for place in places}


def pruning(scene: Scene) -> range:
    """The numbers of the effects that clear away."""
    copy = scene.fork()
    hands = FakeHands(copy.world)
    process, begun = copy.world.process, []
    real = process.tick

    def tick(*words: Any) -> None:
        if any(isinstance(event, StepStarted) and event.phase == "prune" for event in hands.events):
            begun.append(process.ticks + 1)
        real(*words)

    process.tick = tick  # type: ignore[method-assign]
    assert copy.deploy(hands) == 0
    return range(begun[0], process.ticks + 1)


class TestCleanUpThatFails:
    def scene(self) -> Scene:
        scene = scenes.first()
        deployed(scene, 1, 2, 3, keep=2)
        bring(scene, 4)
        return scene

    def test_is_a_warning_and_the_next_deploy_does_it(self) -> None:
        """Whichever effect fails: the release serves, the run ends well, and one deploy later nothing is left."""
        scene = self.scene()
        undisturbed = scene.fork()
        assert undisturbed.deploy() == 0
        deployed(undisturbed, 5, keep=2)
        wanted = everything(undisturbed.world)
        effects = pruning(scene)
        assert len(effects) > 40
        ats = effects if FULL else [effects[number - 1] for number in some(40, len(effects), "clean up")]
        warned = 0
        for at in ats:
            one = scene.fork(fail_at=at)
            hands = FakeHands(one.world)
            assert one.deploy(hands) == 0, at
            assert one.world.orphans() == [], at
            (ended,) = [event for event in hands.events if isinstance(event, RunEnded)]
            assert ended.result == "done", at
            warned += bool(said(hands))
            one.world.revive()
            deployed(one, 5, keep=2)
            assert everything(one.world) == wanted, at
        assert warned > len(ats) / 2

    def test_the_reason_is_said(self) -> None:
        scene = self.scene()
        folder = BASE / "api" / scene.ledger.standing()[0].name
        at = next(
            number
            for number, (what, path) in enumerate(self._trace(scene), 1)
            if what == "remove_tree" and path.startswith(str(folder))
        )
        one = scene.fork(fail_at=at)
        hands = FakeHands(one.world)
        assert one.deploy(hands) == 0
        text = next(text for text in said(hands) if "could not be removed" in text)
        assert text.endswith(f"{folder} could not be removed: Input/output error; the next deploy tries again")

    @staticmethod
    def _trace(scene: Scene) -> list[tuple[str, str]]:
        copy = scene.fork()
        assert copy.deploy() == 0
        return copy.world.process.trace


def test_a_failed_deploy_pushes_nothing_out() -> None:
    """Neither its release nor its environment counts, however many fail."""
    scene = scenes.first()
    first, second = deployed(scene, 1, 2, keep=2)
    for number in (3, 4, 5):
        bring(scene, number)
        scene.world.plant({f"{OUT}/api/BEHAVES": b"answers 500"})
        scene.world.revive()
        assert scene.deploy() == 1
    assert environments(scene) == [first, second]
    assert states(scene) == ["good", "live", "failed", "failed", "failed"]
    (sixth,) = deployed(scene, 6, keep=2)
    assert [one.name for one in scene.ledger.standing()] == [second, sixth]
