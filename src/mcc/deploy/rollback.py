"""``mcc rollback``: a release that was live before is brought live again, by the steps of a deploy.

Databases only go forward: they stay, and it is said how far they are ahead.
"""

from __future__ import annotations

import dataclasses
import os.path
from collections.abc import Iterator

from mcc.core.ledger import Ledger
from mcc.core.sudo import required
from mcc.deploy.adoption import PROJECT, look_for_adoption
from mcc.deploy.ahead import Ahead, databases_ahead
from mcc.deploy.asset_steps import lend_steps, own_lent_steps
from mcc.deploy.checks import back_problems, check_rights, refuse
from mcc.deploy.going_live import cut_over_steps, restart_steps, smoke_steps, stable_steps
from mcc.deploy.material import adopt_steps, adopted_record
from mcc.deploy.request import Request
from mcc.deploy.rights import variables_steps
from mcc.deploy.situation import (
    PlannedEnvironment,
    Situation,
    environments_of,
    planned_environment,
    recovers_at_boot,
    shares_variables,
)
from mcc.deploy.slot_steps import drain_steps, start_steps, switch_steps
from mcc.deploy.slots import Slots, look_at_slots
from mcc.deploy.way_back import RollbackRequest, choose, components_of, what_is_left
from mcc.errors import SiteError
from mcc.host.ports import Files, Host
from mcc.model.build import BuildInfo
from mcc.model.conf import Conf
from mcc.model.config import Stage
from mcc.model.plan import Plan, PlannedStep
from mcc.model.release import Release
from mcc.runs.adopted_jobs import adopted_jobs
from mcc.runs.changes import look_for_changes
from mcc.runs.hands import Hands
from mcc.runs.ledger import read_ledger
from mcc.runs.maintenance import maintained
from mcc.runs.recover import dead_runs
from mcc.runs.run import nothing_changed, run_id, run_work
from mcc.runs.standing import environment_stands, has_project
from mcc.runs.work import Prepared, Work
from mcc.steps.adopt import UseAdopted
from mcc.steps.environment import BuildEnvironment
from mcc.steps.link import SwitchLink
from mcc.steps.record import MarkBad, RecordLive, TellDatabases


def plan_rollback(request: RollbackRequest, hands: Hands) -> Plan:
    """Look, check and plan; nothing is changed. Raises Refused."""
    host = hands.host(request.site, request.conf.services)
    with nothing_changed():
        plan = _prepared(request, host, run_id(host)).plan
    open_runs = tuple(f"the run {name} has not ended" for name in dead_runs(host.files, request.site))
    return dataclasses.replace(plan, warnings=(*plan.warnings, *open_runs))


def rollback(request: RollbackRequest, hands: Hands) -> int:
    """Go back; the answer is the exit code. Raises Refused, SiteLocked, Stuck before anything began."""
    release = request.release
    build = None if release.build == BuildInfo() else release.build
    conf = request.conf
    work = Work(
        request.site, "rollback", release.stage, conf.services, request.masker, build, although_frozen=True,
        ask_first=lambda host: check_rights(required(conf), host),
    )  # fmt: skip
    return run_work(work, lambda host, run: _prepared(request, host, run), hands)


def _prepared(request: RollbackRequest, host: Host, run: str) -> Prepared:
    """Visitors of a release that is broken wait for this: what takes long is asked before the site is held, or when
    they are led back.
    """
    ledger = read_ledger(host.files, request.site)
    slots = _slots(request, host)
    running = request.release.name if slots and slots.runs else ""
    release = choose(host.files, request.site, ledger, request.wanted, running)
    if release.name != request.release.name:
        words = f"another run was faster: the release before is {release.name} now"
        raise SiteError(words, help="look, then try again")
    leaving = what_is_left(host.files, request.site, ledger, release, request.bad)
    if request.bad is not None and leaving != request.leaving:
        words = f"another run was faster: {leaving} is live now, and {request.leaving} was to be marked bad"
        raise SiteError(words, help="look, then try again")
    s, missing = _situation(request, release, ledger, host, run, slots)
    refuse(back_problems(s, host))
    check_rights(required(s.request.conf), host)
    ahead = _ahead(s, release, host)
    marks = tuple(_marks(s, request, leaving))
    warnings = (*request.warnings, *missing, *_warnings(s, ledger, host, request.whole), *ahead.warnings)
    lent = tuple(lend_steps(s, host.files, release))
    return Prepared(_plan(s, release, ahead, marks, lent, warnings), _live_again(s, release))


