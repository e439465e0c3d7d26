"""What a deploy needs from its process, over a fake machine."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from fakes.host import FakeWorld, Killed
from fakes.process import Process
from mcc.core.layout import Site
from mcc.core.masking import Masker
from mcc.engine.run import Sink
from mcc.errors import Interrupted, SiteLocked
from mcc.host.nomanager import NoManager
from mcc.host.ports import Host
from mcc.host.signals import Interrupts
from mcc.host.toolbox import Tool
from mcc.model.conf import Services
from mcc.model.event import Event


@dataclass(slots=True)
class FakeLock:
    """Held until it is released, or until the process that took it is dead."""

    process: Process
    descriptor: int = 7
    released: bool = False

    @property
    def held(self) -> bool:
        return not self.released and not self.process.dead

    def release(self) -> None:
        self.released = True


class InterruptAt:
    """A person who presses Ctrl-C when the run may be interrupted for the n-th time, from 1."""

    def __init__(self, number: int | None) -> None:
        self._number = number
        self.count = 0

    @contextlib.contextmanager
    def armed(self) -> Iterator[None]:
        self.count += 1
        if self.count == self._number:
            raise Interrupted("interrupted by Ctrl-C")
        yield


class FakeHands:
    """The port ``Hands``; ``events`` holds all that was told.

    There is no second process: a kill ends the deploy, unless ``guardian`` is there to put things
    right at once. ``version`` is the mcc that runs.
    """

    def __init__(
        self,
        world: FakeWorld,
        *,
        version: str = "1.0-fake",
        guardian: bool = False,
        interrupt_at: int | None = None,
    ) -> None:
        self.world = world
        self.version = version
        self.events: list[Event] = []
        self.maskers: list[Masker] = []
        self.interrupt_at = InterruptAt(interrupt_at)
        self._guardian = guardian
        self._locks: dict[Site, FakeLock] = {}

    def host(self, site: Site, services: Services, run: str = "", lock: object = None) -> Host:
        host = self.world.host()
        return dataclasses.replace(host, services=NoManager()) if services.manager == "none" else host

    def lock(self, site: Site, holder: Mapping[str, object]) -> FakeLock:
        """Locks are not files of the fake machine: each pair of hands knows its own."""
        if site in self._locks and self._locks[site].held:
            raise SiteLocked(f"another run holds the site {site.base}")
        self._locks[site] = FakeLock(self.world.process)
        return self._locks[site]

    def tool(self, site: Site) -> Tool:
        return Tool(self.version, site.tool(self.version) / "mcc")

    def install_tool(self, site: Site, tool: Tool, host: Host) -> None:
        folder = site.tool(tool.version)
        if host.files.kind(folder) == "absent":
            building = folder.with_name(f".{folder.name}.building")
            host.files.remove_tree(building)
            host.files.make_folder(building)
            host.files.write(building / "mcc", b"#!/bin/sh\n", 0o755)
            host.files.sync(building)
            host.files.rename(building, folder)
        host.files.make_folder(site.tool_command.parent)
        host.files.link(site.tool_command, f"../tool/{tool.version}/mcc")

    def sink(self, site: Site, run: str, masker: Masker) -> Sink:
        self.maskers.append(masker)
        return self.events.append

    def interrupts(self) -> Interrupts:
        return self.interrupt_at

    def guarded(self, run: str, work: Callable[[], int], rescue: Callable[[str], int]) -> int:
        if not self._guardian:
            return work()
        try:
            return work()
        except Killed:
            self.world.revive()
            for lock in self._locks.values():
                lock.process = self.world.process  # the guardian has held it all along
            return rescue("the deploying process died of SIGKILL")
