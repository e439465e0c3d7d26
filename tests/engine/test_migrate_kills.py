"""``mcc migrate`` that dies at any effect, and is recovered: databases go forward or stay, all else is as it was."""

from __future__ import annotations

import dataclasses

import pytest

from fakes import scenes
from fakes.deaths import some
from fakes.hands import FakeHands
from fakes.host import Killed
from fakes.scenes import Scene
from mcc.deploy.migrate import Wish, apply
from mcc.errors import SiteError
from mcc.model.conf import Database
from mcc.model.event import RunEnded, RunStarted

OLD, NEW = ("001_one", "002_two"), ("001_one", "002_two", "003_three")


def migrate(scene: Scene, hands: FakeHands | None = None) -> int:
    return apply(scene.request, hands or FakeHands(scene.world), Wish())


def site(scene: Scene) -> dict[str, object]:
    """Without databases and their copies."""
    return {path: what for path, what in scene.site().items() if "/backups" not in path}


def test_undisturbed_databases_go_forward_and_nothing_else_changes() -> None:
    scene = scenes.second()
    before, hands = site(scene), FakeHands(scene.world)
    assert migrate(scene, hands) == 0
    assert set(scene.databases().values()) == {NEW}
    assert site(scene) == before
    started = next(event for event in hands.events if isinstance(event, RunStarted))
    ended = next(event for event in hands.events if isinstance(event, RunEnded))
    assert (started.action, started.release) == ("migrate", "")
    assert (ended.code, ended.databases) == ("not touched", "1 migration forward")


def test_killed_at_any_effect_and_recovered_each_database_is_old_or_new() -> None:
    scene = scenes.second()
    before = site(scene)
    done = scene.fork()
    assert migrate(done) == 0
    for at in some(40, done.world.process.ticks, "migrate"):
        one = scene.fork(kill_at=at)
        with pytest.raises(Killed):
            migrate(one)
        one.world.revive()
        one.recover()
        assert site(one) == before, at
        assert one.journals() == [], at
        assert all(names in (OLD, NEW) for names in one.databases().values()), at
        one.world.revive()
        one.world.time.pass_by(60)
        assert migrate(one) == 0, at
        assert set(one.databases().values()) == {NEW}, at


def test_a_failure_leaves_all_but_what_succeeded_as_it_was() -> None:
    scene = scenes.third_migration_fails()
    before, hands = site(scene), FakeHands(scene.world)
    assert migrate(scene, hands) == 1
    assert site(scene) == before
    assert set(scene.databases().values()) == {OLD}
    ended = next(event for event in hands.events if isinstance(event, RunEnded))
    assert ended.databases == "as before"
    assert "on a copy, before any database was touched" in ended.error


def test_a_new_database_belongs_to_the_service_also_when_the_run_died_behind_it() -> None:
    """It is made by the deploy user."""
    scene = scenes.second()
    scene.conf = dataclasses.replace(scene.conf, domains=(*scene.conf.domains, "three.example.com"))
    done = scene.fork()
    assert migrate(done) == 0
    made = next(number for number, (what, path) in enumerate(done.world.process.trace, 1)
                if what == "sqlite.migrate: committed" and "three" in path)  # fmt: skip
    died = scene.fork(kill_at=made)
    with pytest.raises(Killed):
        migrate(died)
    died.world.revive()
    died.recover()
    for one in (done, died):
        database = one.request.site.database("three.example.com")
        assert one.world.disk.owner(database) == ("www-data", "deploy")
        assert one.world.disk.owner(database.parent) == ("www-data", "deploy")


def test_services_that_run_are_not_migrated_under_where_the_conf_wants_them_stopped() -> None:
    conf = dataclasses.replace(scenes.rich_conf(), database=Database("sqlite", offline=True))
    scene = scenes.second(conf)
    with pytest.raises(SiteError, match=r"app\.service, worker\.service would go on writing"):
        migrate(scene)
    assert set(scene.databases().values()) == {OLD}
    for unit in scene.world.units.units.values():
        unit.up = False
    assert migrate(scene) == 0
