"""Blue/green: whatever dies or fails, visitors have the old release or the new one, and the site is one of them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import pytest

from engine.test_rollback_kills import BackScene, of
from fakes import scenes
from fakes.deaths import cut_off, dead, killed, killed_twice, some
from fakes.hands import FakeHands
from fakes.host import FakeWorld
from fakes.scenes import BASE, OUT, Scene, State, rich_files
from fakes.services import FakeServices, unit_state
from mcc.core.layout import Site
from mcc.core.slots import slot_of
from mcc.errors import ServiceFailed
from mcc.model.conf import Conf, Services
from mcc.runs.drain import drain_after, stop_idle

SITE = Site(BASE)
UNITS = ("app@a.service", "app@b.service")
FRONT = "https://one.example.com/"


def conf(**services: object) -> Conf:
    """A web service with two slots, and a worker."""
    web = Services(names=("app@.service",), workers=("worker.service",), **services)  # type: ignore[arg-type]
    return dataclasses.replace(scenes.rich_conf(), services=web, api_port=None)


def first() -> Scene:
    world = FakeWorld(BASE, services=(*UNITS, "worker.service"))
    world.plant({str(BASE): None, str(SITE.run): None})
    scene = Scene(world, conf())
    scene.bring(rich_files(1, ("001_one", "002_two")))
    return scene


def second() -> Scene:
    scene = first()
    assert scene.deploy() == 0
    scene.world.time.pass_by(60)
    scene.bring(rich_files(2, ("001_one", "002_two", "003_three")))
    scene.world.revive()
    return scene


def third(drained: bool = False) -> Scene:
    """A deploy while the slot that it needs still drains, or not any more."""
    scene = second()
    assert scene.deploy() == 0
    if drained:
        settle(scene)
    scene.world.time.pass_by(60)
    scene.bring(rich_files(3, ("001_one", "002_two", "003_three")))
    scene.world.revive()
    return scene


def broken(how: str) -> Scene:
    scene = second()
    scene.world.plant({f"{OUT}/api/BEHAVES": how.encode()})
    return scene


def smoke_fails() -> Scene:
    """The slot is well, and what nginx shows is not: found behind the cut-over."""
    scene = second()
    scene.world.http.fixed[FRONT] = (500, "Internal Server Error")
    return scene


def back(drained: bool = False) -> BackScene:
    scene = second()
    assert scene.deploy() == 0
    if drained:
        settle(scene)
    scene.world.time.pass_by(5)
    return of(scene)


def settle(scene: Scene) -> None:
    """What the drain does in its own time."""
    if scene.world.disk.kind(SITE.own) == "folder":
        stop_idle(SITE, scene.world.host(), 30)


def live_unit(scene: Scene) -> str:
    link = SITE.current_socket
    slot = slot_of(scene.world.disk.read_link(link)) if scene.world.disk.kind(link) == "link" else ""
    return f"app@{slot}.service" if slot else ""


def visitors(scene: Scene) -> str:
    """What visitors get: the release behind nginx's link, if its process is up."""
    unit = scene.world.units.units.get(live_unit(scene))
    up = unit is not None and unit_state(unit, scene.world.time.passed).active
    return unit.release.split()[0] if unit and up else ""


def state_of(scene: Scene) -> State:
    settle(scene)
    return State.of(scene)


Act = Callable[..., int]
CASES: dict[str, tuple[Callable[[], Scene], Act, int]] = {
    "first": (first, Scene.deploy, 0),
    "second": (second, Scene.deploy, 0),
    "third, while the old slot drains": (third, Scene.deploy, 0),
    "refuses to start": (lambda: broken("refuses to start"), Scene.deploy, 1),
    "dies": (lambda: broken("dies"), Scene.deploy, 1),
    "answers 500": (lambda: broken("answers 500"), Scene.deploy, 1),
    "smoke fails": (smoke_fails, Scene.deploy, 1),
    "back, while the old slot drains": (back, BackScene.go_back, 0),
    "back": (lambda: back(drained=True), BackScene.go_back, 0),
}


@functools.cache
def case(name: str) -> tuple[Scene, Scene, State, State]:
    """The machine before and after an undisturbed run, and both states when no slot drains any more."""
    make, act, code = CASES[name]
    scene = make()
    after = scene.fork()
    assert act(after) == code
    return scene, after, state_of(scene.fork()), state_of(after.fork())


