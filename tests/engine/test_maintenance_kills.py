"""Maintenance that is switched by a run that dies is as it was, or as it should be; deploys leave it alone."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from typing import Any

import pytest

from engine.test_offline_kills import ready
from fakes import scenes
from fakes.deaths import cut_off, killed, killed_twice, revived, some
from fakes.hands import FakeHands
from fakes.scenes import BASE, OUT, Scene, State
from mcc.core.layout import Site
from mcc.core.maintenance import plain_page
from mcc.deploy.run import plan_deploy
from mcc.errors import Refused, SiteError
from mcc.model.conf import Conf, Maintenance
from mcc.model.event import RunEnded, Warned
from mcc.operations.maintenance import MaintenanceRequest, plan_maintenance, switch_maintenance
from mcc.operations.site import Asked
from mcc.runs.maintenance import maintained

SITE = Site(BASE)
SWITCH, PAGE = SITE.maintenance_switch, SITE.maintenance_page


class Switching(Scene):
    """A live site right before its maintenance is switched."""

    on = True
    with_output = True

    @property
    def switch_request(self) -> MaintenanceRequest:
        return MaintenanceRequest(Asked(SITE, self.conf, "prod"), self.on, OUT if self.with_output else None)

    def fork(self, kill_at: int | None = None, fail_at: int | None = None) -> Switching:
        twin = Switching(self.world.fork(kill_at, fail_at), self.conf, self.keep)
        twin.on, twin.with_output = self.on, self.with_output
        return twin

    def switch(self, hands: FakeHands | None = None) -> int:
        return switch_maintenance(self.switch_request, hands or FakeHands(self.world))


def live(on: bool = True, conf: Callable[[Conf], Conf] = lambda conf: conf) -> Switching:
    scene = scenes.second()
    made = Switching(scene.world, conf(scene.conf), scene.keep)
    made.on = on
    return made


def resting(on: bool = False) -> Switching:
    scene = live(on)
    scene.world.plant({str(SWITCH): b'{"since": "2026-02-01T10:00:00+00:00", "by": "ann"}', str(PAGE): b"their page"})
    return scene


def with_page(conf: Conf) -> Conf:
    return dataclasses.replace(conf, maintenance=Maintenance("ui/index.html"))


SCENES: dict[str, Callable[[], Switching]] = {
    "on": live,
    "on, with a page": lambda: live(conf=with_page),
    "on again": lambda: resting(on=True),
    "off": resting,
    "off again": lambda: live(on=False),
}


class Case:
    def __init__(self, scene: Switching) -> None:
        self.scene, self.before = scene, State.of(scene)
        self.done = scene.fork()
        self.hands = FakeHands(self.done.world)
        self.code = self.done.switch(self.hands)
        self.after, self.effects = State.of(self.done), self.done.world.process.ticks

    def check(self, scene: Switching, where: str) -> None:
        now = State.of(scene)
        found = [each.difference(now) for each in (self.before, self.after)]
        assert [] in found, f"{where}: mixed: {min(found, key=len)}"
        assert scene.journals() == [], where

    def said(self) -> list[str]:
        return warnings(self.hands)


def warnings(hands: FakeHands) -> list[str]:
    return [event.text for event in hands.events if isinstance(event, Warned)]


@functools.cache
def case(name: str) -> Case:
    return Case(SCENES[name]())


@pytest.mark.parametrize("name", SCENES)
def test_killed_at_any_effect_it_is_on_or_off(name: str) -> None:
    one = case(name)
    assert one.code == 0
    for scene, where in killed(one.scene, Switching.switch, some(60, one.effects, name)):
        one.check(scene, where)
    for scene, where in killed_twice(one.scene, Switching.switch, some(6, one.effects, name), 6):
        one.check(scene, where)
    for scene, where in cut_off(one.scene, Switching.switch, some(15, one.effects, name)):
        one.check(scene, where)


@pytest.mark.parametrize("name", SCENES)
def test_a_failure_at_any_effect_leaves_it_as_it_was(name: str) -> None:
    one = case(name)
    for at in some(40, one.effects, f"{name} fails"):
        scene = one.scene.fork(fail_at=at)
        try:
            code = scene.switch()
        except Refused as error:
            code = error.exit_code
        if code in (1, 2):
            assert one.before.difference(State.of(scene)) == [], at
        revived(scene)
        one.check(scene, f"failed at {at}")


def test_the_switch_says_since_when_and_by_whom_and_the_page_is_there_before_it() -> None:
    one = case("on")
    disk = one.done.world.disk
    assert json.loads(disk.read(SWITCH)) == {"since": "2026-02-27T15:01:03+00:00", "by": "deploy"}
    assert disk.read(PAGE) == plain_page(120)
    assert [disk.mode(path) for path in (SWITCH, PAGE, PAGE.parent)] == [0o644, 0o644, 0o755]
    effects = [path for what, path in one.done.world.process.trace if "/maintenance/" in path]
    assert effects.index(str(PAGE)) < effects.index(str(SWITCH))


def test_the_page_is_the_projects_own_or_what_somebody_put_there() -> None:
    assert case("on, with a page").done.world.disk.read(PAGE) == b"page 2"
    assert case("on again").done.world.disk.read(PAGE) == b"their page"


def test_the_last_word_says_how_it_is() -> None:
    assert [ended(case(name).hands).code for name in ("on", "on again", "off")] == [
        "in maintenance", "in maintenance", "not in maintenance",
    ]  # fmt: skip
    scene = live().fork(fail_at=next(n for n in range(1, 200) if fails_behind_the_switch(n)))
    hands = FakeHands(scene.world)
    assert scene.switch(hands) == 1
    assert ended(hands).code == "not touched"


def fails_behind_the_switch(number: int) -> bool:
    """Whether this effect of a switch comes when the switch is there."""
    trace = case("on").done.world.process.trace
    written = max(n for n, (_, path) in enumerate(trace, 1) if path == str(SWITCH))
    return number > written


def test_switched_on_again_it_keeps_its_beginning_and_says_so() -> None:
    one = case("on again")
    found = maintained(SITE, one.done.world.disk)
    assert found is not None
    assert (found.by, found.since) == ("ann", "2026-02-01T10:00:00+00:00")
    assert any("in maintenance already (since 2026-02-01T10:00:00+00:00, by ann)" in text for text in one.said())


def test_a_web_server_that_does_not_look_is_a_warning() -> None:
    (text,) = case("on").said()
    assert text.startswith("https://one.example.com/ (and 1 more) answers 200, not 503: the web server does not look")
    assert "mcc provision --only nginx" in text


def test_a_web_server_that_does_not_answer_is_another_warning() -> None:
    scene = live()
    scene.world.http.fixed = {"https://": (0, "connection refused")}
    hands = FakeHands(scene.world)
    assert scene.switch(hands) == 0
    (text,) = warnings(hands)
    assert "(and 1 more) does not answer, so that nobody knows what shows: connection refused" in text


def test_who_may_pass_is_thought_of() -> None:
    scene = live(conf=lambda conf: dataclasses.replace(conf, maintenance=Maintenance(allow=("127.0.0.1",))))
    hands = FakeHands(scene.world)
    assert scene.switch(hands) == 0
    assert "not 503: either this machine is among MAINTENANCE_ALLOW, or the web server" in warnings(hands)[0]


def test_a_web_server_that_looks_is_none() -> None:
    scene = live()
    answer_503(scene)
    hands = FakeHands(scene.world)
    assert scene.switch(hands) == 0
    assert warnings(hands) == []


def answer_503(scene: Scene) -> None:
    """What nginx says of the front pages while the switch is there."""
    fronts = {f"https://{domain}/": (503, "Service Unavailable") for domain in scene.conf.domains}
    healths = {f"{url}api": (200, "OK") for url in fronts}
    scene.world.http.fixed = {**healths, **fronts}
    scene.world.http.retry_after = "120"


def test_a_page_that_the_output_does_not_have_is_refused() -> None:
    scene = live(conf=lambda conf: dataclasses.replace(conf, maintenance=Maintenance("ui/none.html")))
    for act in (scene.switch, lambda: plan_deploy(scene.request, FakeHands(scene.world))):
        with pytest.raises(SiteError, match=r"MAINTENANCE_PAGE: ui/none\.html is not in /home/deploy/output"):
            act()


def test_without_an_output_the_page_is_the_one_of_the_last_deploy() -> None:
    scene = live(conf=with_page)
    assert scene.deploy() == 0
    assert scene.world.disk.read(PAGE) == b"page 2"
    scene.world.revive()
    scene.world.disk.remove_tree(OUT)
    scene.with_output = False
    assert scene.switch() == 0
    assert scene.world.disk.read(PAGE) == b"page 2"


def test_a_plan_changes_nothing() -> None:
    scene = live()
    before = scene.world.snapshot(BASE)
    plan = plan_maintenance(scene.switch_request, FakeHands(scene.world))
    assert [step.phase for step in plan.before] == ["place", "cut-over", "smoke"]
    assert scene.world.snapshot(BASE) == before


# ---- deploys


def test_a_deploy_keeps_maintenance_on_says_so_and_judges_by_health_and_503() -> None:
    scene = resting()
    answer_503(scene)
    hands = FakeHands(scene.world)
    assert scene.deploy(hands) == 0, ended(hands)
    assert scene.world.disk.kind(SWITCH) == "file"
    kept = [text for text in warnings(hands) if "in maintenance" in text]
    assert kept == [
        "the site is in maintenance (since 2026-02-01T10:00:00+00:00, by ann), and stays so: "
        f"mcc maintenance off --site {BASE} ends it"
    ]


@pytest.mark.parametrize("how", ["health", "no Retry-After", "not in maintenance"])
def test_a_503_that_is_not_meant_fails_the_deploy(how: str) -> None:
    scene = resting() if how != "not in maintenance" else live()
    answer_503(scene)
    if how == "health":
        scene.world.http.fixed = {"https://": (503, "Service Unavailable")}
    if how == "no Retry-After":
        scene.world.http.retry_after = ""
    assert scene.deploy() == 1
    assert (scene.world.disk.kind(SWITCH) == "file") == (how != "not in maintenance")


@pytest.mark.parametrize("rests", [False, True])
def test_a_deploy_that_brings_the_page_and_dies_leaves_the_old_one(rests: bool) -> None:
    scene = resting() if rests else live()
    answer_503(scene)
    scene.world.http.fixed = scene.world.http.fixed if rests else {}
    scene.conf = with_page(scene.conf)
    before, done = State.of(scene), scene.fork()
    assert done.deploy() == 0
    after, effects = State.of(done), done.world.process.ticks
    assert done.world.disk.read(PAGE) == b"page 2"
    for died, where in killed(scene, Switching.deploy, some(40, effects, f"page {rests}")):
        found = [each.difference(State.of(died)) for each in (before, after)]
        assert [] in found, f"{where}: {min(found, key=len)}"


def test_an_offline_migration_shows_the_page_for_its_time() -> None:
    scene = ready()
    hands = FakeHands(scene.world)
    assert scene.deploy(hands) == 0, ended(hands)
    assert scene.world.disk.kind(SWITCH) == "absent"
    assert scene.world.disk.read(PAGE) == plain_page(120)
    trace = [(what, path) for what, path in scene.world.process.trace]
    on = next(at for at, (what, path) in enumerate(trace) if path == str(SWITCH))
    off = next(at for at, (what, path) in enumerate(trace) if what.startswith("remove") and path == str(SWITCH))
    stopped = next(at for at, (what, _) in enumerate(trace) if "stop" in what)
    migrated = next(at for at, (what, _) in enumerate(trace) if what.startswith("sqlite.migrate"))
    started = next(at for at, (what, _) in enumerate(trace) if "restart" in what)
    assert on < stopped < migrated < started < off


def test_an_offline_migration_of_a_site_in_maintenance_leaves_it_so() -> None:
    scene = ready()
    scene.world.plant({str(SWITCH): b"", str(PAGE): b"their page"})
    assert scene.deploy() == 0
    assert (scene.world.disk.read(SWITCH), scene.world.disk.read(PAGE)) == (b"", b"their page")


def ended(hands: FakeHands) -> Any:
    return [event for event in hands.events if isinstance(event, RunEnded)][-1]