def _slots(request: RollbackRequest, host: Host) -> Slots | None:
    components = components_of(host.files, request.site, request.release)
    return look_at_slots(request.conf, request.site, host, components, request.release.name)


def _marks(s: Situation, request: RollbackRequest, leaving: str) -> Iterator[PlannedStep]:
    if request.bad is not None:
        reason = request.masker.mask(request.bad)
        step = MarkBad(s.site.ledger, leaving, reason, s.by, s.run)
        yield PlannedStep("record", f"{leaving} is bad: {reason}", step)


def _plan(
    s: Situation,
    release: Release,
    ahead: Ahead,
    marks: tuple[PlannedStep, ...],
    lent: tuple[PlannedStep, ...],
    warnings: tuple[str, ...],
) -> Plan:
    runs = s.slots is not None and s.slots.runs
    before = (
        *(switch_steps(s) if runs else lent),  # its old slot still drains: visitors first
        *adopt_steps(s),
        *variables_steps(s),
        *_environment(s, release),
        *start_steps(s),
        *cut_over_steps(s),
        *restart_steps(s),
        *smoke_steps(s),
        *stable_steps(s),
    )  # fmt: skip
    title = f"databases: {ahead.words}" + ("; they stay so" if ahead.todo else "")
    after = (
        *adopted_record(s),
        PlannedStep("record", f"{release.name} is live", RecordLive(s.site.ledger, _live_again(s, release))),
        *(lent if runs else ()),
        *own_lent_steps(s, lent),
        *marks,
        *drain_steps(s),
        PlannedStep("record", title, TellDatabases(ahead.words, ahead.todo), optional=True),
    )
    return Plan(before, after, warnings)


def _situation(
    request: RollbackRequest, release: Release, ledger: Ledger, host: Host, run: str, slots: Slots | None
) -> tuple[Situation, tuple[str, ...]]:
    """What was kept of the release stands for the output; the answer besides are words on what was not kept."""
    files, site, now = host.files, request.site, host.clock.now()
    kept = site.material(release.name)
    conf, missing = _conf_of(request, release, files)
    build = None if release.build == BuildInfo() else release.build
    back = Request(kept, Stage(release.stage), conf, build, keep=1)
    live = ledger.live or release
    components = components_of(files, site, release)
    adoption = look_for_adoption(
        files,
        site,
        ledger,
        components_of(files, site, live),
        conf.site_files,
        now,
        run,
        live.stage,
        exchanges=release.environment is not None,
    )
    present = environments_of(files, site)
    scripts = files.walk(kept / "scripts") if files.kind(kept / "scripts") == "folder" else ()
    return Situation(
        request=back, run=run, now=now, version=release.name, components=components, ledger=ledger,
        environment=_planned(back, release, present, host, slots), databases=None, alembic=None,
        environments_present=present,
        script_names=tuple(entry.path for entry in scripts if entry.kind == "file"),
        old_records=(), leftovers=(), has_crontab=host.crontab.available(), by=host.machine.user(),
        crontab=host.crontab.read() if host.crontab.available() else b"",
        recovers_at_boot=recovers_at_boot(files, site), shares_variables=shares_variables(site, files),
        adoption=adoption, back_to=release,
        project_files=PROJECT if has_project(files, site, release) else (),
        maintained=maintained(site, files),
        slots=slots,
    ), missing  # fmt: skip


def _conf_of(request: RollbackRequest, release: Release, files: Files) -> tuple[Conf, tuple[str, ...]]:
    """The release's conf, without files that were not kept."""
    conf, kept = request.conf, request.site.material(release.name)
    jobs = adopted_jobs(files, request.site, release)
    conf = conf if jobs is None else dataclasses.replace(conf, cron=jobs)
    if files.kind(kept) != "folder":
        words = f"{release.name} was deployed by an older mcc: scripts/, SITE_FILES and project files stay as they are"
        return dataclasses.replace(conf, site_files=()), (words,)
    there = tuple(file for file in conf.site_files if files.kind(kept / file.source) == "file")
    gone = [file.target for file in conf.site_files if file not in there]
    words = f"{', '.join(gone)} stay as they are: {release.name} did not have them" if gone else ""
    return dataclasses.replace(conf, site_files=there), (words,) if words else ()


