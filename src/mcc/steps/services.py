"""Restarting services, and being sure that they stay up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.errors import ServiceFailed
from mcc.host.ports import Host
from mcc.model.plan import Facts, Seen
from mcc.steps.log_tail import log_gains, log_sizes
from mcc.steps.waiting import (
    POLL,
    Health,
    as_seen,
    has_changed,
    look_at_services,
    start_as_it_was,
    wait_until_up,
)


@dataclass(frozen=True, slots=True)
class ServicesBack:
    """Stands before the cut-over; on the way back, when the links are old again, restarts the old code.

    It is started as it was, too: with its command and its variables, whatever the new conf says.
    Only services that were started anew since then are restarted: a failure before the restart
    leaves the running ones alone.
    """

    names: tuple[str, ...]
    health: Health
    start_timeout: float

    def look(self, host: Host) -> Seen:
        return look_at_services(host, self.names)

    def do(self, host: Host, seen: Seen) -> Facts | None:
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        changed = [name for name in self.names if has_changed(host.services.state(name), seen[name])]
        was_up = [name for name in changed if seen[name]["active"]]
        for name in was_up:
            host.listener.say(f"restarting {name} with the code as it was")
            start_as_it_was(host, self.names, name, seen)
        if was_up:
            wait_until_up(host, tuple(was_up), self.health, self.start_timeout)
        left = [name for name in changed if name not in was_up and not _stopped(host, name)]
        return {"left running": ", ".join(left)} if left else None


@dataclass(frozen=True, slots=True)
class RestartServices:
    """Restart all services together, then wait until each is active and the web answers."""

    names: tuple[str, ...]
    health: Health
    start_timeout: float
    logs: Path

    def look(self, host: Host) -> Seen:
        return {"logs": log_sizes(host, self.logs)}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        try:
            for name in self.names:
                host.services.restart(name)
            wait_until_up(host, self.names, self.health, self.start_timeout)
        except ServiceFailed as error:
            gained = log_gains(host, self.logs, seen["logs"], shown=error.log)
            raise ServiceFailed(error.message, help=error.help, log=(*error.log, *gained)) from error
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None  # ServicesBack does it, when the links are old again


@dataclass(frozen=True, slots=True)
class ServicesStable:
    """Wait until each service has been up, without dying, for ``stable_for`` seconds."""

    names: tuple[str, ...]
    stable_for: float
    logs: Path

    def look(self, host: Host) -> Seen:
        return {
            "services": {name: as_seen(host.services.state(name)) for name in self.names},
            "logs": log_sizes(host, self.logs),
        }

    def do(self, host: Host, seen: Seen) -> Facts | None:
        until = host.clock.monotonic() + self.stable_for * 2 + 1
        waiting = list(self.names)
        while waiting:
            for name in tuple(waiting):
                state = host.services.state(name)
                if not state.active or has_changed(state, seen["services"][name]):
                    said = host.services.status(name)
                    gained = log_gains(host, self.logs, seen["logs"], shown=said)
                    raise ServiceFailed(f"{name} did not stay up: {state.words}", log=(*said, *gained))
                if (state.active_for or 0) >= self.stable_for or host.clock.monotonic() > until:
                    waiting.remove(name)
            if waiting:
                host.clock.sleep(POLL)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None


def _stopped(host: Host, name: str) -> bool:
    """Stop a service that did not run before; without the right it is left and named."""
    if not host.services.may_stop(name):
        host.listener.warn(f"{name} is left as it is: the deploy user may not stop it")
        return False
    host.services.stop(name)
    return True
