"""A clone that dies at any effect, and is recovered, leaves every database before or after, and the source alone."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import pytest

from fakes.deaths import cut_off, killed, killed_twice, revived, some
from fakes.exchanges import DEV, OUT, PROD, Exchange, data, ended, exchange
from fakes.hands import FakeHands
from mcc.model.conf import Server


def with_new_database() -> Exchange:
    made = exchange()
    made.world.disk.remove_tree(DEV / "domains" / "b.dev.example.com")
    return made


def without_rights() -> Exchange:
    made = exchange()
    made.world.units.may_stop = False
    return made


def over_damage() -> Exchange:
    made = exchange()
    made.world.plant({f"{DEV}/domains/a.dev.example.com/data.db": b"no database"})
    return made


def unhealthy() -> Exchange:
    """The application cannot live with the data: its services die."""
    made = exchange()
    made.world.plant({f"{DEV}/api/vrs-1/BEHAVES": b"good"})
    restart = made.world.units
    restart.broken = {"vrs-1": "dies"}
    return made


def with_sql() -> Exchange:
    made = exchange(sql="hide.sql")
    made.world.plant({f"{OUT}/hide.sql": b"UPDATE people SET mail = 'x';"})
    return made


def from_another_server() -> Exchange:
    made = exchange(parameters={"source": "ssh"})
    made.source = dataclasses.replace(made.source, server=Server(PROD, "deploy", ("far.example.com",)))
    made.world.commands.programs["ssh"] = "/usr/bin/ssh"
    return made


SCENES: dict[str, Callable[[], Exchange]] = {
    "all as it should be": exchange,
    "a database is new": with_new_database,
    "services may not be stopped": without_rights,
    "a database is damaged": over_damage,
    "the project's own SQL": with_sql,
    "from another server": from_another_server,
}


class Case:
    """A scene, what it is before, and what an undisturbed clone makes of it."""

    def __init__(self, scene: Exchange) -> None:
        self.scene = scene
        self.before = self.state(scene)
        done = scene.fork()
        self.hands = FakeHands(done.world)
        self.code = done.run(self.hands)
        self.after = self.state(done)
        self.effects = done.world.process.ticks

    @staticmethod
    def state(scene: Exchange) -> tuple[object, ...]:
        found = scene.world.snapshot(DEV / "domains", owners=False)
        texts = {path: what[2] for path, what in found.items() if path.endswith("data.db")}
        return texts, scene.world.cron.text, scene.world.serving(), scene.rest()

    def check(self, scene: Exchange, where: str) -> None:
        now = self.state(scene)
        assert now in (self.before, self.after), where
        assert scene.world.disk.names(scene.site.journals) == [], where
        assert scene.leftovers() == [], where
        assert scene.databases(PROD) == self.scene.databases(PROD), where


@functools.cache
def case(name: str) -> Case:
    return Case(SCENES[name]())


@pytest.mark.parametrize("name", SCENES)
def test_undisturbed_the_target_holds_what_the_source_holds(name: str) -> None:
    one = case(name)
    assert one.code == 0, ended(one.hands)
    assert ended(one.hands).databases == "cloned"
    texts = one.after[0]
    assert isinstance(texts, dict)
    assert sorted(texts.values()) == sorted([data("001", "002", "003"), data("001", "002")])
    assert one.before[1:] == one.after[1:]


@pytest.mark.parametrize("name", SCENES)
def test_killed_at_any_effect_it_is_before_or_after(name: str) -> None:
    one = case(name)
    for scene, where in killed(one.scene, Exchange.run, some(60, one.effects, name)):
        one.check(scene, where)


@pytest.mark.parametrize("name", SCENES)
def test_killed_again_while_it_is_recovered_it_is_before_or_after(name: str) -> None:
    one = case(name)
    for scene, where in killed_twice(one.scene, Exchange.run, some(6, one.effects, f"{name} twice"), 8):
        one.check(scene, where)


@pytest.mark.parametrize("name", SCENES)
def test_a_power_cut_at_any_effect_leaves_it_before_or_after(name: str) -> None:
    """The services have started again by then."""
    one = case(name)
    for scene, where in cut_off(one.scene, Exchange.run, some(20, one.effects, f"{name} power")):
        one.check(scene, where)


@pytest.mark.parametrize("name", SCENES)
def test_a_failure_at_any_effect_is_undone(name: str) -> None:
    one = case(name)
    for at in some(40, one.effects, f"{name} fails"):
        scene = one.scene.fork(fail_at=at)
        hands = FakeHands(scene.world)
        try:
            code = scene.run(hands)
        except Exception as error:
            code = getattr(error, "exit_code", 99)
        where = f"failed at {at}: {scene.world.process.trace[at - 1]}: {code}"
        assert code in (0, 1, 2, 3), where
        if code in (1, 2):
            assert Case.state(scene) == one.before, where
        revived(scene)
        one.check(scene, where)


def test_an_application_that_cannot_live_with_the_data_gets_its_own_back() -> None:
    scene = unhealthy()
    before = scene.databases()
    hands = FakeHands(scene.world)
    assert scene.run(hands) == 1 or ended(hands).result == "stuck"
    assert scene.databases() == before
    assert scene.world.cron.text.count(b"backup.sh") == 1


def test_both_sites_are_held_and_always_in_one_order() -> None:
    scene = exchange()
    hands = FakeHands(scene.world)
    hands.lock(scene.request.source_site, {})
    with pytest.raises(Exception, match="/srv/live/prod: another run holds the site"):
        scene.run(hands)
    taken: list[str] = []

    class Watching(FakeHands):
        def lock(self, site, holder):  # type: ignore[no-untyped-def]
            taken.append(site.base.name)
            return super().lock(site, holder)

    assert scene.run(Watching(scene.world)) == 0
    assert taken == ["dev", "prod"]
