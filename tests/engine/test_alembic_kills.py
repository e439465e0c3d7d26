"""A deploy with alembic that dies at any effect: code before or after, and where the database is, is said."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pytest

from fakes import scenes
from fakes.commands import Call
from fakes.hands import FakeHands
from fakes.host import Killed
from fakes.scenes import BASE, OUT, Scene, State
from mcc.model.conf import Database
from mcc.model.event import RunEnded

SECRET = "much-secret"
INI = b"[alembic]\nscript_location = shared/alembic\n"
A1 = b"revision = 'a1'\ndown_revision = None\n"
B2 = b"revision: str = 'b2'\ndown_revision: str | None = 'a1'\n"


@dataclass
class Python:
    """The environment's interpreter: alembic as it answers, over one database."""

    head: str = "a1"
    current: str = ""
    fails: bool = False
    url: str = ""

    def __call__(self, call: Call) -> tuple[int, str]:
        if call.words[1:5] != ("-I", "-B", "-m", "alembic"):
            return 0, ""
        self.url = dict(call.env)["DATABASE_URL"]
        assert call.cwd is not None
        if call.words[5] == "heads":
            return 0, f"{self.head} (head)\n"
        if call.words[5] == "current":
            return 0, f"env.py says hello\n{self.current}\n"
        if self.fails:
            return 1, f"Traceback\nsqlalchemy.exc.ProgrammingError: no such thing at {self.url}\n"
        self.current = self.head
        return 0, "INFO [alembic] Running upgrade a1 -> b2\n"


def files(number: int) -> dict[str, bytes | str | None]:
    more = {f"{OUT}/shared/alembic/versions/b2.py": B2} if number > 1 else {}
    return {
        **scenes.rich_files(number),
        f"{OUT}/alembic.ini": INI,
        f"{OUT}/shared/alembic/env.py": b"",
        f"{OUT}/shared/alembic/versions/a1.py": A1,
        **more,
    }


def scene(fails: bool = False) -> Scene:
    """A second deploy with one revision more."""
    database = Database("postgresql", tool="alembic", url=f"postgresql+psycopg://app:{SECRET}@db/shop")
    conf = dataclasses.replace(
        scenes.rich_conf(), database=database, secrets=frozenset({SECRET}), smoke=scenes.simple_conf().smoke
    )
    made = scenes.first(conf)
    made.world.postgres.secret = SECRET
    made.bring(files(1))
    python = Python()
    made.world.commands.does["python"] = python
    assert made.deploy() == 0
    made.world.postgres.applied[("shop", "public")] = ("a1",)
    made.world.time.pass_by(60)
    made.bring(files(2))
    python.head, python.fails = "b2", fails
    made.world.revive()
    return made


def python_of(one: Scene) -> Python:
    found = one.world.commands.does["python"]
    assert isinstance(found, Python)
    return found


def ended(hands: FakeHands) -> RunEnded:
    return [event for event in hands.events if isinstance(event, RunEnded)][-1]


def test_undisturbed_it_goes_through_with_the_address_as_it_was_given() -> None:
    one = scene()
    hands = FakeHands(one.world)
    assert one.deploy(hands) == 0
    assert python_of(one).current == "b2"
    assert python_of(one).url == f"postgresql+psycopg://app:{SECRET}@db/shop"
    assert ended(hands).databases == "shop at b2 (was at a1), forward"
    assert one.journals() == []


def test_it_runs_in_a_room_where_the_links_lead_to_the_new_release() -> None:
    one = scene()
    done = one.fork()
    done.deploy()
    trace = enumerate(done.world.process.trace, 1)
    at = next(number for number, (what, path) in trace if what == "run" and path.endswith("alembic upgrade head"))
    died = one.fork(kill_at=at)
    with pytest.raises(Killed):
        died.deploy()
    (run,) = [name for name in died.journals() if name.endswith(".kept")]
    room = died.request.site.journals / run / "alembic"
    disk = died.world.disk
    new = disk.read_link(room / "current-api")
    assert new != str(BASE / disk.read_link(BASE / "current-api"))
    assert disk.read(room / "alembic.ini") == INI
    assert disk.read_link(room / "shared") == f"{new}/shared"
    assert disk.read_link(room / "data.db") == str(BASE / "data.db")
    assert disk.read_link(room / "domains") == str(BASE / "domains")
    assert disk.read_link(room / ".venv").startswith(str(BASE / "venvs"))
    assert disk.kind(room / ".mcc") == "absent"
    assert disk.read(room / "uv.lock") == b"version = 2"
    url = died.request.site.journals / run / "database-url"
    assert (disk.node(url).mode, SECRET.encode() in disk.read(url)) == (0o600, True)


def test_killed_at_any_effect_it_is_before_or_after() -> None:
    start = scene()
    before = State.of(start)
    done = start.fork()
    assert done.deploy() == 0
    after, effects = State.of(done), done.world.process.ticks
    for at in range(1, effects + 1, 3):
        one = start.fork(kill_at=at)
        with pytest.raises(Killed):
            one.deploy()
        one.world.revive()
        hands = FakeHands(one.world)
        one.recover(hands)
        now = State.of(one)
        assert min((before.difference(now), after.difference(now)), key=len) == [], at
        assert one.journals() == [], at
        last = [event for event in hands.events if isinstance(event, RunEnded)]
        if last and last[-1].result == "failed" and python_of(one).current == "b2":
            assert last[-1].databases == "shop at b2 (was at a1), ahead", at


def test_a_failure_is_undone_and_no_secret_is_said() -> None:
    one = scene(fails=True)
    before = State.of(one)
    hands = FakeHands(one.world)
    assert one.deploy(hands) == 1
    assert before.difference(State.of(one)) == []
    assert ended(hands).databases == "as before"
    assert (
        ended(hands).error == "shop: alembic upgrade head failed: sqlalchemy.exc.ProgrammingError: no such thing at ***"
    )
    assert SECRET not in repr(hands.events)