def check(name: str, scene: Scene, where: str) -> None:
    start, after, before, wanted = case(name)
    assert visitors(scene) in {visitors(start), visitors(after)}, where
    now = state_of(scene)
    expected = wanted if now.live == wanted.live else before
    assert now.difference(expected) == [], where
    assert scene.journals() == [], where
    if now.live:
        assert now.live in visitors(scene), where
    assert scene.world.orphans() == [], where


@pytest.mark.parametrize("name", CASES)
def test_undisturbed_it_ends_with_one_slot_up_and_its_link_alone(name: str) -> None:
    _, after, before, wanted = case(name)
    scene = after.fork()
    assert state_of(scene).difference(wanted if CASES[name][2] == 0 else before) == []
    slots = scene.world.disk.names(SITE.slots)
    assert [f"app@{slot}.service" for slot in slots] == [live_unit(scene)]
    up = [unit for unit in UNITS if scene.world.serving()[unit]]
    assert up == [live_unit(scene)]


@pytest.mark.parametrize("name", CASES)
def test_killed_anywhere_it_is_before_or_after(name: str) -> None:
    start, after, _, _ = case(name)
    ats = some(16, after.world.process.ticks, name)
    for scene, where in killed(start, CASES[name][1], ats):
        check(name, scene, where)


@pytest.mark.parametrize("name", ["second", "third, while the old slot drains", "smoke fails", "back"])
def test_also_when_the_recovery_dies(name: str) -> None:
    start, after, _, _ = case(name)
    for scene, where in killed_twice(start, CASES[name][1], some(5, after.world.process.ticks, name), 3):
        check(name, scene, where)


@pytest.mark.parametrize("name", ["first", "second", "smoke fails", "back, while the old slot drains"])
def test_also_after_a_power_cut_with_either_slot_live(name: str) -> None:
    start, after, _, _ = case(name)
    for scene, where in cut_off(start, CASES[name][1], some(8, after.world.process.ticks, name)):
        check(name, scene, where)


@pytest.mark.parametrize("name", [name for name in CASES if name != "first"])
def test_at_no_effect_is_there_nobody_behind_the_link(name: str) -> None:
    """Right when the process dies, before anybody recovers: visitors are served."""
    start, after, _, _ = case(name)
    allowed = {visitors(start), visitors(after), *_new(start)}
    for at in some(30, after.world.process.ticks, f"served {name}"):
        assert visitors(dead(start, CASES[name][1], at)) in allowed - {""}, at


def _new(scene: Scene) -> set[str]:
    """A broken release may have visitors until that is found out."""
    copy = scene.fork()
    copy.world.http.fixed.clear()
    copy.world.disk.remove(OUT / "api/BEHAVES")
    (copy.go_back if isinstance(copy, BackScene) else copy.deploy)()
    return {visitors(copy)}


class TestOrder:
    def test_the_new_slot_is_up_before_visitors_are_led_there_and_workers_come_last(self) -> None:
        scene = second()
        assert scene.deploy() == 0
        trace = scene.world.process.trace
        restarts = [path for what, path in trace if what == "services.restart"]
        assert restarts == ["app@b.service", "worker.service"]
        start = trace.index(("services.restart: restarted", "app@b.service"))
        switch = next(at for at, (_, path) in enumerate(trace) if path.startswith(str(SITE.current_socket)))
        assert start < switch < trace.index(("services.restart", "worker.service"))

    @pytest.mark.parametrize("how", ["refuses to start", "ends at once", "dies", "crash loop", "answers 500", "hangs"])
    def test_no_visitor_ever_reaches_a_release_that_does_not_start_well(self, how: str) -> None:
        scene = broken(how)
        link = scene.world.disk.read_link(SITE.current_socket)
        assert scene.deploy() == 1
        assert not [path for _, path in scene.world.process.trace if path.startswith(str(SITE.current_socket))]
        assert scene.world.disk.read_link(SITE.current_socket) == link
        assert scene.world.units.units["worker.service"].starts[-1:] == scene.world.units.units["worker.service"].starts

    def test_back_while_the_old_slot_drains_is_one_rename_and_no_start(self) -> None:
        scene = back()
        scene.world.revive()
        assert scene.go_back() == 0
        effects = [(what, path) for what, path in scene.world.process.trace if ".mcc/" not in path]
        assert str(SITE.current_socket) in effects[0][1]
        assert not [path for what, path in effects if what == "services.restart" and path in UNITS]

    def test_back_to_a_slot_that_is_not_well_starts_it_anew(self) -> None:
        scene = back()
        scene.world.units.units["app@a.service"].up = False
        scene.world.revive()
        assert scene.go_back() == 0
        assert ("services.restart", "app@a.service") in scene.world.process.trace


