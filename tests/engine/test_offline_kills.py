"""With MIGRATE_OFFLINE a deploy that dies at any effect leaves code and databases before, or both after."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import pytest

from fakes import scenes
from fakes.deaths import cut_off, killed, killed_twice, revived, some
from fakes.hands import FakeHands
from fakes.host import Killed
from fakes.scenes import Scene, State
from fakes.services import Unit
from mcc.core.sudo import stop
from mcc.errors import Refused, RightsError
from mcc.model.conf import Conf, Services
from mcc.model.event import RunEnded, Warned

NAMES = ("001_one", "002_two", "003_three", "004_four")


def offline(conf: Conf) -> Conf:
    return dataclasses.replace(conf, database=dataclasses.replace(conf.database, offline=True))


def ready(behaves: str = "") -> Scene:
    """A second deploy that brings two migrations, one of them for after the cut-over."""
    scene = scenes.second(migrations=NAMES)
    scene.conf = offline(scene.conf)
    scene.world.plant({f"{scenes.OUT}/{scenes.MIGRATIONS}/004_four.sql": b"-- mcc: phase=after\nCREATE TABLE u (a);"})
    if behaves:
        scene.world.plant({f"{scenes.OUT}/api/BEHAVES": behaves.encode()})
    return scene


def third_fails() -> Scene:
    scene = ready()
    scene.world.sqlite.failing = {"003_three"}
    return scene


def smoke_fails() -> Scene:
    scene = ready()
    scene.world.http.fixed = {"https://two.example.com/api": (503, "Service Unavailable")}
    return scene


def with_new_domain() -> Scene:
    scene = ready("answers 500")
    scene.conf = dataclasses.replace(scene.conf, domains=(*scene.conf.domains, "new.example.com"))
    return scene


def without_transaction() -> Scene:
    """The first of two files without a transaction has run, and has its row; the second fails."""
    scene = ready()
    for name in ("003_three", "004_four"):
        text = b"-- mcc: no-transaction\nCREATE INDEX i ON t (a);"
        scene.world.plant({f"{scenes.OUT}/{scenes.MIGRATIONS}/{name}.sql": text})
    scene.world.sqlite.failing = {"004_four"}
    return scene


SCENES: dict[str, Callable[[], Scene]] = {
    "good": ready,
    "answers 500": lambda: ready("answers 500"),
    "dies": lambda: ready("dies"),
    "refuses to start": lambda: ready("refuses to start"),
    "third migration": third_fails,
    "smoke": smoke_fails,
    "a new domain": with_new_domain,
    "without a transaction": without_transaction,
}


class Case:
    """A scene, what it is before, and what it is when a deploy has gone through undisturbed."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.before, self.old = State.of(scene), scene.databases()
        done = scene.fork()
        self.hands = FakeHands(done.world)
        self.code = done.deploy(self.hands)
        self.after, self.new = State.of(done), done.databases()
        self.effects = done.world.process.ticks

    @property
    def ended(self) -> RunEnded:
        return [event for event in self.hands.events if isinstance(event, RunEnded)][-1]

    def check(self, scene: Scene, where: str) -> None:
        """Code and databases are of one time."""
        now, databases = State.of(scene), scene.databases()
        if (self.before.difference(now), databases) == ([], self.old):
            pass
        elif (self.after.difference(now), databases) != ([], self.new):
            differences = min((self.before.difference(now), self.after.difference(now)), key=len)
            raise AssertionError(f"{where}: mixed: {differences} {databases}")
        assert scene.journals() == [], where
        assert scene.world.orphans() == [], where


@functools.cache
def case(name: str) -> Case:
    return Case(SCENES[name]())


def test_undisturbed_all_migrations_have_run_before_the_services_start() -> None:
    one = case("good")
    assert one.code == 0
    assert set(one.new.values()) == {NAMES}
    starts = one.hands.world.units.units["app.service"].starts
    assert len(starts) == 2  # the first deploy, and this one: nothing ran in between


@pytest.mark.parametrize("name", [name for name in SCENES if name != "good"])
def test_a_deploy_that_fails_leaves_code_and_databases_as_they_were(name: str) -> None:
    one = case(name)
    assert one.code == 1, one.ended
    assert (one.before.difference(one.after), one.new) == ([], one.old)
    assert one.ended.databases == "as before"
    assert one.ended.code.startswith("as before")


@pytest.mark.parametrize("name", SCENES)
def test_killed_at_any_effect_code_and_databases_are_of_one_time(name: str) -> None:
    one = case(name)
    for scene, where in killed(one.scene, Scene.deploy, some(45, one.effects, name)):
        one.check(scene, where)


