"""The Services port, by supervisor."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from mcc.core.layout import Site
from mcc.errors import ServiceFailed, StepError
from mcc.host.embedded import child, settings
from mcc.host.embedded.client import ALREADY_STARTED, MANAGER, Client, Fault, NotRunning, Process
from mcc.host.embedded.home import Home, place, place_link
from mcc.host.embedded.processes import end_group, until, uptime
from mcc.host.embedded.sockets import open_socket
from mcc.host.ports import Commands
from mcc.model.conf import EmbeddedService
from mcc.model.service import ServiceState

_UP = ("STARTING", "RUNNING")
_DOWN = ("STOPPED", "EXITED", "FATAL", "UNKNOWN")
_START_LIMIT = 15.0  # seconds for the daemon to answer
_LOG_LINES = 20
_NO_SUPERVISOR = 77

_INSTALL = 'pip install "mcc-deploy[demo]"'


class Embedded:
    """Runs the services of one site by a daemon of its own, which outlives every deploy.

    ``services`` are those of the conf; what is different in them from what runs is applied by the
    next :meth:`restart`. ``tool_python`` is an interpreter in which mcc and supervisor are
    installed. ``say`` is told what a reader should know.
    """

    def __init__(
        self,
        site_base: Path,
        services: Sequence[EmbeddedService],
        commands: Commands,
        tool_python: str = sys.executable,
        *,
        stop_timeout: float = 10.0,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self._base = site_base
        self._services = {service.name: service for service in services}
        self._commands = commands
        self._python = tool_python
        self._stop_timeout = stop_timeout
        self._say = say or _say_nothing
        self._home = Home(Site(site_base).own / "embedded")
        self._one_at_a_time = threading.Lock()

    # looking

    def state(self, name: str) -> ServiceState:
        """How a service is. Starts nothing. Raises StepError if the daemon does not answer."""
        if name not in self._services:
            words = "there is no such service in the conf"
            return ServiceState(name=name, known=False, active=False, words=words)
        try:
            process = self._client().processes().get(settings.slug(name))
        except NotRunning:
            return _never_started(name, f"not running: {MANAGER} is not started")
        if process is None or not process.start:
            return _never_started(name, "not started yet")
        return _state(name, process)

    def status(self, name: str) -> tuple[str, ...]:
        """How a service is, and the last lines of its log."""
        try:
            first = f"{name}: {self.state(name).words}"
        except StepError as error:
            first = f"{name}: {error.message}"
        if name not in self._services:
            return (first,)
        log = settings.log_file(self._base, self._services[name])
        return (first, *self._last_lines(log))

    def check(self) -> None:
        """What can be known before a service is touched. Raises StepError.

        supervisor is installed, and the addresses are free or the daemon's own.
        """
        done = self._commands.run([self._python, "-P", "-c", "import supervisor"], timeout=60.0)
        if not done.ok:
            raise _no_supervisor()
        held = self._home.addresses() if self._home.is_locked() else []
        for listen in self._addresses():
            if listen not in held:
                open_socket(listen).close()

    def may_stop(self, name: str) -> bool:
        return True

    def definition(self, name: str) -> bytes | None:
        """How a service was started last: all that the conf said of it then."""
        try:
            return self._home.service(settings.slug(name)).read_bytes()
        except FileNotFoundError:
            return None

    # effects

    def restart(self, name: str, definition: bytes | None = None) -> None:
        """Stop a service, wait until it is gone, and start it as the conf says now, or as ``definition`` does.

        Returns as soon as it is started; whether it stays up is for the caller to watch. Raises
        ServiceFailed with the reason.
        """
        service = self._service(name)
        if definition is not None:
            service = self._services[name] = settings.read_definition(definition)
        try:
            with self._one_at_a_time:
                self._bring_up()
            self._halt(settings.slug(name))
            self._define(service)
            self._start(service)
        except NotRunning as error:
            raise self._failed(f"{MANAGER} ended while it was asked to work") from error
        except Fault as fault:
            raise ServiceFailed(f"{name} could not be started: {fault}", log=self.status(name)) from fault

    def stop(self, name: str) -> None:
        """Stop a service and wait until it is gone; one that does not run is fine."""
        self._service(name)
        with contextlib.suppress(NotRunning):
            self._halt(settings.slug(name))

    def shutdown(self) -> None:
        """End all services of the site and the daemon itself; nothing happens if there is none."""
        with self._one_at_a_time:
            self._end_daemon()
            self._home.remove_socket_folder()

    # the daemon

    def _bring_up(self) -> None:
        """See to it that a daemon runs, with the sockets and the programs of the conf."""
        wanted = self._addresses()
        running = self._running()
        if running is None:
            if self._home.is_locked():
                self._end_daemon()  # it lives, but its socket is gone
            self._start_daemon(wanted)
        elif wanted != self._home.addresses():
            self._change_sockets(wanted, running)
        else:
            self._change_programs(running)

    def _running(self) -> dict[str, Process] | None:
        try:
            return self._client().processes()
        except NotRunning:
            return None

    def _change_sockets(self, wanted: Sequence[str], running: dict[str, Process]) -> None:
        self._say(
            f"listening addresses have changed ({', '.join(wanted) or 'none'}): {MANAGER} is started anew, "
            "and for a moment nobody listens"
        )
        self._end_daemon()
        self._start_daemon(wanted)
        for name in self._services:
            process = running.get(settings.slug(name))
            if process is not None and process.state in (*_UP, "BACKOFF"):
                self._client().start(process.slug)

    def _change_programs(self, running: dict[str, Process]) -> None:
        """Add and remove programs; those that stay are left alone."""
        wanted = self._slugs()
        self._place_tools()
        if set(wanted) == set(running):
            return
        self._write_conf()
        client = self._client()
        for slug in sorted(set(running) - set(wanted)):
            self._say(f"{slug} is no longer in the conf: it is stopped")
            self._halt(slug)
            client.remove(slug)
        client.reread()
        for slug in sorted(set(wanted) - set(running)):
            client.add(slug)

    def _start_daemon(self, addresses: Sequence[str]) -> None:
        self._home.make()
        self._place_tools()
        for service in self._services.values():
            self._define(service)
        self._write_conf()
        words = [self._python, "-P", "-m", "mcc.host.embedded.daemon", str(self._home.folder), *addresses]
        done = self._commands.run(words, timeout=60.0)
        if done.code == _NO_SUPERVISOR:
            raise _no_supervisor()
        if not done.ok:
            reason = (done.tail(1) or ("no reason given",))[0]
            raise ServiceFailed(f"{MANAGER} cannot be started: {reason}", log=done.tail())
        self._await_daemon()

    def _await_daemon(self) -> None:
        for _ in until(_START_LIMIT):
            if self._running() is not None:
                return
            if not self._home.is_locked():
                break
        raise self._failed(f"{MANAGER} ended as soon as it was started")

    def _end_daemon(self) -> None:
        groups = []
        try:
            groups = [process.pid for process in self._client().processes().values() if process.pid]
            self._client().shutdown()
        except (NotRunning, StepError, Fault):
            self._signal_daemon(signal.SIGTERM)
        if not self._has_ended(self._stop_timeout + 5.0):
            self._signal_daemon(signal.SIGKILL)
            self._has_ended(5.0)
        for group in groups:
            end_group(group)

    def _has_ended(self, limit: float) -> bool:
        for _ in until(limit):
            # supervisord looks at what became of its children once a second, and when it is asked.
            with contextlib.suppress(NotRunning, StepError, Fault):
                self._client().pid()
            if not self._home.is_locked():
                return True
        return False

    def _signal_daemon(self, number: signal.Signals) -> None:
        """Signal the daemon by its pid file; only while the lock shows that it lives."""
        with contextlib.suppress(OSError, ValueError):
            if self._home.is_locked():
                os.kill(int(self._home.pid.read_text()), number)

    # one service

    def _service(self, name: str) -> EmbeddedService:
        if name in self._services:
            return self._services[name]
        known = ", ".join(self._services) or "none"
        raise ServiceFailed(f"{name} is not among the services of the conf ({known})")

    def _halt(self, slug: str) -> None:
        """Stop a program and wait until it and its process group are gone: TERM, then KILL."""
        client = self._client()
        before = client.processes().get(slug)
        if before is None:
            return
        client.stop(slug)
        # supervisord itself sends KILL after its stopwaitsecs.
        for _ in until(self._stop_timeout + 5.0):
            if client.processes()[slug].state in _DOWN:
                break
        else:
            raise ServiceFailed(f"{slug} does not stop, not even by SIGKILL (pid {before.pid})")
        if before.pid:
            end_group(before.pid)

    def _start(self, service: EmbeddedService) -> None:
        try:
            self._client().start(settings.slug(service.name))
        except Fault as fault:
            if fault.code != ALREADY_STARTED:
                raise

    # files

    def _define(self, service: EmbeddedService) -> None:
        text = settings.definition(self._base, service)
        place(self._home.service(settings.slug(service.name)), text)

    def _place_tools(self) -> None:
        place(self._home.child, Path(child.__file__).read_text())
        place_link(self._home.python, shutil.which(self._python) or self._python)

    def _write_conf(self) -> None:
        folder = self._home.make_socket_folder()
        socket = "%(here)s/s.sock" if folder == self._home.folder else str(folder / "s.sock")
        place(self._home.conf, settings.configuration(self._slugs(), socket, self._stop_timeout))

    def _slugs(self) -> list[str]:
        return [settings.slug(name) for name in self._services]

    def _addresses(self) -> list[str]:
        found = {service.listen for service in self._services.values() if service.listen}
        for listen in found:
            settings.address(listen)
        return sorted(found)

    def _client(self) -> Client:
        return Client(self._home.socket)

    def _failed(self, message: str) -> ServiceFailed:
        log = [line for path in self._home.logs for line in self._last_lines(path)]
        return ServiceFailed(message, log=log)

    @staticmethod
    def _last_lines(path: Path) -> tuple[str, ...]:
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - 16_384))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ()
        return tuple(text.splitlines()[-_LOG_LINES:])


def _say_nothing(text: str) -> None:
    """For a caller without a reader."""


def _state(name: str, process: Process) -> ServiceState:
    active = process.state in _UP
    return ServiceState(
        name=name,
        known=True,
        active=active,
        words=_words(process),
        start_id=f"{process.start}-{process.pid}",
        active_for=uptime(process) if active else None,
        failed=process.state in ("FATAL", "BACKOFF", "UNKNOWN"),
    )


def _words(process: Process) -> str:
    match process.state:
        case "STARTING" | "RUNNING":
            return f"running (pid {process.pid})"
        case "BACKOFF":
            return "it ended as soon as it was started; it is tried again"
        case "FATAL":
            return "it ended as soon as it was started, again and again; it is given up"
        case "EXITED":
            return f"it ended with exit code {process.exit_code}"
        case other:
            return other.lower()


def _no_supervisor() -> StepError:
    return StepError("SERVICE_MANAGER: embedded needs the package supervisor", help=_INSTALL)


def _never_started(name: str, words: str) -> ServiceState:
    return ServiceState(name=name, known=True, active=False, words=words)
