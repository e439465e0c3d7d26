"""The plan of a run that brings no release, printed."""

from __future__ import annotations

import json

from mcc.cli.screens.steps import step_lines, steps_data
from mcc.core.masking import Masker
from mcc.model.plan import Plan


def show_run_plan(action: str, stage: str, site: str, plan: Plan, masker: Masker, format: str) -> None:
    """The steps in order, as text or as one JSON line. ``action``: the word for the reader (``backup``)."""
    mask = masker.mask
    if format == "jsonl":
        data = {
            "event": "plan",
            "action": action,
            "stage": stage,
            "site": site,
            "warnings": [mask(text) for text in plan.warnings],
            "steps": steps_data(plan, mask),
        }
        print(json.dumps(data, ensure_ascii=False))
        return
    print(f"plan of {action}{f' --stage {stage}' if stage else ''} -> {site}\n")
    for text in plan.warnings:
        print(f"  warning   {mask(text)}")
    for step in plan.before:
        print(*step_lines(step, mask), sep="\n")
    if plan.after:
        print("  ---------- commit: from here on only forward")
    for step in plan.after:
        print(*step_lines(step, mask), sep="\n")
    print("\nnothing was changed")
