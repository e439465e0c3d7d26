"""``mcc leave``: the site goes back to the script that it came from.

It gets a real environment and plain cron lines; links and releases stay. What mcc knew is kept aside, for a person
to remove.
"""

from __future__ import annotations

import dataclasses
import os.path
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mcc.core.cron.crontab import job_lines
from mcc.core.layout import VERSION, Site
from mcc.core.ledger import Ledger
from mcc.core.links import inside
from mcc.core.slots import template_of
from mcc.core.sudo import required, way_out
from mcc.core.unit_names import plain_name_of
from mcc.errors import RightsError, SiteError, UsageError
from mcc.host.ports import Files, Host
from mcc.model.conf import Services
from mcc.model.plan import Plan, PlannedStep
from mcc.model.release import Release
from mcc.operations.site import Asked
from mcc.runs.adopted_jobs import adopted_jobs
from mcc.runs.changes import look_for_changes
from mcc.runs.frozen import refuse_frozen
from mcc.runs.hands import Hands
from mcc.runs.in_use import led_to
from mcc.runs.ledger import read_ledger
from mcc.runs.recover import recover_all
from mcc.runs.run import nothing_changed, run_id, run_work
from mcc.runs.work import Prepared, Work
from mcc.steps.leave import CopyEnvironment, GiveEnvironment, PlainCron, RecordLeft
from mcc.steps.link import SwitchLink
from mcc.steps.record import Prune
from mcc.steps.services import RestartServices, ServicesBack, ServicesStable
from mcc.steps.waiting import Health

_ROOM = 64 * 1024 * 1024
_CRONTAB = "plain-crontab"


@dataclass(frozen=True, slots=True)
class Left:
    """How it went; ``aside`` is where ``.mcc`` is now, if it went through."""

    code: int
    aside: Path | None = None


def plan_leave(asked: Asked, hands: Hands) -> Plan:
    """Look, check and plan; nothing is changed. Raises Refused."""
    host = hands.host(asked.site, asked.conf.services)
    with nothing_changed():
        refuse_frozen(asked.site, host.files)
        return _prepared(asked, host, run_id(host)).plan


def leave(asked: Asked, hands: Hands) -> Left:
    """Give the site back. Raises Refused, SiteLocked, Stuck before anything began."""
    work = Work(asked.site, "leave", asked.stage, asked.conf.services, asked.masker, asked.build)
    code = run_work(work, lambda host, run: _prepared(asked, host, run), hands)
    return Left(code, put_aside(asked.site, hands)) if code == 0 else Left(code)


def was_left(files: Files, site: Site) -> bool:
    """Whether only the last part is missing: a run that died right before it."""
    return read_ledger(files, site).left


def put_aside(site: Site, hands: Hands) -> Path:
    """Give ``.mcc`` another name: from then on nothing of the site is mcc's. Raises Refused, SiteLocked, Stuck.

    The lock was free for a moment, or for days if the run died right before this: somebody may have deployed.
    """
    lock = hands.lock(site, {"what": "leave"})
    try:
        recover_all(site, hands, lock, "it died, and the next leave found it")
        host = hands.host(site, Services(manager="none"))
        if not was_left(host.files, site):
            raise SiteError(f"mcc has deployed to {site.base} since it was given back", help="leave once more")
        aside = site.base / f".mcc-left-{host.clock.now():%Y-%m-%dT%H%M%S}"
        host.files.rename(site.own, aside)
    finally:
        lock.release()
    return aside


def _prepared(asked: Asked, host: Host, run: str) -> Prepared:
    site, ledger = asked.site, read_ledger(host.files, asked.site)
    live = ledger.live
    if live is None:
        raise UsageError(f"nothing that mcc has brought live is at {site.base}", help="it is a script's already")
    _refuse(asked, live, host)
    source = _source(host.files, site)
    before = (*_environment(asked, live, source, host, run), *_restart(asked, source))
    cron = "".join(f"{line}\n" for line in _lines(asked, live, host)).encode("utf-8", "surrogateescape")
    after = (*_cron(site, host, run), *_end(site, run))
    plan = Plan(before, after, (*asked.warnings, *_warnings(asked, ledger, source, host)))
    return Prepared(plan, kept={_CRONTAB: cron})


def _refuse(asked: Asked, live: Release, host: Host) -> None:
    kept = asked.site.conf(live.name)
    if asked.conf.path.parent == kept.parent and asked.conf.path != kept:
        raise SiteError(f"{live.name} is live by now, which has a conf of its own", help="look, then try again")
    if asked.conf.services.manager == "embedded":
        raise SiteError(
            "SERVICE_MANAGER: embedded: what runs the services lies in .mcc, and a script knows nothing of it",
            help="deploy with SERVICE_MANAGER: systemd, then leave",
        )
    template = template_of(asked.conf.services)
    if template:
        raise SiteError(
            f"{template} has two slots, and a script knows nothing of them",
            help=f"deploy with an ordinary unit such as {plain_name_of(template)}, then leave",
        )
    missing = tuple(words for words in required(asked.conf) if not host.sudo.allows(words))
    if missing:
        user = host.machine.user()
        what = "\n".join(f"  sudo {' '.join(words)}" for words in missing)
        raise RightsError(f"{user} may not run what is needed:\n{what}", help=way_out(user, *missing))
    gone = [link for link, _ in live.links if host.files.kind(asked.site.base / link) != "link"]
    if gone:
        raise SiteError(f"{', '.join(gone)} is no link", help="deploy once, then leave")
    source = _source(host.files, asked.site)
    size = sum(entry.size for entry in host.files.walk(source)) if source and not _is_adopted(source) else 0
    if host.files.space(asked.site.base).bytes < size + _ROOM:
        raise SiteError(f"no room: {(size + _ROOM) / 1e6:.0f} MB are needed on the disk of {asked.site.base}")


