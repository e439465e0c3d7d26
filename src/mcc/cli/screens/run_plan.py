"""The plan of a run that brings no release, printed."""

from __future__ import annotations

import json

from mcc.core.masking import Masker
from mcc.model.plan import Plan, PlannedStep


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
            "steps": [_as_data(step, mask(step.title), step in plan.after) for step in plan.steps],
        }
        print(json.dumps(data, ensure_ascii=False))
        return
    print(f"plan of {action}{f' --stage {stage}' if stage else ''} -> {site}\n")
    for text in plan.warnings:
        print(f"  warning   {mask(text)}")
    for step in plan.before:
        print(f"  {step.phase:<9} {mask(step.title)}")
    if plan.after:
        print("  ---------- commit: from here on only forward")
    for step in plan.after:
        print(f"  {step.phase:<9} {mask(step.title)}")
    print("\nnothing was changed")


def _as_data(step: PlannedStep, title: str, after: bool) -> dict[str, object]:
    return {"phase": step.phase, "title": title, "kind": type(step.step).__name__, "after_commit": after}
