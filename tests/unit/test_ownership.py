"""Owners are put right before databases are written, where a service has files open that are not ours to write."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import pytest

from fakes import scenes
from fakes.hands import FakeHands
from fakes.host import FakeWorld
from fakes.scenes import Scene
from mcc.deploy.run import plan_deploy
from mcc.errors import CommandFailed
from mcc.model.conf import Database
from mcc.steps.ownership import KeepOwnership, Own

BASE = Path("/srv/site")
DOMAINS, DATABASE = BASE / "domains", BASE / "domains/a.example/data.db"
STEP = KeepOwnership((BASE / "api", DOMAINS), "www-data", "deploy", (DATABASE,))


def ran(files: dict[str, str]) -> list[str]:
    """What the step has root do, on a site with these files beside the database, by their owners."""
    world = FakeWorld(BASE)
    world.plant({"/srv/site/api/": None, str(DATABASE): b""})
    for suffix, owner in files.items():
        world.plant({f"{DATABASE}{suffix}": b""}, owner)
    host = world.host()
    STEP.do(host, STEP.look(host))
    return [" ".join(words) for words in world.sudo.calls]


@pytest.mark.parametrize("side", ["-wal", "-shm"])
def test_side_files_of_another_user_are_handed_over(side: str) -> None:
    """By the rights that every deploy has, on the folder of the databases alone."""
    assert ran({side: "www-data"}) == [f"chown -R www-data:deploy {DOMAINS}", f"chmod -R g+rw {DOMAINS}"]


@pytest.mark.parametrize("files", [{}, {"-wal": "deploy", "-shm": "deploy"}], ids=["nothing", "ours"])
def test_nothing_is_done_where_all_can_be_written(files: dict[str, str]) -> None:
    assert ran(files) == []


@pytest.mark.parametrize("way", ["do", "undo"])
def test_what_came_into_being_after_the_rights_were_looked_at_is_left_as_it_is_without_one(way: str) -> None:
    """A step of the project's own made ``data/``: going back must not get stuck at it."""
    world = FakeWorld(BASE)
    world.plant({"/srv/site/api/": None, "/srv/site/data/": None})
    api = BASE / "api"
    world.sudo.allowed = {("chown", "-R", "www-data:deploy", str(api)), ("chmod", "-R", "g+rw", str(api))}
    step = Own((api, BASE / "data"), "www-data", "deploy", optional=(BASE / "data",))
    getattr(step, way)(world.host(), {})
    assert {words[-1] for words in world.sudo.calls} == {str(api)}
    assert any("data is new, and its owner stays as it is" in text for text in world.listener.warned)


def test_a_right_that_is_gone_by_then_is_named() -> None:
    """The rights were looked at before the start; somebody has changed them since."""
    world = FakeWorld(BASE)
    world.plant({"/srv/site/api/": None})
    world.sudo.allowed = set()
    with pytest.raises(CommandFailed) as caught:
        Own((BASE / "api",), "www-data", "deploy").do(world.host(), {})
    assert caught.value.message == f"sudo does not let deploy run: chown -R www-data:deploy {BASE}/api"
    assert "NOPASSWD: /bin/chown -R www-data\\:deploy /srv/site/api" in caught.value.help


GONE = f"chmod: cannot access '{DATABASE}-wal': No such file or directory\n"


@pytest.mark.parametrize(
    ("said", "times", "fails"),
    [((GONE, GONE), 3, False), ((GONE, GONE + "chmod: changing permissions: Read-only file system\n"), 2, True)],
    ids=["gone", "gone and more"],
)
def test_a_side_file_that_goes_while_chmod_looks_at_it_is_no_failure(
    said: tuple[str, ...], times: int, fails: bool
) -> None:
    """SQLite takes it away when the service's last connection ends; anything else still is one."""
    world = FakeWorld(BASE)
    world.plant({"/srv/site/api/": None})
    answers = iter([(1, text) for text in said])
    world.sudo.does["chmod"] = lambda _: next(answers, (0, ""))
    with pytest.raises(CommandFailed, match="ended with exit code 1") if fails else contextlib.nullcontext():
        Own((BASE / "api",), "www-data", "deploy").do(world.host(), {})
    assert [words[0] for words in world.sudo.calls].count("chmod") == times


def test_what_never_settles_ends_as_a_failure() -> None:
    world = FakeWorld(BASE)
    world.plant({"/srv/site/api/": None})
    world.sudo.does["chmod"] = lambda _: (1, GONE)
    with pytest.raises(CommandFailed, match="ended with exit code 1"):
        Own((BASE / "api",), "www-data", "deploy").do(world.host(), {})


def watched(scene: Scene) -> list[tuple[str, int]]:
    """How many databases are looked after, before and behind the cut-over."""
    plan = plan_deploy(scene.request, FakeHands(scene.world))[1]
    steps = [(planned.phase, planned.step) for planned in plan.steps]
    return [(phase, len(step.databases)) for phase, step in steps if isinstance(step, KeepOwnership)]


def test_services_that_were_restarted_have_files_open_when_migrations_run_behind_the_cut_over() -> None:
    assert watched(scenes.second()) == [("migrate", 2)]
    assert watched(scenes.behind_the_cut_over()) == [("migrate", 2), ("after", 2)]


def test_what_runs_always_writes_where_nothing_is_pending() -> None:
    scene = scenes.second(migrations=("001_one", "002_two"))
    assert watched(scene) == [("migrate", 0)]
    scene.conf = dataclasses.replace(scene.conf, database=Database(always_sql="shared/db/always.sql"))
    scene.world.plant({f"{scenes.OUT}/shared/db/always.sql": b"SELECT 1"})
    assert watched(scene) == [("migrate", 2)]
