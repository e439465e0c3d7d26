"""The stage operation ``reset``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.cli.screens.plan import show_plan
from mcc.deploy.request import read_request
from mcc.deploy.reset import plan_reset, reset
from mcc.host.turn import Turn


def run_reset_stage(
    output: Path, stage: str, plan_only: bool, format: str, parameters: Mapping[str, str], turn: Turn | None = None
) -> int:  # fmt: skip
    """Wipe the stage's site and deploy it, or show what would be done; the exit code."""
    request = read_request(output.resolve(), stage, "reset", parameters)
    hands, confirm = RealHands(screen_for(format), turn=turn), parameters.get("confirm")
    if not plan_only:
        return reset(request, hands, confirm)
    situation, plan = plan_reset(request, hands, confirm)
    show_plan(situation, plan, format)
    return 0
