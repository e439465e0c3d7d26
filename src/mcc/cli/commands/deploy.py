"""``mcc deploy``: the deploy, or the operation that a stage is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcc.cli.commands.operations import find_operation
from mcc.cli.commands.project_stage import find_function, run_function
from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.cli.screens.plan import show_plan
from mcc.cli.screens.run_plan import show_run_plan
from mcc.deploy.rehearse import plan_rehearsal, rehearse
from mcc.deploy.request import Request, read_request
from mcc.deploy.run import deploy, plan_deploy
from mcc.errors import UsageError
from mcc.host.early import EarlyInterpreter
from mcc.host.turn import Turn


def run_deploy(
    output: Path,
    stage: str,
    plan_only: bool,
    format: str,
    early: EarlyInterpreter | None = None,
    params: Sequence[str] = (),
    rehearse_only: bool = False,
    turn: Turn | None = None,
) -> int:
    """Plan or do what the stage is; the answer is the exit code."""
    output, parameters = output.resolve(), parameters_of(params)
    hands = RealHands(screen_for(format), None if turn and turn.waited else early, turn)
    hook = find_function(output, stage, parameters, hands)
    if rehearse_only and (hook or find_operation(output, stage, parameters)):
        raise UsageError(
            f"--rehearse is for deploys, and the stage {stage} is an operation",
            help="--plan shows what it would do",
        )
    if hook is not None:
        return run_function(output, stage, plan_only, format, parameters, hook, hands)
    found = find_operation(output, stage, parameters)
    if found is not None:
        return found(output, stage, plan_only, format, parameters, turn)
    request = read_request(output, stage)
    if parameters:
        raise UsageError("--param is for operations; a deploy is said by its files", help="take it out")
    if rehearse_only:
        return _rehearse(request, hands, plan_only, format)
    if plan_only:
        situation, plan = plan_deploy(request, hands)
        show_plan(situation, plan, format)
        return 0
    return deploy(request, hands)


def _rehearse(request: Request, hands: RealHands, plan_only: bool, format: str) -> int:
    if not plan_only:
        return rehearse(request, hands)
    plan = plan_rehearsal(request, hands)
    show_run_plan("rehearse", request.stage.name, str(request.site.base), plan, request.masker, format)
    return 0


def parameters_of(params: Sequence[str]) -> dict[str, str]:
    """``KEY=VALUE`` of the command line. Raises UsageError."""
    found: dict[str, str] = {}
    for text in params:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--param {text} is not KEY=VALUE")
        found[key] = value
    return found
