"""Sites and outputs for tests of whole deploys on the fake machine."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fakes.hands import FakeHands
from fakes.host import FakeWorld, Snapshot
from mcc.core import ledger as ledgers
from mcc.core.ledger import Ledger
from mcc.deploy.request import Request
from mcc.deploy.run import deploy
from mcc.model.build import BuildInfo
from mcc.model.conf import Conf, CronJob, Environment, Ownership, Server, Services, SiteFile, Smoke
from mcc.model.config import Stage
from mcc.runs.recover import recover_all

BASE = Path("/srv/live/notes")
OUT = Path("/home/deploy/output")
MIGRATIONS = "shared/db/scripts/migrations"

DATABASES = (f"{BASE}/domains", f"{BASE}/domains/*", f"{BASE}/data.db*")
"""They go forward only, and are looked at by themselves."""


BACKUPS = (f"{BASE}/backups", f"{BASE}/backups/*")
"""They stay longer than a run, and are looked at by themselves too."""


def api_files(number: int, migrations: Sequence[str] = ()) -> dict[str, bytes | str | None]:
    """An output with a back end, of the release of that number."""
    return {
        f"{OUT}/conf-prod.yml": b"REMOTE_BASE: %s\n" % str(BASE).encode(),
        f"{OUT}/api/main.py": b"release %d" % number,
        f"{OUT}/api/routes/notes.py": b"x" * number,
        f"{OUT}/shared/text.py": b"shared",
        f"{OUT}/pyproject.toml": b"[project]",
        f"{OUT}/uv.lock": b"version = %d" % number,
        **{f"{OUT}/{MIGRATIONS}/{name}.sql": b"CREATE TABLE t (a);" for name in migrations},
    }


def rich_files(number: int, migrations: Sequence[str] = ()) -> dict[str, bytes | str | None]:
    """An output with all that a deploy can bring."""
    return {
        **api_files(number, migrations),
        f"{OUT}/worker/main.py": b"worker %d" % number,
        f"{OUT}/ui/index.html": b"page %d" % number,
        f"{OUT}/ui/assets/app.js": b"js",
        f"{OUT}/ui/assets/app-a1b2c3d{number}.js": b"js %d" % number,
        f"{OUT}/scripts/backup.sh": b"#!/bin/sh\n# %d\n" % number,
        f"{OUT}/scripts/tools/only-{number}.sh": b"#!/bin/sh\n",
        f"{OUT}/settings.ini": b"release = %d" % number,
    }


def simple_conf() -> Conf:
    """One service, nothing else."""
    return Conf(
        OUT / "conf-prod.yml",
        Server(BASE),
        ownership=Ownership("none"),
        services=Services(names=("app.service",)),
        smoke=Smoke(urls=()),
    )


def rich_conf() -> Conf:
    """Two services, two domains, cron, site files, owners by sudo."""
    return dataclasses.replace(
        simple_conf(),
        ownership=Ownership("sudo", "www-data", "deploy"),
        services=Services(names=("app.service",), workers=("worker.service",)),
        domains=("one.example.com", "two.example.com"),
        api_port=8000,
        cron=(CronJob("0 2 * * *", "backup.sh", "backup.log", "MCC-BACKUP"),),
        site_files=(SiteFile("settings.ini", "etc/notes/settings.ini"),),
        environment=Environment(probe="api.main"),
        smoke=Smoke(),
    )


def request_for(conf: Conf, keep: int = 3) -> Request:
    """What a person asked for; the build has a number."""
    return Request(OUT, Stage("prod"), conf, BuildInfo(number=7, branch="main", commit="c0ffee" * 6), keep)


@dataclass(slots=True)
class Scene:
    """A machine right before a deploy. ``conf`` is that of the deploy."""

    world: FakeWorld
    conf: Conf = field(default_factory=simple_conf)
    keep: int = 3

    @property
    def request(self) -> Request:
        return request_for(self.conf, self.keep)

    def fork(self, kill_at: int | None = None, fail_at: int | None = None) -> Scene:
        """The same scene on a copy of the machine."""
        return Scene(self.world.fork(kill_at, fail_at), self.conf, self.keep)

    def bring(self, files: dict[str, bytes | str | None]) -> None:
        """Another build: the output as a whole is new."""
        self.world.disk.remove_tree(OUT)
        self.world.plant(files)

    def deploy(self, hands: FakeHands | None = None) -> int:
        """Deploy; the exit code."""
        return deploy(self.request, hands or FakeHands(self.world))

    def recover(self, hands: FakeHands | None = None) -> None:
        """What every command that changes a site does first."""
        hands = hands or FakeHands(self.world)
        site = self.request.site
        if self.world.disk.kind(site.own) != "folder":
            return
        lock = hands.lock(site, {})
        recover_all(site, hands, lock, "found by the next command")
        lock.release()

    @property
    def ledger(self) -> Ledger:
        path = self.request.site.ledger
        there = self.world.disk.kind(path) == "file"
        return ledgers.read(self.world.disk.read(path)) if there else Ledger()

    @property
    def live(self) -> str | None:
        """The name of the live release, by the ledger."""
        return self.ledger.live.name if self.ledger.live else None

    def site(self) -> Snapshot:
        """The site without databases and without what mcc itself knows."""
        own = self.request.site.own
        return self.world.snapshot(BASE, skip=(*DATABASES, *BACKUPS, str(own), f"{own}/*"), temporaries=True)

    def temporaries(self) -> list[str]:
        """Temporary names anywhere on the site, of our own folder too."""
        found = self.world.snapshot(BASE, temporaries=True)
        return [path for path in found if path.endswith((".mcc-tmp", ".building"))]

    def journals(self) -> list[str]:
        """What is in the journals' folder."""
        return self.world.disk.names(self.request.site.journals)

    def databases(self) -> dict[str, tuple[str, ...]]:
        """The migrations of each database."""
        found = self.world.snapshot(BASE)
        files = {path: what[3] for path, what in found.items() if path.endswith("data.db")}
        return {path: tuple(json.loads(data or b"[]")) for path, data in files.items() if isinstance(data, bytes)}


    def waiting(self) -> set[str]:
        """The migrations of the output that run behind the cut-over."""
        folder = OUT / MIGRATIONS
        texts = {name: self.world.disk.read(folder / name) for name in self.world.disk.names(folder)}
        return {name.removesuffix(".sql") for name, text in texts.items() if b"phase=after" in text}


