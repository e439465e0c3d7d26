"""Visitors of one site: ``python -m mcc.demo.load JOB``, where JOB is the JSON of a :class:`Job`.

They come at a constant rate until standard input ends, or until the job's time is over, whichever
is first; whoever is waiting then is still given his full patience. Each request becomes one line
of ``job.record``; twice a second one line on standard output says how many there were.

Who comes: people who arrive, ask once over a connection of their own and leave; people who stay
and ask again and again over one connection; and people who fetch the front page and what it names
from ``current-ui``, opened by its path at each request as nginx does.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import resource
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

from mcc.demo.client import Request, Unanswered, Visitor
from mcc.demo.measure import Asked

ARRIVING = {"GET, new connection": 40.0, "POST, new connection": 5.0}  # a second, all together
STAYING = {"GET, kept connection": (4, 10.0), "POST, kept connection": (2, 2.0)}  # people, a second each
PAGES = ("page from current-ui", 40.0)
KINDS = (*ARRIVING, *STAYING, PAGES[0])
RATE = sum(ARRIVING.values()) + sum(people * rate for people, rate in STAYING.values()) + PAGES[1]

_LONGEST = 600.0
_FILES = 4096
_SAYS_EVERY = 0.5
_ASSET = re.compile(rb'"/(assets/[^"]+)"')


@dataclass(frozen=True, slots=True)
class Job:
    """Whom to ask. ``patience`` and ``seconds`` (at most 600) are in seconds."""

    port: int
    domains: tuple[str, ...]
    site: str
    record: str
    patience: float = 10.0
    seconds: float = 300.0

    def words(self) -> list[str]:
        """The command that sends these visitors."""
        return [sys.executable, "-P", "-m", "mcc.demo.load", json.dumps(asdict(self))]


class Load:
    """Sends the visitors and writes down what each got."""

    def __init__(self, job: Job, record: TextIO) -> None:
        self._job = job
        self._record = record
        self._over = asyncio.Event()
        self._asked = self._failed = self._waiting = 0
        self._domains = itertools.cycle(job.domains)

    async def run(self) -> None:
        """Return when the last visitor has got his answer or has given up."""
        async with asyncio.TaskGroup() as group:
            for kind, rate in ARRIVING.items():
                group.create_task(self._arrivals(kind, 1 / rate))
            for kind, (people, rate) in STAYING.items():
                for number in range(people):
                    group.create_task(self._stay(kind, f"{kind} {number + 1}", 1 / rate))
            group.create_task(self._open_pages(PAGES[0], 1 / PAGES[1]))
            group.create_task(self._say())
            await _until_told(min(self._job.seconds, _LONGEST))
            self._over.set()

    async def _arrivals(self, kind: str, period: float) -> None:
        """Nobody waits for the one before: an outage meets all who come."""
        async with asyncio.TaskGroup() as group:
            async for _ in self._ticks(period):
                group.create_task(self._arrive(kind, period))

    async def _arrive(self, kind: str, period: float) -> None:
        visitor, request = Visitor(self._job.port), self._request(kind)
        try:
            await self._note(kind, kind, period, partial(visitor.ask, request))
        finally:
            visitor.leave()

    async def _stay(self, kind: str, name: str, period: float) -> None:
        visitor = Visitor(self._job.port)
        try:
            async for _ in self._ticks(period):
                request = self._request(kind)
                await self._note(kind, name, period, partial(visitor.ask, request))
        finally:
            visitor.leave()

    async def _open_pages(self, kind: str, period: float) -> None:
        folder = Path(self._job.site, "current-ui")

        async def fetch() -> bool:
            _open_page(folder)
            return False

        async for _ in self._ticks(period):
            await self._note(kind, kind, period, fetch)

    def _request(self, kind: str) -> Request:
        domain = next(self._domains)
        if kind.startswith("POST"):
            return Request("POST", "/api/notes", domain, json.dumps({"text": f"by {kind}"}).encode())
        return Request("GET", "/api/notes" if "new" in kind else "/api/version", domain)

    async def _ticks(self, period: float) -> AsyncIterator[None]:
        """One tick a period; those that were missed while waiting are left out."""
        due = time.monotonic() + period
        while not self._over.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - time.monotonic())):
                    await self._over.wait()
            if self._over.is_set():
                return
            yield
            due = max(due + period, time.monotonic())

    async def _note(self, kind: str, visitor: str, period: float, work: Callable[[], Awaitable[bool]]) -> None:
        start, reason, again = time.monotonic(), "", False
        self._waiting += 1
        try:
            async with asyncio.timeout(self._job.patience):
                again = await work()
        except TimeoutError:
            reason = f"no answer within {self._job.patience:g} s"
        except ConnectionRefusedError:
            reason = "connection refused"
        except Unanswered as error:
            reason = str(error)
        except OSError as error:
            reason = error.strerror or type(error).__name__
        self._waiting -= 1
        asked = Asked(kind, visitor, period, start, time.monotonic(), reason, again)
        self._asked, self._failed = self._asked + 1, self._failed + bool(reason)
        self._record.write(json.dumps(asdict(asked)) + "\n")

    async def _say(self) -> None:
        async for _ in self._ticks(_SAYS_EVERY):
            counts = {"asked": self._asked, "failed": self._failed, "waiting": self._waiting}
            with suppress(OSError):
                sys.stdout.write(json.dumps(counts) + "\n")
                sys.stdout.flush()


def _open_page(folder: Path) -> None:
    """The front page and what it names, each opened by its whole path. Raises Unanswered."""
    try:
        page = (folder / "index.html").read_bytes()
        for name in _ASSET.findall(page):
            (folder / name.decode()).read_bytes()
    except FileNotFoundError as error:
        missing = Path(str(error.filename)).relative_to(folder.parent)
        raise Unanswered(f"{_without_hash(missing)} was missing (from nginx: 404)") from None


def _without_hash(path: Path) -> str:
    return re.sub(r"\.[0-9a-f]{8}\.", ".*.", str(path))


async def _until_told(seconds: float) -> None:
    """Until standard input ends (as it does when the parent dies), or the time is over."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        sys.stdin.buffer.read()
        with suppress(RuntimeError):  # the loop has ended before
            loop.call_soon_threadsafe(told.set)

    threading.Thread(target=read, daemon=True).start()  # a file or /dev/null cannot be polled
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await told.wait()


def _allow_many_connections() -> None:
    """As many open files as this user may have: whoever waits holds a connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _FILES:
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


async def _main() -> None:
    values = json.loads(sys.argv[1])
    _allow_many_connections()
    job = Job(**{**values, "domains": tuple(values["domains"])})
    with Path(job.record).open("w") as record:
        await Load(job, record).run()


if __name__ == "__main__":
    asyncio.run(_main())
    sys.stdout.flush()
    os._exit(0)  # the reading thread may hold standard input
