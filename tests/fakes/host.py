"""A whole machine in memory, with one mcc process at a time on it."""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TypeAlias

from fakes.clock import FakeClock, Time
from fakes.clones import FakeClones
from fakes.commands import CommandsState, FakeCommands
from fakes.copies import CopiesState, FakeCopies
from fakes.crontab import CrontabState, FakeCrontab
from fakes.files import TEMPORARY, FakeFiles
from fakes.hooks import FakeHooks, HooksState
from fakes.http import FakeHttp, HttpState
from fakes.listener import RecordingListener
from fakes.machine import FakeMachine, MachineState
from fakes.notifier import FakeNotifier, NotifierState
from fakes.postgres import FakePostgres, PostgresState
from fakes.process import Killed, Process
from fakes.rights import FakeRights
from fakes.services import FakeServices, ServicesState, Unit, linked_release, start, unit_state
from fakes.sqlite import FakeSqlite, SqliteState
from fakes.sudo import FakeSudo, SudoState
from fakes.tree import File, Folder, Link, Tree, Who
from fakes.uv import FakeUv, UvState
from mcc.host.ports import Host

__all__ = ["FakeWorld", "Killed", "Snapshot"]

Snapshot: TypeAlias = dict[str, tuple[object, ...]]
"""For each path its kind, mode, owner, and contents or target."""

BASE = Path("/srv/site")