@dataclass(frozen=True, slots=True)
class State:
    """All that must be exactly as it was, or exactly as it should be."""

    site: Snapshot
    crontab: bytes
    serving: dict[str, str]
    live: str | None

    @classmethod
    def of(cls, scene: Scene) -> State:
        return cls(scene.site(), scene.world.cron.text, scene.world.serving(), scene.live)

    def difference(self, other: State) -> list[str]:
        """What is not the same, for a person."""
        paths = sorted(self.site.keys() | other.site.keys())
        lines = [
            f"{path}: {self.site.get(path)} / {other.site.get(path)}"
            for path in paths
            if self.site.get(path) != other.site.get(path)
        ]
        for name in ("crontab", "serving", "live"):
            mine, theirs = getattr(self, name), getattr(other, name)
            lines += [f"{name}: {mine!r} / {theirs!r}"] if mine != theirs else []
        return lines


def machine(**options: Any) -> FakeWorld:
    """A server with an empty site, two services and an output folder."""
    world = FakeWorld(BASE, services=("app.service", "worker.service"), **options)
    world.http.web = ("app.service",)
    world.plant({str(BASE): None})
    return world


def first(conf: Conf | None = None) -> Scene:
    """A first deploy of everything."""
    scene = Scene(machine(), conf or rich_conf())
    scene.world.cron.text = b"MAILTO=ops@example.com\n5 4 * * * /usr/bin/true\n"
    scene.bring(rich_files(1, ("001_one", "002_two")))
    return scene


def second(conf: Conf | None = None, migrations: Sequence[str] = ("001_one", "002_two", "003_three")) -> Scene:
    """A deploy of everything onto a site with a live release."""
    scene = first(conf)
    assert scene.deploy() == 0
    scene.world.time.pass_by(60)
    scene.bring(rich_files(2, migrations))
    scene.world.revive()
    return scene


def full(keep: int = 2) -> Scene:
    """A deploy onto a site whose oldest release has to go, and whose environment is used again."""
    scene = second()
    scene.keep = keep
    assert scene.deploy() == 0
    scene.world.time.pass_by(60)
    files = rich_files(3, ("001_one", "002_two", "003_three"))
    files[f"{OUT}/uv.lock"] = b"version = 2"
    scene.bring(files)
    scene.world.revive()
    return scene


def behind_the_cut_over() -> Scene:
    """A second deploy with a migration that the old release could not live with, and one that it can."""
    scene = second(migrations=("001_one", "002_two", "003_three", "004_four"))
    scene.world.plant({f"{OUT}/{MIGRATIONS}/003_three.sql": b"-- mcc: phase=after\nDROP TABLE t;"})
    return scene


def broken(how: str) -> Scene:
    """A second deploy whose services behave like that: see ``fakes.services.Behaviour``."""
    scene = second()
    scene.world.plant({f"{OUT}/api/BEHAVES": how.encode()})
    return scene


def broken_first(how: str) -> Scene:
    """The same on an empty site."""
    scene = first()
    scene.world.plant({f"{OUT}/api/BEHAVES": how.encode()})
    return scene


def third_migration_fails() -> Scene:
    """A second deploy that cannot bring its databases forward."""
    scene = second()
    scene.world.sqlite.failing = {"003_three"}
    return scene
