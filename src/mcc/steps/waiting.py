"""What it means that a service is up, and waiting for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcc.errors import ServiceFailed
from mcc.host.ports import Answer, Host
from mcc.model.service import ServiceState

POLL = 0.1
# A socket that a manager holds open takes the question of a service that died, and never answers
# it. Asking shortly at first, then longer, leaves time to see that, and to wait for the slow.
_FIRST_PATIENCE = 0.5


@dataclass(frozen=True, slots=True)
class Health:
    """What a started service must answer, on ``port`` or on ``socket``; with neither nothing is asked."""

    port: int | None = None
    path: str = ""
    timeout: float = 10.0
    socket: Path | None = None


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
        host.clock.sleep(POLL)


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
    if health.socket is not None:
        return host.http.get(f"http://localhost{health.path}", min(patience, health.timeout), health.socket)
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


def as_seen(state: ServiceState) -> dict[str, Any]:
    """What a journal keeps of a service."""
    return {"active": state.active, "start_id": state.start_id, "restarts": state.restarts}


def has_changed(now: ServiceState, seen: Mapping[str, Any]) -> bool:
    """Whether a service was started anew since it was seen."""
    return bool(now.start_id != seen["start_id"] or now.restarts > seen["restarts"])


def look_at_services(host: Host, names: Sequence[str]) -> dict[str, Any]:
    """How each service is, and how its manager starts it: what :func:`start_as_it_was` needs."""
    states = {name: as_seen(host.services.state(name)) for name in names}
    return {**states, **{_definition(number): host.services.definition(name) for number, name in enumerate(names)}}


def start_as_it_was(host: Host, names: Sequence[str], name: str, seen: Mapping[str, Any]) -> None:
    """Start or restart with the command and the variables of before, whatever the new conf says."""
    host.services.restart(name, seen.get(_definition(names.index(name))))


def _definition(number: int) -> str:
    """The key of what a look saw; the name of a service would be one for its state."""
    return f"definition {number}"
