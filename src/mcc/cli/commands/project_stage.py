"""``mcc deploy`` of a stage that is a function of the project's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mcc.cli.hands import RealHands
from mcc.cli.screens.run_plan import show_run_plan
from mcc.model.hooks import Hook
from mcc.operations.project_stage import (
    ProjectStage,
    function_of,
    plan_project_stage,
    run_project_stage,
)
from mcc.operations.site import asked_by_stage


def find_function(output: Path, stage: str, parameters: Mapping[str, str], hands: RealHands) -> Hook | None:
    """The project's function that does the work of a stage; None: mcc itself does it. Raises Refused."""
    return function_of(output, stage, parameters, hands.code(output))


def run_function(
    output: Path, stage: str, plan_only: bool, format: str, parameters: Mapping[str, str], hook: Hook, hands: RealHands
) -> int:
    """Run it, or show what would be run; the exit code."""
    code = hands.code(output)
    assert code is not None
    wanted = ProjectStage(asked_by_stage(output, stage, parameters), output, code, hook)
    if not plan_only:
        return run_project_stage(wanted, hands)
    asked = wanted.asked
    show_run_plan(asked.stage, "", str(asked.site.base), plan_project_stage(wanted, hands), asked.masker, format)
    return 0
