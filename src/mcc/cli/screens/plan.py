"""A plan, printed."""

from __future__ import annotations

import json

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
            "steps": [_as_data(step, mask(step.title), step in plan.after) for step in plan.steps],
        }
        print(json.dumps(data), flush=True)
        return
    print(f"plan of {situation.request.stage.name} -> {situation.site.base}")
    print(f"{situation.request.build or 'no build information'} would become {situation.version}\n")
    for text in plan.warnings:
        print(f"  warning   {mask(text)}")
    for step in plan.before:
        print(f"  {step.phase:<9} {mask(step.title)}")
    print("  ---------- commit: from here on only forward")
    for step in plan.after:
        print(f"  {step.phase:<9} {mask(step.title)}")
    print("\nnothing was changed", flush=True)  # an answer that cannot be written is a failure


def _as_data(step: PlannedStep, title: str, after: bool) -> dict[str, object]:
    return {"phase": step.phase, "title": title, "kind": type(step.step).__name__, "after_commit": after}
