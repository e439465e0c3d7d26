"""A plan, printed."""

from __future__ import annotations

import json
from collections.abc import Callable

from mcc.deploy.situation import Situation
from mcc.model.plan import Plan, PlannedStep


def show_plan(situation: Situation, plan: Plan, format: str) -> None:
    """The steps in order, as text or as one JSON line."""
    mask = situation.request.masker.mask
    if format == "jsonl":
        data = {
            "event": "plan",
            "stage": situation.request.stage.name,
            "site": str(situation.site.base),
            "release": situation.version,
            "warnings": [mask(text) for text in plan.warnings],
            "steps": [_as_data(step, mask, step in plan.after) for step in plan.steps],
        }
        print(json.dumps(data), flush=True)
        return
    print(f"plan of {situation.request.stage.name} -> {situation.site.base}")
    print(f"{situation.request.build or 'no build information'} would become {situation.version}\n")
    for text in plan.warnings:
        print(f"  warning   {mask(text)}")
    for step in plan.before:
        _show(step, mask)
    print("  ---------- commit: from here on only forward")
    for step in plan.after:
        _show(step, mask)
    print("\nnothing was changed", flush=True)  # an answer that cannot be written is a failure


def _show(step: PlannedStep, mask: Callable[[str], str]) -> None:
    print(f"  {step.phase:<9} {mask(step.title)}")
    for line in step.details:
        print(f"              {mask(line)}")


def _as_data(step: PlannedStep, mask: Callable[[str], str], after: bool) -> dict[str, object]:
    kind, details = type(step.step).__name__, [mask(line) for line in step.details]
    return {"phase": step.phase, "title": mask(step.title), "kind": kind, "after_commit": after, "details": details}
