"""A plan, printed."""

from __future__ import annotations

import json

from mcc.cli.screens.steps import step_lines, steps_data
from mcc.deploy.situation import Situation
from mcc.model.plan import Plan


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
            "steps": steps_data(plan, mask),
        }
        print(json.dumps(data), flush=True)
        return
    print(f"plan of {situation.request.stage.name} -> {situation.site.base}")
    print(f"{situation.request.build or 'no build information'} would become {situation.version}\n")
    for text in plan.warnings:
        print(f"  warning   {mask(text)}")
    for step in plan.before:
        print(*step_lines(step, mask), sep="\n")
    print("  ---------- commit: from here on only forward")
    for step in plan.after:
        print(*step_lines(step, mask), sep="\n")
    print("\nnothing was changed", flush=True)  # an answer that cannot be written is a failure
