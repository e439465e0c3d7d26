"""One deploy, from the lock to the last word."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mcc.core.ledger import release_data
from mcc.deploy.checks import check_request, check_situation
from mcc.deploy.hands import Hands, Lock, services_header
from mcc.deploy.plan import make_plan, new_release
from mcc.deploy.recover import conclude, dead_runs, recover_all, recover_one
from mcc.deploy.request import Request
from mcc.deploy.situation import Situation, look, read_ledger
from mcc.engine.journal_file import JournalFile
from mcc.engine.run import Engine, as_mcc_error
from mcc.errors import SiteError, StepError
from mcc.host.ports import Host
from mcc.host.toolbox import Tool
from mcc.model.event import RunStarted, Warned
from mcc.model.plan import Plan


def plan_deploy(
    request: Request, hands: Hands, run: str | None = None, lock: Lock | None = None
) -> tuple[Situation, Plan]:
    """Look, check and plan; nothing is changed. Raises Refused."""
    host = hands.host(request.site, request.conf.services, run or "", lock)
    with _nothing_changed():
        check_request(request, host)
        situation = look(request, host, run or run_id(host), hands.tool(request.site).version)
        warnings = check_situation(situation, host)
    plan = make_plan(situation)
    open_runs = () if lock else tuple(f"the run {name} has not ended" for name in dead_runs(host.files, request.site))
    return situation, Plan(plan.before, plan.after, (*plan.warnings, *warnings, *open_runs))


def deploy(request: Request, hands: Hands) -> int:
    """Deploy; the answer is the exit code. Raises Refused, SiteLocked, Stuck before anything began."""
    site = request.site
    with _nothing_changed():
        host = hands.host(site, request.conf.services)
        if host.files.kind(site.own) != "folder":
            plan_deploy(request, hands)  # a deploy that cannot be leaves no folder behind
            host.files.make_folder(site.own)
        run = run_id(host)
        lock = hands.lock(site, _holder(request, host, run))
    try:
        recover_all(site, hands, lock, "it died, and the next deploy found it")
        with _nothing_changed():
            situation, plan = plan_deploy(request, hands, run, lock)
            hands.install_tool(site, hands.tool(site), hands.host(site, request.conf.services, run, lock))
        return _guarded(situation, plan, hands, lock)
    finally:
        lock.release()


@contextlib.contextmanager
def _nothing_changed() -> Iterator[None]:
    """What fails before the journal begins is a refusal, whatever it is."""
    try:
        yield
    except (OSError, StepError) as problem:
        error = as_mcc_error(problem)
        raise SiteError(f"nothing was started: {error.message}", help=error.help, log=error.log) from problem


def run_id(host: Host) -> str:
    """A name for a run: the UTC time, and something that no other run of that second has."""
    return f"{host.clock.now():%Y-%m-%dT%H%M%S}-{host.machine.token()}"


def _guarded(s: Situation, plan: Plan, hands: Hands, lock: Lock) -> int:
    host = hands.host(s.site, s.request.conf.services, s.run, lock)
    journal = JournalFile(host.files, s.site, s.run, s.request.masker.mask_data)
    with _nothing_changed():
        journal.start(_header(s, hands.tool(s.site)), plan)

    def work() -> int:
        return _work(s, plan, hands, host, journal)

    def rescue(reason: str) -> int:
        outcome = recover_one(s.site, s.run, hands, lock, reason)
        return outcome.exit_code if outcome else _had_ended(s, hands, reason)

    return hands.guarded(s.run, work, rescue)


def _had_ended(s: Situation, hands: Hands, reason: str) -> int:
    """The runner died behind its last word, or before its first; the ledger knows."""
    host = hands.host(s.site, s.request.conf.services, s.run)
    live = read_ledger(host.files, s.site).live
    is_live = live is not None and live.name == s.version
    what = f"{s.version} is live" if is_live else "nothing had been changed, or all of it is undone"
    hands.sink(s.site, s.run, s.request.masker)(Warned(host.clock.now().timestamp(), f"{reason}; {what}"))
    return 0 if is_live else 1


def _work(s: Situation, plan: Plan, hands: Hands, host: Host, journal: JournalFile) -> int:
    interrupts = hands.interrupts()
    masker = s.request.masker
    sink = hands.sink(s.site, s.run, masker)
    started = host.clock.monotonic()
    sink(_started(s, plan, host))
    for text in plan.warnings:
        sink(Warned(host.clock.now().timestamp(), text))
    engine = Engine(host, journal, sink, interrupts)
    outcome = engine.run(plan)
    sink(conclude(s.site, host, engine, outcome, new_release(s), started, masker))
    return outcome.exit_code


def _header(s: Situation, tool: Tool) -> dict[str, object]:
    return {
        "run": s.run,
        "action": "deploy",
        "tool": {"version": tool.version, "command": str(tool.command)},
        "stage": s.request.stage.name,
        "release": release_data(new_release(s)),
        "services": services_header(s.request.conf.services),
    }


def _started(s: Situation, plan: Plan, host: Host) -> RunStarted:
    return RunStarted(
        at=host.clock.now().timestamp(),
        run=s.run,
        action="deploy",
        stage=s.request.stage.name,
        site=str(s.site.base),
        release=s.version,
        build=str(s.request.build) if s.request.build else "",
        steps=tuple(planned.title for planned in plan.steps),
    )


def _holder(request: Request, host: Host, run: str) -> dict[str, object]:
    return {
        "what": f"deploy --stage {request.stage.name}",
        "run": run,
        "user": host.machine.user(),
        "build": str(request.build) if request.build else "",
        "pid": host.machine.pid(),
        "since": host.clock.now().isoformat(timespec="seconds"),
    }
