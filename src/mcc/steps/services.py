"""Restarting services, and being sure that they stay up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcc.errors import ServiceFailed
from mcc.host.ports import Answer, Host
from mcc.model.plan import Facts, Seen
from mcc.model.service import ServiceState
from mcc.steps.log_tail import log_gains, log_sizes

_POLL = 0.1
# A socket that a manager holds open takes the question of a service that died, and never answers
# it. Asking shortly at first, then longer, leaves time to see that, and to wait for the slow.
_FIRST_PATIENCE = 0.5


@dataclass(frozen=True, slots=True)
class Health:
    """What a started service must answer. ``port`` None: nothing is asked over the network."""

    port: int | None = None
    path: str = ""
    timeout: float = 10.0


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
        states = {name: _as_seen(host.services.state(name)) for name in self.names}
        definitions = {_definition(number): host.services.definition(name) for number, name in enumerate(self.names)}
        return {**states, **definitions}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        changed = [name for name in self.names if _changed(host.services.state(name), seen[name])]
        was_up = [name for name in changed if seen[name]["active"]]
        for name in was_up:
            host.listener.say(f"restarting {name} with the code as it was")
            host.services.restart(name, seen.get(_definition(self.names.index(name))))
        if was_up:
            wait_until_up(host, tuple(was_up), self.health, self.start_timeout)
        left = [name for name in changed if name not in was_up and not _stopped(host, name)]
        return {"left running": ", ".join(left)} if left else None


def _definition(number: int) -> str:
    """The key of what a look saw; the name of a service would be one for its state."""
    return f"definition {number}"


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
            "services": {name: _as_seen(host.services.state(name)) for name in self.names},
            "logs": log_sizes(host, self.logs),
        }

    def do(self, host: Host, seen: Seen) -> Facts | None:
        until = host.clock.monotonic() + self.stable_for * 2 + 1
        waiting = list(self.names)
        while waiting:
            for name in tuple(waiting):
                state = host.services.state(name)
                if not state.active or _changed(state, seen["services"][name]):
                    said = host.services.status(name)
                    gained = log_gains(host, self.logs, seen["logs"], shown=said)
                    raise ServiceFailed(f"{name} did not stay up: {state.words}", log=(*said, *gained))
                if (state.active_for or 0) >= self.stable_for or host.clock.monotonic() > until:
                    waiting.remove(name)
            if waiting:
                host.clock.sleep(_POLL)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None


def wait_until_up(host: Host, names: tuple[str, ...], health: Health, timeout: float) -> None:
    """Return when every service is active and the health address answers.

    Raises ServiceFailed with what systemd and the service say, at once when a service has failed,
    else after ``timeout`` seconds.
    """
    deadline = host.clock.monotonic() + timeout
    first: dict[str, ServiceState] = {}
    patience = _FIRST_PATIENCE
    while True:
        states = [host.services.state(name) for name in names]
        for state in states:
            _refuse_the_dead(host, state, first)
        answer = _ask(host, health, patience) if all(state.active for state in states) else None
        if answer is not None:
            if _is_up(host, answer):
                return
            patience *= 2
        if host.clock.monotonic() >= deadline:
            raise _not_up(host, states, answer, timeout)
        host.clock.sleep(_POLL)


def _refuse_the_dead(host: Host, state: ServiceState, first: dict[str, ServiceState]) -> None:
    """A service that failed, or that its manager had to start again since we look, will not come up."""
    before = first.setdefault(state.name, state)
    if state.active and not before.active:
        first[state.name] = state
    died = before.active and state.start_id != before.start_id
    if state.failed:
        raise ServiceFailed(f"{state.name} did not come up: {state.words}", log=host.services.status(state.name))
    if died or state.restarts > before.restarts:
        message = f"{state.name} did not come up: it ended, and its manager started it again"
        raise ServiceFailed(message, log=host.services.status(state.name))


def _ask(host: Host, health: Health, patience: float) -> Answer:
    if health.port is None:
        return Answer("", 200, "")
    return host.http.get(f"http://127.0.0.1:{health.port}{health.path}", min(patience, health.timeout))


def _is_up(host: Host, answer: Answer) -> bool:
    if answer.status == 404:
        host.listener.warn(f"{answer.url} answers 404: set HEALTH_PATH to an address that says how it is")
    return answer.status in (200, 404)


def _not_up(host: Host, states: list[ServiceState], answer: Answer | None, timeout: float) -> ServiceFailed:
    log = [line for state in states for line in host.services.status(state.name)]
    if answer is None:
        waiting = ", ".join(f"{state.name}: {state.words}" for state in states if not state.active)
        return ServiceFailed(f"not up after {timeout:g} s: {waiting}", log=log)
    said = f"answers {answer.status}" if answer.status else answer.reason
    return ServiceFailed(f"{answer.url} {said} after {timeout:g} s", log=log)


def _as_seen(state: ServiceState) -> dict[str, Any]:
    return {"active": state.active, "start_id": state.start_id, "restarts": state.restarts}


def _changed(now: ServiceState, seen: Mapping[str, Any]) -> bool:
    return bool(now.start_id != seen["start_id"] or now.restarts > seen["restarts"])


def _stopped(host: Host, name: str) -> bool:
    """Stop a service that did not run before; without the right it is left and named."""
    if not host.services.may_stop(name):
        host.listener.warn(f"{name} is left as it is: the deploy user may not stop it")
        return False
    host.services.stop(name)
    return True
