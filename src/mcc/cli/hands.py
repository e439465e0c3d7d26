"""The real host, lock, signals, processes and screen, put together."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from mcc.core.layout import Site
from mcc.core.masking import Masker
from mcc.engine.run import Sink
from mcc.host import guardian, toolbox
from mcc.host.clock import RealClock
from mcc.host.commands import RealCommands
from mcc.host.copies.cloning import RealClones
from mcc.host.crontab import SystemCrontab
from mcc.host.early import EarlyInterpreter
from mcc.host.event_log import EventLog
from mcc.host.files import RealFiles
from mcc.host.hooks.project import Known, RealHooks
from mcc.host.http import RealHttp
from mcc.host.machine import RealMachine
from mcc.host.managers import service_manager
from mcc.host.notify.notifier import RealNotifier
from mcc.host.ports import Host
from mcc.host.postgres.copies import PostgresCopies
from mcc.host.postgres.migrator import PostgresDatabases
from mcc.host.rights import RealRights
from mcc.host.signals import Interrupts, RealInterrupts
from mcc.host.sqlite.copies import SqliteCopies
from mcc.host.sqlite.migrator import SqliteDatabases
from mcc.host.sudo import RealSudo
from mcc.host.turn import Turn
from mcc.host.uv import RealUv
from mcc.model.conf import Services
from mcc.model.event import Event
from mcc.model.hooks import ProjectCode
from mcc.runs.hands import Lock


class RealHands:
    """This process on this machine. ``screen`` shows events as the reader wants them.

    ``early`` answers which interpreter a project has, where that was asked before; ``turn`` holds locks that were
    waited for.
    """

    def __init__(
        self, screen: Callable[[Masker], Sink], early: EarlyInterpreter | None = None, turn: Turn | None = None
    ) -> None:
        self._turn = turn or Turn()
        self._screen = screen
        self._early = early
        self._hooks: Known = {}
        self._allowed: set[tuple[str, ...]] = set()

    def host(self, site: Site, services: Services, run: str = "", lock: Lock | None = None) -> Host:
        inherit = (lock.descriptor,) if lock else ()
        commands = RealCommands(inherit, {guardian.MARK: run} if run else {})
        sudo = RealSudo(commands, allowed=self._allowed)
        return Host(
            files=RealFiles(),
            rights=RealRights(),
            commands=commands,
            sudo=sudo,
            services=service_manager(site, services, commands, sudo, _Words().say),
            crontab=SystemCrontab(commands),
            http=RealHttp(),
            sqlite=SqliteDatabases(),
            postgres=PostgresDatabases(),
            sqlite_copies=SqliteCopies(),
            postgres_copies=PostgresCopies(commands),
            clones=RealClones(commands),
            uv=RealUv(commands, commands.find("uv") or "uv", self._early),
            hooks=RealHooks(commands, self._hooks),
            notifier=RealNotifier(commands),
            clock=RealClock(),
            machine=RealMachine(),
            listener=_Words(),
        )

    def code(self, output: Path) -> ProjectCode | None:
        """The project's own Python, if it has any; it is read once. Raises ConfigError."""
        return RealHooks(RealCommands(), self._hooks).read(output)

    def lock(self, site: Site, holder: Mapping[str, object]) -> Lock:
        return self._turn.take(site.lock, holder)

    def tool(self, site: Site) -> toolbox.Tool:
        return toolbox.tool_for(site)

    def install_tool(self, site: Site, tool: toolbox.Tool, host: Host) -> None:
        toolbox.install(site, tool, host.files, host.commands)

    def sink(self, site: Site, run: str, masker: Masker) -> Sink:
        screen, record = self._screen(masker), EventLog(site.record(run), masker.mask_data)

        def both(event: Event) -> None:
            record.add(event)
            screen(event)

        return both

    def interrupts(self) -> Interrupts:
        return RealInterrupts()

    def guarded(self, run: str, work: Callable[[], int], rescue: Callable[[str], int]) -> int:
        return guardian.guarded(run, work, rescue)


class _Words:
    """What is said outside a run, on standard error."""

    def say(self, text: str) -> None:
        print(text, file=sys.stderr)

    def warn(self, text: str) -> None:
        print(f"warning: {text}", file=sys.stderr)

    def progress(self, done: int, total: int, what: str) -> None:
        return None
