"""A plan: the steps of a run, worked out before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

Seen: TypeAlias = Mapping[str, Any]
"""What a step's look found: JSON values, and bytes for contents (kept apart, mode 0600)."""

Facts: TypeAlias = Mapping[str, Any]
"""What a step has to say when it is over: JSON values, shown to the reader, never secret."""

MAY_HOLD_SECRETS = "may hold secrets"
"""Metadata of a step's field that is masked in a journal; its undo must not need it."""

Phase = Literal[
    "check", "place", "venv", "probe", "copy", "stop", "back up", "wipe", "migrate", "restore", "own", "start",
    "cut-over", "smoke", "run", "commit", "after", "prune", "record",
]  # fmt: skip


class Step(Protocol):
    """The smallest thing that is done and undone: a frozen dataclass of JSON-like fields.

    ``look`` changes nothing. ``do`` may be killed anywhere and may run again after a new look.
    ``undo`` holds even if ``do`` never ran, stopped half-way, or was undone before.

    A class may say more of its undo. ``stays_while_stuck = True``: what it takes away may be in use as long as
    anything behind it could not be undone. ``undone_once = True``: done a second time it would take away what visitors
    have written since.
    """

    def look(self, host: Any) -> Seen: ...
    def do(self, host: Any, seen: Seen) -> Facts | None: ...
    def undo(self, host: Any, seen: Seen) -> Facts | None: ...


def stays_while_stuck(step: Step) -> bool:
    """Whether its undo waits until all behind it is undone."""
    return bool(getattr(step, "stays_while_stuck", False))


def undone_once(step: Step) -> bool:
    """Whether its undo, once it went through, is never done again."""
    return bool(getattr(step, "undone_once", False))


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with its place in the run and its line in the plan.

    ``optional``: a failure is a warning (clean-up after the commit). ``details`` are further lines for
    whoever reads the plan, such as what changes in a file; they are in no journal.
    """

    phase: Phase
    title: str
    step: Step
    optional: bool = False
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps of a run; those of ``after`` come behind the commit."""

    before: tuple[PlannedStep, ...]
    after: tuple[PlannedStep, ...]
    warnings: tuple[str, ...] = ()

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """All steps in order; the index of a step in a journal counts along this."""
        return self.before + self.after
