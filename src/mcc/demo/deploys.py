"""One deploy of one side, followed line by line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcc.demo.programs import run
from mcc.demo.side import Side

# What the script prints when it begins something, and the phase of mcc's plan that does the same.
_SCRIPT_PHASES = (
    ("Starting deployment", "place"),
    ("+ uv sync", "venv"),
    ("+ sqlite3", "migrate"),
    ("+ sudo /bin/systemctl restart", "cut-over"),
    ("+ sudo /bin/systemctl status", "smoke"),
    ("+ chmod", "cron"),
)
START, BACK = "start", "going back"


@dataclass(slots=True)
class Deployed:
    """How a deploy went. ``phases``: seconds of each phase, in their order; ``events``: mcc's own."""

    code: int = -1
    seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    events: list[Mapping[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


class _Stopwatch:
    """Adds the time from one mark to the next to the phase of the earlier mark."""

    def __init__(self, into: dict[str, float]) -> None:
        self._into = into
        self._phase, self._since = START, time.monotonic()

    def mark(self, phase: str) -> None:
        now = time.monotonic()
        self._into[self._phase] = self._into.get(self._phase, 0.0) + now - self._since
        self._phase, self._since = phase, now


async def deploy(
    side: Side, version: int, on_event: Callable[[Mapping[str, Any]], None], on_line: Callable[[str], None]
) -> Deployed:
    """Deploy a version. ``on_event`` gets mcc's events, ``on_line`` what the script prints."""
    deployed = Deployed()
    watch, begun = _Stopwatch(deployed.phases), time.monotonic()

    def take(line: str) -> None:
        event = event_in(line) if side.name == "mcc" else None
        if event is None:
            deployed.lines.append(line)
            on_line(line)
        else:
            deployed.events.append(event)
            on_event(event)
        phase = _phase_of_event(event) if event else _phase_of_line(line)
        if phase:
            watch.mark(phase)

    deployed.code = await run(
        side.deploy(), cwd=side.output(version), env=side.environment, log=side.log(version), on_line=take
    )
    watch.mark("")
    deployed.seconds = time.monotonic() - begun
    return deployed


def event_in(line: str) -> Mapping[str, Any] | None:
    """The event that a line of ``--format jsonl`` holds; None if it is a line of another kind."""
    try:
        data = json.loads(line)
    except ValueError:
        return None
    return data if isinstance(data, dict) and "event" in data else None


def _phase_of_event(event: Mapping[str, Any]) -> str | None:
    match event["event"]:
        case "step_started":
            return str(event["phase"])
        case "step_failed":
            return BACK
        case "run_ended":
            return START  # ending the process is counted with starting it
    return None


def _phase_of_line(line: str) -> str | None:
    return next((phase for beginning, phase in _SCRIPT_PHASES if line.startswith(beginning)), None)
