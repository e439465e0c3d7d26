"""Looks at a server, on a fake machine: what cannot be planted in a real one at little cost."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fakes.hands import FakeHands
from fakes.host import FakeWorld
from fakes.scenes import BASE, OUT, request_for, rich_conf, rich_files, simple_conf
from mcc.check import clock, disk, folders, postgres, runs, tools
from mcc.check.certificates import certificates
from mcc.check.output import lock
from mcc.check.scene import Look
from mcc.check.scene import Scene as Looked
from mcc.check.server import _as_it_answers, check_server, scene_of
from mcc.check.together import together
from mcc.check.units import units
from mcc.core.looks.findings import Finding, error, ok
from mcc.errors import MigrationFailed, SiteError
from mcc.host.ports import Files, Space
from mcc.host.senses import Capacity, Certificate, Trust
from mcc.model.conf import Conf, Database
from mcc.model.database import PostgresDatabase


@dataclass(slots=True)
class FakeSenses:
    """A machine as a test wants it."""

    free: int = 50
    unreachable: bool = False
    days: float = 90
    trust: Trust = "good"
    closed: set[tuple[str, str]] = field(default_factory=set)

    def may(self, user: str, path: Path, rights: str) -> bool:
        return not any((str(path), right) in self.closed for right in rights)

    def certificate(self, domain: str, timeout: float) -> Certificate:
        if self.trust != "good":
            return Certificate(domain, self.trust, None, "its reason")
        return Certificate(domain, "good", datetime(2026, 2, 27, 15, tzinfo=UTC) + timedelta(days=self.days))

    def capacity(self, target: PostgresDatabase, passwords: Mapping[Path, str]) -> Capacity:
        if self.unreachable:
            raise MigrationFailed("x: nobody answers", help="start it")
        return Capacity("15.4", 97, self.free)


@pytest.fixture
def world() -> Iterator[FakeWorld]:
    made = FakeWorld(BASE, services=("app.service", "worker.service"))
    made.plant(rich_files(1, ["001_one"]))
    return made


def looked(world: FakeWorld, conf: Conf | None = None, senses: FakeSenses | None = None) -> Looked:
    return scene_of(request_for(conf or rich_conf()), FakeHands(world), senses or FakeSenses())


def codes(look: Look, scene: Looked) -> list[str]:
    return [finding.code for finding in look(scene)]


def test_a_server_that_is_ready_for_the_first_deploy_is_green(world: FakeWorld) -> None:
    """Nothing is changed by the look, and nothing takes the lock."""
    world.plant({"/srv/live/": None})
    before = world.snapshot(Path("/"))
    found = check_server(looked(world))
    assert [finding for finding in found if finding.level != "ok"] == []
    assert world.snapshot(Path("/")) == before


def test_all_that_a_deploy_would_refuse_comes_at_once(world: FakeWorld) -> None:
    world.plant({"/srv/live/": None})
    del world.units.units["worker.service"]
    world.sudo.allowed = set()
    world.disk.remove(OUT / "settings.ini")
    world.disk.remove_tree(OUT / "shared" / "db")
    conf = dataclasses.replace(rich_conf(), database=Database(tool="alembic"))
    found = [finding.code for finding in check_server(looked(world, conf)) if finding.level == "error"]
    assert {"units.unknown", "sudo.missing", "output.file-missing", "databases.unclear"} <= set(found)


# ---- one look at a time


KNOWN = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nRestart=always\nUser=www-data\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((1, ""), []),
        ((0, "Id=app.service\nLoadState=loaded\n\nId=worker.service\nLoadState=not-found\n"), []),
        ((0, f"Id=app.service\n{KNOWN}\nId=worker.service\n{KNOWN}"), ["units.fit"]),
    ],
)
def test_units_are_fine_only_if_systemd_knows_them_all(
    world: FakeWorld, answer: tuple[int, str], said: list[str]
) -> None:
    """Where systemctl does not answer, as in a container, nothing is known of them."""
    world.commands.programs["systemctl"] = "/usr/bin/systemctl"
    world.commands.does["systemctl"] = lambda call: answer
    assert [each.code for each in units(looked(world)) if each.level == "ok"] == said


@pytest.mark.parametrize(
    ("days", "code"), [(15, "certificates.good"), (13.9, "certificates.soon"), (0.1, "certificates.soon")]
)
def test_a_certificate_that_ends_within_two_weeks_is_a_warning(world: FakeWorld, days: float, code: str) -> None:
    assert codes(certificates, looked(world, senses=FakeSenses(days=days))) == [code] * 2


@pytest.mark.parametrize("trust", ["expired", "not-trusted", "wrong-name", "unreachable"])
def test_a_certificate_that_no_browser_takes_is_an_error(world: FakeWorld, trust: Trust) -> None:
    found = list(certificates(looked(world, senses=FakeSenses(trust=trust))))
    assert {(each.code, each.level, each.message) for each in found} == {
        (f"certificates.{trust}", "error", "its reason")
    }
    assert all(each.help for each in found)


def postgres_conf(workers: int | None = None) -> Conf:
    database = Database("postgresql", name="shop", password="not-to-be-seen")
    return dataclasses.replace(simple_conf(), database=database, values={"WORKERS": workers} if workers else {})


@pytest.mark.parametrize(
    ("workers", "free", "code"),
    [
        (4, 11, "postgres.free"),
        (4, 10, "postgres.connections"),
        (None, 5, "postgres.free"),
        (None, 4, "postgres.connections"),
    ],
)
def test_two_slots_must_have_connections(world: FakeWorld, workers: int | None, free: int, code: str) -> None:
    """Each of WORKERS processes twice, and three to spare."""
    assert codes(postgres.postgres, looked(world, postgres_conf(workers), FakeSenses(free=free))) == [code]


def test_a_database_server_that_does_not_answer_is_an_error(world: FakeWorld) -> None:
    (found,) = postgres.postgres(looked(world, postgres_conf(), FakeSenses(unreachable=True)))
    assert (found.code, found.help) == ("postgres.unreachable", "start it")


@pytest.mark.parametrize(
    ("free", "inodes", "code"),
    [(300, 10**6, "disk.free"), (200, 10**6, "disk.little"), (300, 100, "disk.few-inodes")],
)
def test_there_should_be_room_for_two_releases(world: FakeWorld, free: int, inodes: int, code: str) -> None:
    space = Space(free * 1024 * 1024, inodes)
    scene = looked(world)
    files = Roomy(scene.host.files, space)
    assert codes(disk.disk, dataclasses.replace(scene, host=dataclasses.replace(scene.host, files=files))) == [code]


class Roomy:
    """Files of a disk of a size that a test says."""

    def __init__(self, files: Files, space: Space) -> None:
        self._files = files
        self._space = space

    def space(self, path: Path) -> Space:
        return self._space

    def __getattr__(self, name: str) -> object:
        return getattr(self._files, name)


def test_a_folder_that_is_the_applications_alone_stops_no_deploy(world: FakeWorld) -> None:
    world.plant({"/srv/live/": None})
    world.plant({f"{BASE}/data/": None, f"{BASE}/scripts/": None}, owner="www-data")
    found = [(each.code, each.where) for each in folders.folders(looked(world))]
    assert ("folders.closed", f"{BASE}/scripts") in found
    assert ("folders.closed", f"{BASE}/data") not in found


def test_a_clock_that_stands_before_the_newest_release_is_a_warning(world: FakeWorld) -> None:
    later = b'{"event":"failed","name":"vrs-2026-02-27T170000","at":"","run":"x"}\n'
    world.plant({f"{BASE}/.mcc/releases.jsonl": later})
    assert codes(clock.clock, looked(world)) == ["clock.behind"]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("CanNTP=yes\nNTP=no\nNTPSynchronized=no\n", "clock.not-set"),
        ("CanNTP=yes\nNTP=yes\nNTPSynchronized=yes\n", "clock.time"),
        ("CanNTP=no\nNTP=no\nNTPSynchronized=no\n", "clock.time"),
    ],
)
def test_a_clock_that_nobody_sets_is_a_warning_where_somebody_could(world: FakeWorld, answer: str, code: str) -> None:
    world.commands.programs["timedatectl"] = "/usr/bin/timedatectl"
    world.commands.does["timedatectl"] = lambda call: (0, answer)
    assert codes(clock.clock, looked(world)) == [code]


@pytest.mark.parametrize(
    ("output", "code"),
    [("uv 0.4.30", "tools.uv-old"), ("uv 0.5.0 (x)", "tools.versions"), ("uv 1.0", "tools.versions")],
)
def test_an_old_uv_is_a_warning(world: FakeWorld, output: str, code: str) -> None:
    world.commands.does["uv"] = lambda call: (0, output)
    assert codes(tools.tools, looked(world))[0] == code


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"late": True, "last_good": None, "schedule": "0 2 * * *", "problem": ""}, "backups.late"),
        ({"late": False, "last_good": "x", "schedule": "0 2 * * *", "problem": ""}, "backups.kept"),
        ({"late": False, "last_good": None, "schedule": None, "problem": "it is no YAML"}, "backups.unknown"),
    ],
)
def test_backups_are_as_mcc_status_has_them(
    world: FakeWorld, state: dict[str, object], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "backup_state", lambda *_: state)
    assert codes(runs.backups, looked(world)) == [code]


@pytest.mark.parametrize("name", ["missing", "broken", "stale", "good"])
def test_a_lock_file_is_looked_at_beside_its_project(world: FakeWorld, name: str) -> None:
    texts = {
        "broken": (b"[project", b""),
        "stale": (b'[project]\ndependencies = ["left-pad"]\n', b'[[package]]\nname = "x"\n'),
        "good": (b'[project]\ndependencies = ["x"]\n', b'[[package]]\nname = "x"\n'),
    }
    world.disk.remove(OUT / "uv.lock")
    if name != "missing":
        project, text = texts[name]
        world.plant({f"{OUT}/pyproject.toml": project, f"{OUT}/uv.lock": text})
    wanted = {"missing": "lock-missing", "broken": "lock-unreadable", "stale": "lock-stale", "good": "lock"}
    assert [finding.code for finding in lock(world.host(), OUT)] == [f"output.{wanted[name]}"]


def test_what_uv_says_of_versions_counts_where_it_can_say_it(world: FakeWorld) -> None:
    world.plant({f"{OUT}/pyproject.toml": b"[project]\n", f"{OUT}/uv.lock": b""})
    said = "The lockfile at `uv.lock` needs to be updated, but `--check` was provided."
    world.commands.does["uv"] = lambda call: (2, said)
    assert [finding.code for finding in lock(world.host(), OUT)] == ["output.lock-stale"]
    world.commands.does["uv"] = lambda call: (2, "error: no network, and nothing in the cache")
    assert [finding.code for finding in lock(world.host(), OUT)] == ["output.lock"]
    world.commands.hangs.add("uv")
    assert [finding.code for finding in lock(world.host(), OUT)] == ["output.lock"]


def test_a_domain_that_answers_stops_no_deploy_whoever_serves_it() -> None:
    lacking = [error("nginx.domain", name, "no server", "add it") for name in ("a.example.com", "b.example.com")]
    asked = [
        Finding("http.answers", "ok", "https://a.example.com/", "200"),
        Finding("http.answers", "ok", "https://b.example.com/", "200"),
        error("http.answer", "https://b.example.com/health", "502", "look"),
    ]
    found = _as_it_answers([*lacking, *asked])
    assert [(each.where, each.level) for each in found[:2]] == [
        ("a.example.com", "warning"),
        ("b.example.com", "error"),
    ]


# ---- side by side


def test_a_look_that_cannot_be_finished_is_a_finding_and_stops_no_other() -> None:
    def refused() -> list[Finding]:
        raise SiteError("it is closed", help="open it")

    def gone() -> list[Finding]:
        raise PermissionError(13, "Permission denied", "/etc/x")

    def odd() -> list[Finding]:
        raise ValueError("no number")

    found = together({"a": refused, "b": gone, "c": odd, "d": lambda: [ok("d.fine", "")]})
    assert [(each.code, each.where) for each in found] == [
        ("a.failed", ""), ("b.failed", "/etc/x"), ("c.failed", ""), ("d.fine", ""),
    ]  # fmt: skip
    assert all(each.help for each in found if each.level == "error")


def test_looks_run_side_by_side_in_the_order_in_which_they_are_shown() -> None:
    """Each waits for the other: one after the other they would never end."""
    first, second = threading.Event(), threading.Event()

    def one() -> list[Finding]:
        first.set()
        assert second.wait(10)
        return [ok("a.one", "")]

    def two() -> list[Finding]:
        assert first.wait(10)
        second.set()
        return [ok("a.two", "")]

    assert [finding.code for finding in together({"one": one, "two": two})] == ["a.one", "a.two"]