class TestDraining:
    def deployed(self, clients: int = 0) -> Scene:
        scene = second()
        assert scene.deploy() == 0
        scene.world.http.clients["a.sock"] = clients
        return scene

    def drain(self, scene: Scene, run: str = "") -> bool:
        live = scene.ledger.live
        return drain_after(SITE, run or (live.run if live else ""), 30, FakeHands(scene.world), {})

    def test_a_program_of_its_own_is_told_to(self) -> None:
        scene = self.deployed()
        live = scene.ledger.live
        assert live is not None
        words = ("--site", str(BASE), "--drain", live.run, "--drain-timeout", "30")
        assert scene.world.commands.detached == [(str(SITE.tool_command), "recover", *words)]
        assert scene.world.serving()["app@a.service"]

    def test_a_slot_without_clients_stops_at_once_and_one_with_clients_when_the_time_is_over(self) -> None:
        for clients, seconds in ((0, 1), (2, 30)):
            scene = self.deployed(clients)
            begin = scene.world.time.passed
            assert self.drain(scene)
            assert seconds <= scene.world.time.passed - begin + 1 <= seconds + 2
            assert not scene.world.serving()["app@a.service"]
            assert scene.world.disk.names(SITE.slots) == ["b"]

    def test_after_a_rollback_the_first_drain_leaves_the_slot_alone(self) -> None:
        scene = self.deployed()
        live = scene.ledger.live
        assert live is not None
        assert of(scene).go_back() == 0
        assert not self.drain(scene, live.run)
        assert scene.world.serving()["app@a.service"]

    def test_it_leaves_the_site_to_a_run_that_died(self) -> None:
        scene = self.deployed()
        scene.world.plant({str(SITE.journal("x")): b"{}\n"})
        assert not self.drain(scene)
        assert scene.world.serving()["app@a.service"]

    def test_before_a_migration_that_the_old_release_cannot_live_with_it_is_stopped(self) -> None:
        scene = second()
        scene.world.plant({f"{OUT}/{scenes.MIGRATIONS}/003_three.sql": b"-- mcc: phase=after\nDROP TABLE t;"})
        scene.world.http.clients["a.sock"] = 1
        assert scene.deploy() == 0
        trace = scene.world.process.trace
        stopped = trace.index(("services.stop: stopped", "app@a.service"))
        assert [what for what, _ in trace[stopped:] if what.startswith("sqlite")]
        assert not [what for what, _ in trace[:stopped] if what.startswith("sqlite")]

    def test_releases_in_slots_are_kept(self) -> None:
        scene = third()
        old = visitors(scene)
        scene.keep = 1
        assert scene.deploy() == 0
        assert scene.world.disk.kind(BASE / old) == "folder"


def test_the_suite_sees_a_slot_that_is_not_stopped_on_the_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from mcc.steps.slots import StartSlot

    monkeypatch.setattr(StartSlot, "undo", lambda self, host, seen: None)
    scene = smoke_fails()
    assert scene.deploy() == 1
    with pytest.raises(AssertionError):
        assert State.of(scene).difference(case("smoke fails")[2]) == []


def test_a_slot_that_may_not_be_started_needs_no_right_to_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """sudo denies all in the middle of a deploy: nothing was started, so that all can be undone."""
    scene = second()
    before = State.of(scene)

    def denied(self: FakeServices, name: str, definition: bytes | None = None) -> None:
        raise ServiceFailed(f"sudo does not let deploy run: systemctl restart {name}")

    scene.world.units.may_stop = False
    monkeypatch.setattr(FakeServices, "restart", denied)
    assert scene.deploy() == 1
    assert before.difference(State.of(scene)) == []
