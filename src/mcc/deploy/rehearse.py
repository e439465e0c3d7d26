"""``mcc deploy --rehearse``: the steps before the migrations, and then all of them undone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from mcc.core.wording import many
from mcc.deploy.backups import back_up_steps
from mcc.deploy.checks import check_request, check_situation
from mcc.deploy.hooks import around, told
from mcc.deploy.plan import make_plan, preparing_steps
from mcc.deploy.request import Request
from mcc.deploy.situation import Situation, look
from mcc.host.ports import Host
from mcc.model.plan import Plan, PlannedStep
from mcc.runs.frozen import refuse_frozen
from mcc.runs.hands import Hands
from mcc.runs.recover import dead_runs
from mcc.runs.run import nothing_changed, run_id, run_work
from mcc.runs.work import Prepared, Work
from mcc.steps.backup import BackUpDatabases
from mcc.steps.hook import RunHook


def plan_rehearsal(request: Request, hands: Hands) -> Plan:
    """Look, check and plan; nothing is changed. Raises Refused."""
    host = hands.host(request.site, request.conf.services)
    with nothing_changed():
        refuse_frozen(request.site, host.files)
        plan = _prepared(request, hands, host, run_id(host)).plan
    open_runs = tuple(f"the run {name} has not ended" for name in dead_runs(host.files, request.site))
    return dataclasses.replace(plan, warnings=(*plan.warnings, *open_runs))


def rehearse(request: Request, hands: Hands) -> int:
    """Do it and undo it; the exit code. Raises Refused, SiteLocked, Stuck before anything began."""
    services = request.conf.services
    work = Work(
        request.site, "rehearse", request.stage.name, services, request.masker, request.build, told=request.told
    )
    return run_work(work, lambda host, run: _prepared(request, hands, host, run), hands)


def _prepared(request: Request, hands: Hands, host: Host, run: str) -> Prepared:
    check_request(request, host)
    s = look(request, host, run, hands.tool(request.site).version)
    warnings = (*request.warnings, *check_situation(s, host))
    steps = tuple(_steps(s))
    return Prepared(Plan(steps, (), warnings), kept={**s.kept, **told(s, host)}, rehearsal=tuple(_unseen(s, steps)))


def _steps(s: Situation) -> Iterator[PlannedStep]:
    """Of the project's own steps only those that can be undone; copies of databases always go again."""
    for planned in (*preparing_steps(s), *around(s, "back-up", back_up_steps(s))):
        if isinstance(planned.step, BackUpDatabases):
            planned = dataclasses.replace(planned, step=dataclasses.replace(planned.step, unseen=False))
        if not _cannot_be_undone(planned):
            yield planned


def _cannot_be_undone(planned: PlannedStep) -> bool:
    return isinstance(planned.step, RunHook) and not planned.step.call.hook.undo


def _unseen(s: Situation, steps: tuple[PlannedStep, ...]) -> Iterator[str]:
    """What only a deploy shows."""
    rehearsed = {planned.title for planned in steps}
    left: dict[str, int] = {}
    for planned in make_plan(s).before:
        if planned.title in rehearsed:
            continue
        if _cannot_be_undone(planned) and planned.phase in ("place", "venv", "probe", "back up"):
            yield f"not rehearsed: {planned.title}: it has no undo"
        else:
            left[planned.phase] = left.get(planned.phase, 0) + 1
    phases = ", ".join(f"{phase} ({many(count, 'step')})" for phase, count in left.items())
    yield f"not rehearsed: {phases}"
    yield "only a deploy shows whether migrations go through, and whether the new code starts and answers"