class FakeWorld:
    """The state of a machine; :meth:`host` is a process on it.

    ``kill_at``: the number of the effect, from 1, at which that process dies; ``fail_at``: the one
    that fails instead. ``services`` are the units that systemd knows. The attributes hold what a
    test may set and look at: ``tree`` (limits, read-only), ``disk`` (root's hand: never ticks),
    ``time``, ``cron``, ``commands``, ``sudo``, ``units``, ``http``, ``sqlite``, ``postgres``, ``copies``,
    ``uv``, ``hooks``, ``notifier``, ``machine``.

    >>> world = FakeWorld(kill_at=3)
    >>> world.plant({"/home/out/api/main.py": b"x", "/srv/site/": None})
    >>> world.dies(lambda host: deploy(host))     # True: it was killed
    >>> recover(world.revive())                   # a new process on the same machine
    """

    def __init__(
        self,
        base: Path = BASE,
        *,
        kill_at: int | None = None,
        fail_at: int | None = None,
        failure: Callable[[str, str], Exception] | None = None,
        user: str = "deploy",
        groups: frozenset[str] | None = None,
        services: Sequence[str] = ("app.service",),
        runs: Callable[[FakeFiles, Path], str] = linked_release,
    ) -> None:
        self.base = base
        self.user = user
        self.tree = Tree()
        self.time = Time()
        self.cron = CrontabState()
        self.commands = CommandsState()
        self.sudo = SudoState()
        self.units = ServicesState(base, {name: Unit(name) for name in services}, runs)
        self.http = HttpState()
        self.sqlite = SqliteState()
        self.postgres = PostgresState()
        self.copies = CopiesState()
        self.uv = UvState()
        self.hooks = HooksState()
        self.notifier = NotifierState()
        self.machine = MachineState()
        self.disk = FakeFiles(self.tree, Process(), Who("root"), self.time)
        self.listener = RecordingListener()
        self._who = Who(user, groups)
        self.process = Process(kill_at, fail_at, failure)
        self._host = self._new_host()

    def host(self) -> Host:
        """The process that runs now."""
        return self._host

    def revive(
        self,
        kill_at: int | None = None,
        fail_at: int | None = None,
        failure: Callable[[str, str], Exception] | None = None,
    ) -> Host:
        """A new process over the same state; the old one is dead for good."""
        self.process.die()
        self.process = Process(kill_at, fail_at, failure, self.process.pid + 1)
        self._host = self._new_host()
        return self._host

    def dies(self, work: Callable[[Host], object]) -> bool:
        """Let the present process work; whether it was killed meanwhile."""
        try:
            work(self._host)
        except Killed:
            return True
        return False

    def power_cut(self, seed: int = 0, *, boot: bool = True) -> None:
        """The machine loses what was not synced, every process dies, and enabled services start again."""
        self.process.die()
        self.tree.power_cut(Random(seed))
        for unit in self.units.units.values():
            unit.up = unit.broken_start = False
            if boot and unit.enabled:
                start(unit, self.units, self.disk, self.time.passed)

    def fork(self, kill_at: int | None = None, fail_at: int | None = None) -> FakeWorld:
        """A copy of the whole machine with a new process: set up once, kill a thousand times."""
        # The old process and its hands stay behind: with all that it did they are the largest part of the machine.
        left: dict[int, object] = {id(self.process): Process(pid=self.process.pid), id(self._host): None}
        twin = copy.deepcopy(self, left)
        twin.revive(kill_at, fail_at)
        return twin

    def plant(self, files: Mapping[str, bytes | str | None], owner: str | None = None) -> None:
        """Put files there as if they had always been: bytes a file, text a link's target, None a folder."""
        user = owner or self.user
        before = {id(node) for node in self.tree.nodes()}
        for name, content in files.items():
            path = Path(name)
            self.disk.make_folder(path if content is None else path.parent)
            if isinstance(content, bytes):
                self.disk.write(path, content)
            elif content is not None:
                self.disk.link(path, content)
        for node in self.tree.nodes():
            if id(node) not in before:
                node.owner = (user, user)

    def start(self, *names: str) -> None:
        """Have services running with what the links name now; all if none is named."""
        for name in names or tuple(self.units.units):
            start(self.units.units[name], self.units, self.disk, self.time.passed)

    def serving(self) -> dict[str, str]:
        """What each service runs; empty text for one that is not active."""
        now = self.time.passed
        return {name: unit.release if unit_state(unit, now).active else "" for name, unit in self.units.units.items()}

    def orphans(self) -> list[str]:
        """Active services whose release or environment is gone from under them."""
        return [
            f"{name} runs {word}"
            for name, release in self.serving().items()
            for word in release.split()
            if not self.disk.names(self.base / word)
        ]

    def snapshot(
        self, *tops: Path, skip: Sequence[str] = (), temporaries: bool = False, owners: bool = True
    ) -> Snapshot:
        """All paths below ``tops`` (the site) with what they are; times are left out.

        ``skip`` are patterns of absolute paths, for fnmatch. What a killed write left under a temporary name
        is left out unless ``temporaries``.
        """
        found: Snapshot = {}
        for top in tops or (self.base,):
            if self.disk.kind(top) == "absent":
                continue
            self._look(self.disk.node(top), str(top), found)
        return {
            path: what if owners else what[:2] + what[3:]
            for path, what in found.items()
            if (temporaries or not path.endswith(TEMPORARY))
            and not any(fnmatch.fnmatchcase(path, pattern) for pattern in skip)
        }

    def _look(self, node: object, path: str, found: Snapshot) -> None:
        if isinstance(node, Folder):
            found[path] = ("folder", node.mode, node.owner, *node.acl)
            for name in sorted(node.entries):
                self._look(node.entries[name], f"{path}/{name}", found)
        elif isinstance(node, File):
            found[path] = ("file", node.mode, node.owner, node.data, *node.acl)
        elif isinstance(node, Link):
            found[path] = ("link", node.mode, node.owner, node.target)
        else:
            found[path] = ("other",)

    def _new_host(self) -> Host:
        process = self.process
        files = FakeFiles(self.tree, process, self._who, self.time)
        copies = FakeCopies(self.copies, files, process, self.postgres)
        return Host(
            files=files,
            rights=FakeRights(files, self.machine),
            commands=FakeCommands(self.commands, files, self.time, process),
            sudo=FakeSudo(self.sudo, self.tree, process),
            services=FakeServices(self.units, self.disk, self.time, process),
            crontab=FakeCrontab(self.cron, process),
            http=FakeHttp(self.http, self.units, self.disk, self.time),
            sqlite=FakeSqlite(self.sqlite, files, process),
            postgres=FakePostgres(self.postgres, process, files),
            sqlite_copies=copies,
            postgres_copies=copies,
            clones=FakeClones(files, process, self.postgres),
            uv=FakeUv(self.uv, files, process),
            hooks=FakeHooks(self.hooks, files, process),
            notifier=FakeNotifier(self.notifier, process),
            clock=FakeClock(self.time, process),
            machine=FakeMachine(self.machine, self.user, self.tree, process),
            listener=self.listener,
        )
