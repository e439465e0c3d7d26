"""What a run tells its readers while it goes on. One event is one JSON line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

Result = Literal["done", "failed", "stuck"]


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events; ``at`` is in seconds since the epoch."""

    event: ClassVar[str] = ""
    at: float


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    event: ClassVar[str] = "run_started"
    run: str
    action: str
    stage: str
    site: str
    release: str
    build: str = ""
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecoveryStarted(Event):
    event: ClassVar[str] = "recovery_started"
    run: str
    direction: Literal["back", "forward"]
    reason: str


@dataclass(frozen=True, slots=True)
class StepStarted(Event):
    event: ClassVar[str] = "step_started"
    index: int
    phase: str
    title: str


@dataclass(frozen=True, slots=True)
class StepSaid(Event):
    event: ClassVar[str] = "step_said"
    text: str


@dataclass(frozen=True, slots=True)
class StepProgress(Event):
    event: ClassVar[str] = "step_progress"
    done: int
    total: int
    what: str


@dataclass(frozen=True, slots=True)
class StepDone(Event):
    event: ClassVar[str] = "step_done"
    index: int
    phase: str
    title: str
    seconds: float
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepFailed(Event):
    event: ClassVar[str] = "step_failed"
    index: int
    phase: str
    title: str
    error: str
    help: str = ""
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Committed(Event):
    event: ClassVar[str] = "committed"


@dataclass(frozen=True, slots=True)
class StepUndone(Event):
    event: ClassVar[str] = "step_undone"
    index: int
    title: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Warned(Event):
    event: ClassVar[str] = "warning"
    text: str


@dataclass(frozen=True, slots=True)
class RunEnded(Event):
    """``code`` and ``databases`` are the two facts that a reader needs after a failure."""

    event: ClassVar[str] = "run_ended"
    run: str
    result: Result
    exit_code: int
    seconds: float
    release: str
    code: str
    databases: str = ""
    error: str = ""
    todo: tuple[str, ...] = ()