def _source(files: Files, site: Site) -> Path | None:
    """The environment that ``.venv`` leads to; None if it is a real one already, or none of ours."""
    if files.kind(site.environment) != "link":
        return None
    path = site.base / (inside(site.base, files.read_link(site.environment)) or "")
    return path if path.parent == site.environments and files.kind(path) == "folder" else None


def _is_adopted(environment: Path) -> bool:
    """Whether it is one that a script made at its place: its scripts name that place still."""
    return environment.name.startswith("adopted-")


def _environment(asked: Asked, live: Release, source: Path | None, host: Host, run: str) -> Iterator[PlannedStep]:
    if source is None:
        return
    site, folder = asked.site, source
    if not _is_adopted(source):
        folder = site.environments / f"leaving-{run}"  # there it gets the rights that environments have
        step = CopyEnvironment(source, folder, site.environment)
        yield PlannedStep("venv", f"copy venvs/{source.name}, to be a real environment at .venv", step)
    names = _services(asked)
    if names:
        guard = ServicesBack(names, _health(asked), asked.conf.services.start_timeout)
        yield PlannedStep("cut-over", "remember how the services are", guard)
    what = "its copy" if folder != source else f"venvs/{source.name}"
    yield PlannedStep("cut-over", f".venv: {what} in the place of the link", GiveEnvironment(site.environment, folder))
    used = led_to(host.files, site, Ledger((live,)), ())
    others = sorted(path for path in used if VERSION.fullmatch(PurePosixPath(path).name))
    for version in dict.fromkeys((*live.folders, *others)):
        link = site.base / version / ".venv"
        if host.files.kind(link) == "link":
            target = os.path.relpath(site.environment, link.parent)
            yield PlannedStep("cut-over", f"{version}/.venv -> {target}", SwitchLink(link, target))


def _services(asked: Asked) -> tuple[str, ...]:
    return asked.conf.services.all if asked.conf.services.manager != "none" else ()


def _health(asked: Asked) -> Health:
    conf = asked.conf
    if conf.api_port is None or not conf.services.names:
        return Health()
    return Health(conf.api_port, conf.smoke.health_path, conf.smoke.timeout)


def _restart(asked: Asked, source: Path | None) -> Iterator[PlannedStep]:
    """The environment is another one: what runs has to start from it, and to answer."""
    names, services = _services(asked), asked.conf.services
    if not names or source is None:
        return
    restart = RestartServices(names, _health(asked), services.start_timeout, asked.site.logs)
    yield PlannedStep("cut-over", f"restart {', '.join(names)}", restart)
    stable = ServicesStable(names, services.stable_for, asked.site.logs)
    yield PlannedStep("smoke", f"services stay up for {services.stable_for:g} s", stable)


def _cron(site: Site, host: Host, run: str) -> Iterator[PlannedStep]:
    if host.crontab.available():
        step = PlainCron(site.base, site.kept(run) / _CRONTAB)
        yield PlannedStep("after", "crontab: plain lines in the place of mcc's block", step)


def _lines(asked: Asked, live: Release, host: Host) -> tuple[str, ...]:
    """The site's jobs as a script writes them."""
    adopted = adopted_jobs(host.files, asked.site, live)
    jobs = asked.conf.cron if adopted is None else adopted
    plain = tuple(dataclasses.replace(job, overlap=True) for job in jobs)  # the lock would lie in .mcc
    return job_lines(plain, asked.site)


def _end(site: Site, run: str) -> Iterator[PlannedStep]:
    yield PlannedStep("record", "the site is the script's", RecordLeft(site.ledger, run))
    yield PlannedStep("prune", "venvs/", Prune((site.environments,), (), site.ledger, run), optional=True)


def _warnings(asked: Asked, ledger: Ledger, source: Path | None, host: Host) -> Iterator[str]:
    text = host.crontab.read() if host.crontab.available() else b""
    yield from look_for_changes(host.files, text, asked.site, ledger).sentences
    conf = asked.conf
    if source is None and host.files.kind(asked.site.environment) == "link":
        yield f"{asked.site.environment} leads to {host.files.read_link(asked.site.environment)}: it is left as it is"
    if conf.backup.enabled and conf.backup.schedule:
        yield "BACKUP_SCHEDULE: mcc makes no backups any more; a script of your own has to"
    if any(not job.overlap for job in conf.cron):
        yield "jobs with overlap: false may overlap from then on"
