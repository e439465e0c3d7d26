"""``mcc deploy``."""

from __future__ import annotations

from pathlib import Path

from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.cli.screens.plan import show_plan
from mcc.deploy.request import read_request
from mcc.deploy.run import deploy, plan_deploy
from mcc.host.early import EarlyInterpreter


def run_deploy(output: Path, stage: str, plan_only: bool, format: str, early: EarlyInterpreter | None = None) -> int:
    """Plan or deploy what is in ``output``; the answer is the exit code."""
    request = read_request(output.resolve(), stage)
    hands = RealHands(screen_for(format), early)
    if plan_only:
        situation, plan = plan_deploy(request, hands)
        show_plan(situation, plan, format)
        return 0
    return deploy(request, hands)
