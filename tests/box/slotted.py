"""The sample application in two slots, as ``mcc provision`` sets it up, and eight visitors who go on meanwhile."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from box.harness import CERTIFICATE, DEPLOY_USER, Result, until
from box.notes import Notes

UNITS = ("notes-prod-api@a.service", "notes-prod-api@b.service")
WORKER = "notes-prod-worker.service"
CONF = {
    "SERVICES": "", "SERVICE_NAME": "notes-prod-api@.service", "WORKER_SERVICE_NAME": "notes-prod-worker.service",
    "WORKER_COMMAND": "python -m worker.main", "OWNERSHIP": "acl", "DIR_GROUP": "", "API_PORT": "",
    "TLS": "files", "TLS_CERTIFICATE": CERTIFICATE[0], "TLS_KEY": CERTIFICATE[1], "STABLE_FOR": "0.5",
    "DRAIN_TIMEOUT": "2", "CRON_JOBS": "",
}  # fmt: skip
STREAM = '''"""An event stream that never ends."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

router = APIRouter()


async def ticks() -> AsyncIterator[str]:
    while True:
        yield "data: tick\\n\\n"
        await asyncio.sleep(0.1)


@router.get("/api/events")
async def events() -> StreamingResponse:
    return StreamingResponse(ticks(), media_type="text/event-stream")
'''


def with_stream(output: Path, folder: Path) -> Path:
    """The sample application with an event stream."""
    shutil.copytree(output, folder, symlinks=True)
    routes = folder / "api/routes"
    (routes / "events.py").write_text(STREAM)
    text = (routes / "__init__.py").read_text()
    text = text.replace("import health", "import events, health").replace("[health.", "[events.router, health.")
    (routes / "__init__.py").write_text(text)
    return folder


@dataclass(frozen=True, slots=True)
class Site(Notes):
    """The sample application in two slots, set up by ``mcc provision``."""

    def first(self, output: Path, **conf: str) -> Site:
        """Root runs the script of provision once, and no more; then the first release is live in slot a."""
        self.bring(output, conf={**CONF, **conf})
        self.box.exec(["rm", "-f", "/etc/sudoers.d/box"])
        self.provision("folders", "units", "sudoers", "nginx")
        done = self.deploy()
        assert done.code == 0, done
        return self

    def provision(self, *parts: str) -> None:
        """Root runs the script for these parts of what was brought."""
        only = [word for part in parts for word in ("--only", part)]
        script = self.mcc("provision", "--stage", "prod", *only, "--script")
        assert script.code == 0, script
        done = self.box.exec(["sh"], stdin=script.stdout, check=False)
        assert done.code == 0, done

    def live(self) -> str:
        """The unit that visitors reach."""
        return f"notes-prod-api@{self.link('run/current-api.sock')[0]}.service"

    def up(self) -> list[str]:
        return [unit for unit in UNITS if self.box.state(unit) == "active"]

    def drained(self) -> None:
        """Return when the live slot is alone."""
        until(lambda: self.up() == [self.live()] and len(self.slots()) == 1, "the old slot to be gone")

    def slots(self) -> list[str]:
        return self.box.exec(["ls", f"{self.base}/slots"]).stdout.split()

    def newest(self) -> str:
        """The newest release there is."""
        return self.box.exec(["ls", f"{self.base}/api"]).stdout.split()[-1]

    def back(self, *words: str) -> Result:
        return self.box.exec(
            [f"{self.base}/.mcc/bin/mcc", "rollback", "--site", self.base, *words], DEPLOY_USER, check=False
        )


@dataclass(slots=True)
class Load:
    """Visitors, one of each of these kinds; what they got. ``failed``: everything that was no good answer."""

    site: Notes
    kinds: tuple[str, ...] = ("new", "new", "kept", "kept", "posts", "posts", "slow", "stream")
    answers: Counter[str] = field(default_factory=Counter)
    versions: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    cut: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def going_on(self) -> Iterator[Load]:
        threads = [threading.Thread(target=self._run, args=(getattr(self, kind),)) for kind in self.kinds]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()

    def _run(self, work: Callable[[], None]) -> None:
        while not self.stop.is_set():
            try:
                work()
            except Exception as error:
                self.failed.append(f"{work.__name__}: {type(error).__name__}: {error}")

    def _ask(self, pool: urllib3.HTTPConnectionPool, kind: str, path: str, **options: object) -> bytes:
        headers = {"Host": self.site.domains[0], "Content-Type": "application/json"}
        method = "POST" if options else "GET"
        answer = pool.request(method, path, headers=headers, retries=False, redirect=False, **options)  # type: ignore[arg-type]
        if answer.status not in (200, 201):
            raise ValueError(f"{path}: {answer.status} {answer.data[:80]!r}")
        self.answers[kind] += 1
        time.sleep(0.02)  # deploys need some of the machine, too
        return answer.data

    def _pool(self) -> urllib3.HTTPConnectionPool:
        return self.site.box.pool(host=self.site.domains[0], https=True)

    def new(self) -> None:
        with self._pool() as pool:
            self.versions.add(json.loads(self._ask(pool, "new", "/api/version"))["version"])

    def kept(self) -> None:
        with self._pool() as pool:
            while not self.stop.is_set():
                self._ask(pool, "kept", "/api/version")

    def posts(self) -> None:
        with self._pool() as pool:
            while not self.stop.is_set():
                self._ask(pool, "post", "/api/notes", body=json.dumps({"text": "from a visitor"}))

    def slow(self) -> None:
        with self._pool() as pool:
            self._ask(pool, "slow", "/api/slow?seconds=0.5")

    def stream(self) -> None:
        """A stream that is cut and can be begun again is none that failed."""
        with self._pool() as pool:
            headers = {"Host": self.site.domains[0]}
            answer = pool.request("GET", "/api/events", headers=headers, retries=False, preload_content=False)
            if answer.status != 200:
                raise ValueError(f"/api/events: {answer.status}")
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                while not self.stop.is_set() and answer.read(1):
                    self.answers["bytes of the stream"] += 1
            answer.close()
            self.cut += not self.stop.is_set()
