"""``mcc maintenance``: visitors see a page while the site rests, until somebody ends it.

The switch is a file that the web server looks for, so that no right is needed and no reload. It says
since when and by whom. A deploy leaves it as it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mcc.core.maintenance import Maintained, front_pages, switch_text
from mcc.core.smoke import smoke_urls
from mcc.errors import SiteError
from mcc.host.ports import Host
from mcc.model.plan import Plan, PlannedStep
from mcc.operations.site import Asked
from mcc.runs.hands import Hands
from mcc.runs.maintenance import maintained, page_source
from mcc.runs.recover import dead_runs
from mcc.runs.run import run_work
from mcc.runs.work import Prepared, Work
from mcc.steps.maintenance import BeginMaintenance, EndMaintenance, LookForMaintenance, PlacePage

_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class MaintenanceRequest:
    """What was asked for. ``output`` None: the page is the one that the last deploy has placed, or the plain one."""

    asked: Asked
    on: bool
    output: Path | None = None

    @property
    def action(self) -> str:
        return "maintenance-on" if self.on else "maintenance-off"


def plan_maintenance(request: MaintenanceRequest, hands: Hands) -> Plan:
    """Look, check and plan; nothing is changed. Raises Refused."""
    asked = request.asked
    host = hands.host(asked.site, asked.conf.services)
    plan = _prepared(request, host).plan
    open_runs = tuple(f"the run {name} has not ended" for name in dead_runs(host.files, asked.site))
    return dataclasses.replace(plan, warnings=(*plan.warnings, *open_runs))


def switch_maintenance(request: MaintenanceRequest, hands: Hands) -> int:
    """Switch it; the answer is the exit code. Raises Refused, SiteLocked, Stuck before anything began."""
    asked = request.asked
    work = Work(
        asked.site, request.action, asked.stage, asked.conf.services, asked.masker, asked.build, although_frozen=True
    )  # fmt: skip
    return run_work(work, lambda host, _run: _prepared(request, host), hands)


def _prepared(request: MaintenanceRequest, host: Host) -> Prepared:
    asked = request.asked
    if host.files.kind(asked.site.base) not in ("folder", "link"):
        raise SiteError(f"{asked.conf.path.name}: there is no site at {asked.site.base}", help="deploy it first")
    now = maintained(asked.site, host.files)
    steps = tuple(_on(request, host) if request.on else _off(request))
    return Prepared(Plan(steps, (), (*asked.warnings, *_about(request, now))))


def _about(request: MaintenanceRequest, now: Maintained | None) -> Iterator[str]:
    if request.on and now is not None:
        yield f"the site is in maintenance already ({now.words})"
    if not request.on and now is None:
        yield "the site is not in maintenance"


def _on(request: MaintenanceRequest, host: Host) -> Iterator[PlannedStep]:
    site, conf = request.asked.site, request.asked.conf
    yield from _page(request, host)
    text = switch_text(host.clock.now(), host.machine.user())
    begin = BeginMaintenance(site.maintenance_switch, text)
    yield PlannedStep("cut-over", f"{site.maintenance_switch}: visitors see the page", begin)
    urls = front_pages(smoke_urls(conf), conf.smoke.health_path)
    if urls:
        timeout = min(_PATIENCE, conf.smoke.timeout)
        look = LookForMaintenance(urls, timeout, bool(conf.maintenance.allow))
        yield PlannedStep("smoke", "look whether visitors see it", look)


def _page(request: MaintenanceRequest, host: Host) -> Iterator[PlannedStep]:
    site, conf = request.asked.site, request.asked.conf
    name = conf.maintenance.page
    if name is not None and request.output is None and host.files.kind(site.maintenance_page) == "file":
        return  # the last deploy has placed it
    source = page_source(conf, request.output, host.files) if request.output else None
    step = PlacePage(site.maintenance_page, source, conf.maintenance.retry_after)
    yield PlannedStep("place", f"{name if source else 'a plain page'} -> maintenance/page.html", step)


def _off(request: MaintenanceRequest) -> Iterator[PlannedStep]:
    switch = request.asked.site.maintenance_switch
    yield PlannedStep("cut-over", f"{switch} goes: visitors see the site", EndMaintenance(switch))
