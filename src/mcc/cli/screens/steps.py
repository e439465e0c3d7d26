"""The steps of a plan, as lines or as JSON values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mcc.model.plan import Plan, PlannedStep

Mask = Callable[[str], str]


def step_lines(step: PlannedStep, mask: Mask) -> Iterator[str]:
    """The step's own line, and further ones below it."""
    yield f"  {step.phase:<9} {mask(step.title)}"
    for line in step.details:
        yield f"              {mask(line)}"


def steps_data(plan: Plan, mask: Mask) -> list[dict[str, Any]]:
    """Every step, in order."""
    return [
        {
            "phase": step.phase,
            "title": mask(step.title),
            "kind": type(step.step).__name__,
            "after_commit": step in plan.after,
            "details": [mask(line) for line in step.details],
        }
        for step in plan.steps
    ]
