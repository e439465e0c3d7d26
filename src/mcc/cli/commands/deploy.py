"""``mcc deploy``: the deploy, or the operation that a stage is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcc.cli.commands.operations import find_operation
from mcc.cli.commands.project_stage import find_function, run_function
from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.cli.screens.plan import show_plan
from mcc.deploy.request import read_request
from mcc.deploy.run import deploy, plan_deploy
from mcc.errors import UsageError
from mcc.host.early import EarlyInterpreter


def run_deploy(
    output: Path,
    stage: str,
    plan_only: bool,
    format: str,
    early: EarlyInterpreter | None = None,
    params: Sequence[str] = (),
) -> int:
    """Plan or do what the stage is; the answer is the exit code."""
    output, parameters = output.resolve(), parameters_of(params)
    hands = RealHands(screen_for(format), early)
    hook = find_function(output, stage, parameters, hands)
    if hook is not None:
        return run_function(output, stage, plan_only, format, parameters, hook, hands)
    found = find_operation(output, stage, parameters)
    if found is not None:
        return found(output, stage, plan_only, format, parameters)
    request = read_request(output, stage)
    if parameters:
        raise UsageError("--param is for operations; a deploy is said by its files", help="take it out")
    if plan_only:
        situation, plan = plan_deploy(request, hands)
        show_plan(situation, plan, format)
        return 0
    return deploy(request, hands)


def parameters_of(params: Sequence[str]) -> dict[str, str]:
    """``KEY=VALUE`` of the command line. Raises UsageError."""
    found: dict[str, str] = {}
    for text in params:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"--param {text} is not KEY=VALUE")
        found[key] = value
    return found
