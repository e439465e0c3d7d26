"""The demo from its first to its last line, without the words: three versions, two sides, visitors."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Protocol

from mcc.demo.deploys import Deployed, deploy, event_in
from mcc.demo.load import Job
from mcc.demo.measure import Asked, Figures, figures
from mcc.demo.programs import beside, run
from mcc.demo.side import DOMAINS, Side
from mcc.demo.workshop import Workshop, build_all
from mcc.errors import CommandFailed

PATIENCE = 10.0
"""Seconds after which a visitor gives up: those of the specification's own smoke test."""

BEFORE, AFTER = 1.0, 2.0
"""Seconds for which visitors are counted before and after the deploys of a version."""

BROKEN = 12.0
"""Seconds for which they are counted while version 3 is deployed; longer if mcc needs longer."""

_ASKED_FOR = 5.0


class Screen(Protocol):
    """Where the story is told."""

    def chapter(self, title: str, words: str = "") -> None: ...
    def plan(self, plan: Mapping[str, Any]) -> None: ...
    def event(self, event: Mapping[str, Any]) -> None: ...
    def script(self, line: str) -> None: ...
    def visitors(self, side: Side, counts: Mapping[str, int]) -> None: ...
    def deployed(self, side: Side, version: int, how: Deployed) -> None: ...
    def waiting(self, words: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Told:
    """One side's deploy of one version, with what its visitors got; ``serves``: the version afterwards."""

    deployed: Deployed
    serves: str | None
    live: str
    begin: float = 0.0
    end: float = 0.0
    figures: Figures | None = None


Chapter = Mapping[str, Told]
"""The same version on both sides."""


@dataclass(frozen=True, slots=True)
class Story:
    """All three versions, by number and by side."""

    versions: Mapping[int, Chapter]

    @property
    def faults(self) -> list[str]:
        """What mcc did not do as it should; the script's side is not judged."""
        first, second, third = (self.versions[number]["mcc"] for number in (1, 2, 3))
        checks = (
            (first.deployed.code == 0 and first.serves == "1", "version 1 is not served after its deploy"),
            (second.deployed.code == 0 and second.serves == "2", "version 2 is not served after its deploy"),
            (third.deployed.code == 1, f"the broken version 3 ended with exit code {third.deployed.code}, not 1"),
            (third.serves == "2", "version 2 is not served after version 3 failed"),
            (third.live == second.live, "the links are not as before version 3"),
        )
        return [words for good, words in checks if not good]


async def tell(shop: Workshop, screen: Screen) -> Story:
    """Build, deploy and count. Raises StepError if there is nothing to compare."""
    screen.chapter("Three builds of the sample application", "the third one cannot start")
    await build_all(shop)
    screen.chapter("Version 1 on both sites", "nobody is there yet")
    told: dict[int, Chapter] = {1: await _both(shop, 1, screen)}
    _refuse_without_first(told[1]["mcc"])
    async with _visitors(shop, screen) as send_home:
        screen.plan(await _plan(shop.mcc))
        screen.chapter("Version 2, visitors on both sites", "mcc's steps; the script deploys at the same time")
        told[2] = await _both(shop, 2, screen)
        screen.chapter("Version 3, which cannot start, visitors on both sites")
        told[3] = await _both(shop, 3, screen, send_home)
        screen.waiting("the last visitors get their answers or give up")
    records: dict[str, list[Asked]] = {side.name: _records(side.record) for side in shop.sides}
    return Story({number: _counted(chapter, records) for number, chapter in told.items()})


async def _both(shop: Workshop, version: int, screen: Screen, send_home: Callable[[], None] | None = None) -> Chapter:
    """Deploy on both sites at the same time; visitors of both are counted over the same seconds.

    With ``send_home`` the counting does not wait for the script, and visitors leave when it ends.
    """
    begin = time.monotonic()
    screen.waiting("deploying")
    await asyncio.sleep(BEFORE)
    async with _together(*(_one(side, version, screen) for side in shop.sides)) as (mcc, script):
        await (mcc if send_home else asyncio.gather(mcc, script))
        screen.waiting("visitors go on for a moment")
        await asyncio.sleep(max(AFTER, begin + BROKEN - time.monotonic()) if send_home else AFTER)
        end = time.monotonic()
        if send_home:
            send_home()
            screen.waiting("the last visitors get their answers or give up; the script goes on")
        hows = await asyncio.gather(mcc, script)
    served = await asyncio.gather(*(asyncio.to_thread(_served, side) for side in shop.sides))
    return {
        side.name: Told(how, version_now, _live(side), begin, end)
        for side, how, version_now in zip(shop.sides, hows, served, strict=True)
    }


@asynccontextmanager
async def _together(*work: Coroutine[Any, Any, Deployed]) -> AsyncIterator[list[asyncio.Task[Deployed]]]:
    """Deploys at the same time; none of them is under way any more behind the block.

    gather() is over as soon as the first one has ended of a cancellation, while others still go back.
    """
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield tasks
    finally:
        for task in tasks:
            if not task.cancelling():  # a second time would interrupt the way back
                task.cancel()
        await asyncio.wait(tasks)


async def _one(side: Side, version: int, screen: Screen) -> Deployed:
    how = await deploy(side, version, screen.event, screen.script)
    screen.deployed(side, version, how)
    return how


def _refuse_without_first(first: Told) -> None:
    if first.deployed.code:
        lines = [*first.deployed.lines, *(str(event.get("error", "")) for event in first.deployed.events[-2:])]
        raise CommandFailed("version 1 could not be deployed", log=[line for line in lines if line][-20:])


@asynccontextmanager
async def _visitors(shop: Workshop, screen: Screen) -> AsyncIterator[Callable[[], None]]:
    """Visitors of both sites, each site's by a process of their own; the value sends them home."""
    async with AsyncExitStack() as stack:
        stops = []
        for side in shop.sides:
            job = Job(side.port, DOMAINS, str(side.site), str(side.record), PATIENCE)
            program = beside(
                job.words(), cwd=side.folder, env=side.environment, log=side.folder / "visitors.log",
                on_line=partial(_show_visitors, screen, side),
            )  # fmt: skip
            stops.append(await stack.enter_async_context(program))

        def send_home() -> None:
            for stop in stops:
                stop()

        yield send_home


def _show_visitors(screen: Screen, side: Side, line: str) -> None:
    with suppress(ValueError):
        screen.visitors(side, json.loads(line))


async def _plan(side: Side) -> Mapping[str, Any]:
    lines: list[str] = []
    words = side.deploy("--plan")
    log = side.folder / "plan.log"
    code = await run(words, cwd=side.output(2), env=side.environment, log=log, on_line=lines.append)
    plan = next((event for line in lines if (event := event_in(line))), None)
    if code or plan is None:
        raise CommandFailed("mcc could not plan version 2", log=lines[-20:])
    return plan


def _served(side: Side) -> str | None:
    """The version that answers now."""
    with closing(HTTPConnection("127.0.0.1", side.port, timeout=_ASKED_FOR)) as connection:
        try:
            connection.request("GET", "/api/version")
            return str(json.load(connection.getresponse())["version"])
        except (OSError, HTTPException, ValueError, KeyError):
            return None


def _live(side: Side) -> str:
    """Where ``current-api`` points."""
    link = side.site / "current-api"
    return link.readlink().name if link.is_symlink() else ""


def _records(path: Path) -> list[Asked]:
    return [Asked(**json.loads(line)) for line in path.read_text().splitlines()]


def _counted(chapter: Chapter, records: Mapping[str, list[Asked]]) -> Chapter:
    return {
        name: Told(
            told.deployed, told.serves, told.live, told.begin, told.end, figures(records[name], told.begin, told.end)
        )
        for name, told in chapter.items()
    }