def _planned(
    request: Request, release: Release, present: tuple[str, ...], host: Host, slots: Slots | None
) -> PlannedEnvironment | None:
    """Its own environment, if nobody has changed it; else one that is built from its lock file.

    Where a slot runs it at this moment, visitors are led there first, and then it is looked at.
    """
    if release.environment is None:
        return None
    if (slots and slots.runs) or environment_stands(host.files, request.site, release):
        python = request.site.environments / release.environment / "bin/python"
        linked = host.files.kind(python) == "link"
        interpreter = (("interpreter", host.files.read_link(python)),) if linked else ()
        return PlannedEnvironment(release.environment, True, interpreter, ())
    return planned_environment(request, host, present)


def _environment(s: Situation, release: Release) -> Iterator[PlannedStep]:
    environment, folder = s.environment, s.environment_folder
    if environment is None or folder is None:
        return
    same = environment.name == release.environment
    if same and release.fingerprint:
        yield PlannedStep("venv", f"use venvs/{environment.name}", UseAdopted(folder, release.fingerprint))
        return
    build = BuildEnvironment(
        s.request.output, folder, s.request.conf.environment.sync_args, (), environment.made_from,
        reuse=environment.whole,
    )  # fmt: skip
    yield PlannedStep("venv", f"{'use' if environment.whole else 'build'} venvs/{environment.name}", build)
    component = s.environment_component
    if not same and component and release.origin != "adopted":
        release_folder = s.release_folder(component)
        target = os.path.relpath(folder, release_folder)
        title = f"{component.folder}/{s.version}/.venv -> {target}"
        yield PlannedStep("venv", title, SwitchLink(release_folder / ".venv", target))


def _live_again(s: Situation, release: Release) -> Release:
    """What the ledger will say."""
    left = s.adoption.release or s.ledger.live
    same = s.environment is not None and s.environment.name == release.environment
    return dataclasses.replace(
        release,
        state="live",
        at=s.now.isoformat(timespec="seconds"),
        run=s.run,
        by=s.by,
        environment=s.environment.name if s.environment else None,
        fingerprint=release.fingerprint if same else "",
        back_from=left.name if left else "",
    )


def _ahead(s: Situation, release: Release, host: Host) -> Ahead:
    component = s.environment_component
    if component is None or s.request.conf.database.kind == "none":
        return Ahead()
    ledger = s.ledger.with_live(s.adoption.release) if s.adoption.release else s.ledger
    return databases_ahead(s.request, s.release_folder(component), release.name, ledger, host, s.run)


def _rebuilt(s: Situation, release: Release, host: Host) -> Iterator[str]:
    """What becomes of an environment that is gone, or that somebody has changed."""
    planned = s.environment
    if planned is None or (planned.name == release.environment and planned.whole):
        return
    there = host.files.kind(s.site.environments / str(release.environment)) == "folder"
    what = "was changed since it was built" if there else "is gone"
    again = f"venvs/{planned.name} is used, which is from the same" if planned.whole else "it is built anew, from the"
    yield f"venvs/{release.environment} of {release.name} {what}: {again} uv.lock"


def _warnings(s: Situation, ledger: Ledger, host: Host, looked_at: str) -> Iterator[str]:
    """``looked_at``: an environment that was whole before the site was held; visitors do not wait for a second look."""
    whole = s.environment.name if s.environment and s.environment.whole else None  # looked at already
    if s.slots and s.slots.runs and looked_at:
        whole = looked_at
    yield from look_for_changes(host.files, s.crontab, s.site, ledger, whole).sentences
    yield from s.adoption.warnings()
    release = s.back_to
    if release:
        yield from _rebuilt(s, release, host)
    for link, target in ledger.live.links if ledger.live else ():
        if link not in s.switched:
            yield f"{link} goes on with {target}: {s.version} did not bring one"
    left = set(ledger.live.services if ledger.live else ()) - set(s.request.conf.services.all)
    if left:
        yield f"{', '.join(sorted(left))}: {s.version} does not know it, and it goes on as it is"
