"""A deploy on PostgreSQL that dies at any effect: code before or after, no password left, databases only forward."""

from __future__ import annotations

import dataclasses
import json

import pytest

from fakes import scenes
from fakes.hands import FakeHands
from fakes.host import Killed
from fakes.scenes import BASE, OUT, Scene, State
from mcc.errors import Refused
from mcc.model.conf import Database
from mcc.model.event import RunEnded

SECRET = r"pa:ss\word"
FIRST = ("001_one", "002_two")
ALL = (*FIRST, "003_three")


def scene(schemas: tuple[str, ...] = ("tenant-a", "tenant-b"), failing: str = "") -> Scene:
    """A second deploy with one migration more."""
    database = Database("postgresql", name="shop", user="app", password=SECRET, schemas=schemas)
    conf = dataclasses.replace(
        scenes.rich_conf(), database=database, secrets=frozenset({SECRET}), smoke=scenes.simple_conf().smoke
    )
    conf = dataclasses.replace(conf, database=dataclasses.replace(database, migrations_dir=scenes.MIGRATIONS))
    made = scenes.first(conf)
    made.world.postgres.secret = SECRET
    assert made.deploy() == 0
    made.world.time.pass_by(60)
    made.bring(scenes.rich_files(2, ALL))
    made.world.postgres.failing = {failing} if failing else set()
    made.world.revive()
    return made


def leftovers_of_the_secret(one: Scene) -> list[str]:
    found = one.world.snapshot(BASE, temporaries=True)
    return [path for path, what in found.items() if what[0] == "file" and b"pa:ss" in bytes(what[3])]  # type: ignore[call-overload]


def test_undisturbed_every_schema_is_brought_forward_and_the_password_is_gone() -> None:
    one = scene()
    hands = FakeHands(one.world)
    assert one.deploy(hands) == 0
    assert one.world.postgres.applied == {("shop", "tenant-a"): ALL, ("shop", "tenant-b"): ALL}
    assert leftovers_of_the_secret(one) == []
    assert one.journals() == []
    assert all("pa:ss" not in json.dumps(dataclasses.asdict(event), default=str) for event in hands.events)


def test_killed_at_any_effect_it_is_before_or_after_and_a_recovery_has_the_password() -> None:
    start = scene()
    before = State.of(start)
    done = start.fork()
    assert done.deploy() == 0
    after, effects = State.of(done), done.world.process.ticks
    seen_in_the_middle = 0
    for at in range(1, effects + 1, 3):
        one = start.fork(kill_at=at)
        with pytest.raises(Killed):
            one.deploy()
        run = [name for name in one.journals() if name.endswith(".jsonl")]
        for name in run:
            assert b"pa:ss" not in one.world.disk.read(one.request.site.journals / name)
            kept = one.request.site.journals / name.replace(".jsonl", ".kept") / "pgpass"
            if one.world.disk.kind(kept) == "file":
                seen_in_the_middle += 1
                assert one.world.disk.node(kept).mode == 0o600
                assert one.world.disk.read(kept) == b"*:*:*:*:pa\\:ss\\\\word\n"
        one.world.revive()
        one.recover()
        now = State.of(one)
        assert min((before.difference(now), after.difference(now)), key=len) == [], at
        assert leftovers_of_the_secret(one) == [], at
        assert set(one.world.postgres.applied.values()) <= {FIRST, ALL}, at
    assert seen_in_the_middle > 10


def test_what_fails_in_one_schema_is_said_and_the_others_stay_forward() -> None:
    one = scene(failing="003_three")
    hands = FakeHands(one.world)
    assert one.deploy(hands) == 1
    ended = [event for event in hands.events if isinstance(event, RunEnded)][-1]
    assert ended.databases == "as before"
    assert set(one.world.postgres.applied.values()) == {FIRST}
    assert leftovers_of_the_secret(one) == []


def test_a_disk_that_takes_no_password_file_starts_nothing() -> None:
    start = scene()
    done = start.fork()
    assert done.deploy() == 0
    trace = enumerate(done.world.process.trace, 1)
    writes = [number for number, (what, path) in trace if path.endswith("pgpass") and not what.startswith("remove")]
    assert writes
    for at in writes:
        one = start.fork(fail_at=at)
        before = State.of(one)
        with pytest.raises(Refused, match="nothing was started"):
            one.deploy()
        assert before.difference(State.of(one)) == []
        assert one.journals() == []
        assert leftovers_of_the_secret(one) == []


def test_the_server_is_asked_before_anything() -> None:
    one = scene()
    one.world.postgres.down = "connection refused"
    before = State.of(one)
    with pytest.raises(Refused, match="connection refused"):
        one.deploy()
    assert before.difference(State.of(one)) == []
    assert one.world.disk.kind(OUT) == "folder"
