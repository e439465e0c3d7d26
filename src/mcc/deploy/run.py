"""One deploy: what is asked for, what is found, what will be done."""

from __future__ import annotations

import dataclasses

from mcc.deploy.checks import check_request, check_situation
from mcc.deploy.hooks import told
from mcc.deploy.plan import make_plan, new_release
from mcc.deploy.request import Request
from mcc.deploy.situation import Situation, look
from mcc.host.ports import Host
from mcc.model.plan import Plan
from mcc.runs.frozen import refuse_frozen
from mcc.runs.hands import Hands
from mcc.runs.recover import dead_runs
from mcc.runs.run import nothing_changed, run_id, run_work
from mcc.runs.work import Prepared, Work


def plan_deploy(request: Request, hands: Hands) -> tuple[Situation, Plan]:
    """Look, check and plan; nothing is changed. Raises Refused."""
    host = hands.host(request.site, request.conf.services)
    with nothing_changed():
        refuse_frozen(request.site, host.files)
        situation, plan = _plan(request, hands, host, run_id(host))
    open_runs = tuple(f"the run {name} has not ended" for name in dead_runs(host.files, request.site))
    return situation, dataclasses.replace(plan, warnings=(*plan.warnings, *open_runs))


def deploy(request: Request, hands: Hands) -> int:
    """Deploy; the answer is the exit code. Raises Refused, SiteLocked, Stuck before anything began."""

    def prepare(host: Host, run: str) -> Prepared:
        situation, plan = _plan(request, hands, host, run)
        kept = {**situation.kept, **told(situation, host)}
        return Prepared(plan, new_release(situation), kept)

    return run_work(_work(request), prepare, hands)


def _plan(request: Request, hands: Hands, host: Host, run: str) -> tuple[Situation, Plan]:
    check_request(request, host)
    situation = look(request, host, run, hands.tool(request.site).version)
    warnings = check_situation(situation, host)
    plan = make_plan(situation)
    return situation, dataclasses.replace(plan, warnings=(*plan.warnings, *warnings))


def _work(request: Request) -> Work:
    conf = request.conf
    return Work(
        request.site, "deploy", request.stage.name, conf.services, request.masker, request.build, told=request.told
    )
