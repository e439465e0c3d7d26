"""Sites for tests of restores and clones on the fake machine."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path

from fakes.hands import FakeHands
from fakes.host import FakeWorld, Snapshot
from mcc.core.backups import to_json
from mcc.core.cron.crontab import job_lines, with_block
from mcc.core.layout import Site
from mcc.model.conf import Conf, CronJob, Ownership, Server, Services, Smoke
from mcc.model.config import Stage
from mcc.model.event import RunEnded
from mcc.operations.clone import CloneRequest, clone
from mcc.runs.recover import recover_all

PROD, DEV = Path("/srv/live/prod"), Path("/srv/live/dev")
OUT = Path("/home/deploy/output")
JOB = CronJob("0 2 * * *", "backup.sh", "backup.log", "MCC-BACKUP")
__all__ = ["to_json"]


def conf_of(base: Path, *domains: str, stage: str = "") -> Conf:
    """A site with two services, a job and owners by sudo."""
    return Conf(
        OUT / f"conf-{base.name}.yml",
        Server(base),
        stage=stage or base.name,
        ownership=Ownership("sudo", "www-data", "deploy"),
        services=Services(names=("app.service",), workers=("worker.service",)),
        domains=domains,
        cron=(JOB,),
        smoke=Smoke(urls=()),
        api_port=8000,
    )


def data(*names: str) -> bytes:
    """A database of the fake machine."""
    return json.dumps(list(names)).encode()


@dataclass(slots=True)
class Exchange:
    """A machine with a production and a development site, right before the clone of one to the other."""

    world: FakeWorld
    source: Conf = field(default_factory=lambda: conf_of(PROD, "a.example.com", "b.example.com"))
    target: Conf = field(default_factory=lambda: conf_of(DEV, "a.dev.example.com", "b.dev.example.com"))
    confirm: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    sql: str | None = None

    @property
    def request(self) -> CloneRequest:
        stage = Stage("clone-prod-to-dev", parameters=self.parameters)
        return CloneRequest(OUT, stage, self.source, self.target, None, self.sql, self.confirm)

    @property
    def site(self) -> Site:
        return Site(self.target.server.base)

    def fork(self, kill_at: int | None = None, fail_at: int | None = None) -> Exchange:
        """The same on a copy of the machine."""
        return dataclasses.replace(self, world=self.world.fork(kill_at, fail_at))

    def run(self, hands: FakeHands | None = None) -> int:
        """Clone; the exit code."""
        return clone(self.request, hands or FakeHands(self.world))

    def recover(self) -> None:
        """What every command that changes the site does first."""
        if self.world.disk.kind(self.site.own) != "folder":
            return
        hands = FakeHands(self.world)
        lock = hands.lock(self.site, {})
        recover_all(self.site, hands, lock, "found by the next command")
        lock.release()

    def databases(self, base: Path = DEV) -> dict[str, tuple[str, ...]]:
        """The content of each database of a site."""
        found = self.world.snapshot(base / "domains", base / "data.db")
        files = {path: what[3] for path, what in found.items() if path.endswith("data.db")}
        return {path: tuple(json.loads(text or b"[]")) for path, text in files.items() if isinstance(text, bytes)}

    def rest(self) -> Snapshot:
        """The target without its databases, its backups and what mcc itself knows."""
        base, own = self.target.server.base, self.site.own
        skip = (f"{base}/domains", f"{base}/domains/*", f"{base}/data.db", f"{base}/backups*", str(own), f"{own}/*")
        return self.world.snapshot(base, skip=skip, temporaries=True, owners=False)

    def leftovers(self) -> list[str]:
        """What a run needs for a moment, below databases, backups and journals."""
        base = self.target.server.base
        found = self.world.snapshot(base / "domains", base / "backups", self.site.journals, temporaries=True)
        return [path for path in found if path.endswith(".mcc-tmp") or "/.making-" in path or ".kept" in path]


def exchange(**changes: object) -> Exchange:
    """Production with three migrations and two; development with one each, and a service at rest."""
    world = FakeWorld(DEV, services=("app.service", "worker.service"))
    world.http.web = ("app.service",)
    world.plant(
        {
            f"{PROD}/.mcc": None,
            f"{PROD}/domains/a.example.com/data.db": data("001", "002", "003"),
            f"{PROD}/domains/b.example.com/data.db": data("001", "002"),
            f"{DEV}/.mcc": None,
            f"{DEV}/api/vrs-1/api/main.py": b"x",
            f"{DEV}/current-api": "api/vrs-1",
            f"{DEV}/domains/a.dev.example.com/data.db": data("001"),
            f"{DEV}/domains/b.dev.example.com/data.db": data("000"),
            str(OUT): None,
        }
    )
    world.start("app.service", "worker.service")
    made = Exchange(world)
    for name, value in changes.items():
        setattr(made, name, value)
    site = made.site
    world.cron.text = with_block(b"5 4 * * * /bin/x\n", DEV, job_lines((JOB,), site)) + b"# end\n"
    return made


def ended(hands: FakeHands) -> RunEnded:
    """The last word of a run."""
    return [event for event in hands.events if isinstance(event, RunEnded)][-1]
