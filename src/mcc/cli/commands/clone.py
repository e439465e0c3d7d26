"""``mcc clone``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.cli.screens.run_plan import show_run_plan
from mcc.host.turn import Turn
from mcc.operations.clone import clone, plan_clone, read_clone


def run_clone(
    output: Path, stage: str, confirm: str | None, plan_only: bool, format: str, turn: Turn | None = None
) -> int:  # fmt: skip
    """Clone, or show what would be done; the exit code."""
    return run_clone_stage(output, stage, plan_only, format, {"confirm": confirm} if confirm else {}, turn)


def run_clone_stage(
    output: Path, stage: str, plan_only: bool, format: str, parameters: Mapping[str, str], turn: Turn | None = None
) -> int:  # fmt: skip
    """The stage operation ``clone``."""
    request = read_clone(output.resolve(), stage, parameters)
    hands = RealHands(screen_for(format), turn=turn)
    if not plan_only:
        return clone(request, hands)
    plan = plan_clone(request, hands)
    show_run_plan("clone", request.stage.name, str(request.site.base), plan, request.masker, format)
    return 0