@pytest.mark.parametrize("name", SCENES)
def test_killed_again_while_it_is_recovered_they_are_too(name: str) -> None:
    one = case(name)
    for scene, where in killed_twice(one.scene, Scene.deploy, some(3, one.effects, f"{name} twice"), 8):
        one.check(scene, where)


@pytest.mark.parametrize("name", SCENES)
def test_a_power_cut_at_any_effect_leaves_them_of_one_time(name: str) -> None:
    """Services have started again by then, with whatever the links say."""
    one = case(name)
    for scene, where in cut_off(one.scene, Scene.deploy, some(15, one.effects, f"{name} power")):
        one.check(scene, where)


@pytest.mark.parametrize("name", ["good", "answers 500"])
def test_a_failure_at_any_effect_leaves_them_of_one_time(name: str) -> None:
    one = case(name)
    for at in some(30, one.effects, f"{name} fails"):
        scene = one.scene.fork(fail_at=at)
        try:
            code = scene.deploy()
        except Refused as error:
            code = error.exit_code
        where = f"failed at {at}: {scene.world.process.trace[at - 1]}: {code}"
        if code in (1, 2):
            assert (one.before.difference(State.of(scene)), scene.databases()) == ([], one.old), where
        revived(scene)
        if code:
            one.check(scene, where)


def test_without_the_right_to_stop_nothing_is_started_and_the_line_is_given() -> None:
    scene = ready()
    words = ("chown", "-R", "www-data:deploy")
    scene.world.sudo.allowed = None
    allowed = Everything(but={stop("app.service"), stop("worker.service")})
    scene.world.sudo.allowed = allowed  # type: ignore[assignment]
    before = State.of(scene)
    with pytest.raises(RightsError, match=r"sudo /bin/systemctl stop app\.service") as caught:
        scene.deploy()
    assert "NOPASSWD: /bin/systemctl stop app.service, /bin/systemctl stop worker.service" in caught.value.help
    assert before.difference(State.of(scene)) == []
    assert words not in allowed.but


class Everything:
    """Sudo rights but for a few."""

    def __init__(self, but: set[tuple[str, ...]]) -> None:
        self.but = but

    def __contains__(self, words: object) -> bool:
        return words not in self.but


def test_with_nothing_to_migrate_nothing_is_stopped() -> None:
    scene = scenes.second(migrations=("001_one", "002_two"))
    scene.conf = offline(scene.conf)
    scene.world.units.may_stop = False
    assert scene.deploy() == 0


def test_services_that_are_somebody_elses_are_named() -> None:
    scene = ready()
    services = Services(manager="none", names=("app.service",))
    scene.conf = dataclasses.replace(scene.conf, services=services)
    hands = FakeHands(scene.world)
    assert scene.deploy(hands) == 0
    said = [event.text for event in hands.events if isinstance(event, Warned)]
    assert any("MIGRATE_OFFLINE: app.service cannot be stopped by mcc" in text for text in said)


def test_postgresql_is_put_back_too() -> None:
    scene = ready("answers 500")
    database = dataclasses.replace(scene.conf.database, kind="postgresql", name="app", schemas=("one", "two"))
    scene.conf = dataclasses.replace(scene.conf, database=database)
    scene.world.postgres.applied = {("app", "one"): NAMES[:2], ("app", "two"): NAMES[:2]}
    before, hands = dict(scene.world.postgres.applied), FakeHands(scene.world)
    watched = scene.fork()
    assert scene.deploy(hands) == 1
    assert scene.world.postgres.applied == before
    assert [event for event in hands.events if isinstance(event, RunEnded)][-1].databases == "as before"
    ticks = [what for what, _ in scene.world.process.trace]
    assert "postgres.migrate: committed" in ticks
    for at in some(20, len(ticks), "postgres"):
        killed = watched.fork(kill_at=at)
        with pytest.raises(Killed):
            killed.deploy()
        revived(killed)
        assert killed.world.postgres.applied == before, at


def test_a_service_that_a_socket_starts_again_is_refused() -> None:
    scene = ready()
    units = scene.world.units.units
    units["app.socket"] = Unit("app.socket", up=True)
    units["app.service"].triggers = ("app.socket",)
    with pytest.raises(Refused, match=r"app\.service would be started again by app\.socket") as caught:
        scene.deploy()
    assert "systemctl stop app.socket" in caught.value.help
    units["app.socket"].up = False
    scene.world.revive()
    assert scene.deploy() == 0
