"""Having a site stand still while its databases are exchanged, as far as the deploy user may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mcc.core.layout import Site
from mcc.core.standstill import lines_elsewhere, lines_that_stay
from mcc.core.sudo import stop, way_out
from mcc.host.ports import Host
from mcc.model.conf import Conf
from mcc.model.plan import PlannedStep
from mcc.runs.slots import health_of, units_that_run, units_that_serve
from mcc.steps.offline import ResumeCron, StopServices, SuspendCron
from mcc.steps.services import RestartServices, ServicesBack, ServicesStable
from mcc.steps.waiting import Health


@dataclass(frozen=True, slots=True)
class Standstill:
    """``stopped``: services that run and may be stopped; ``kept_up``: those that run and may not.

    A service that does not run is not touched. ``user`` is the deploy user. Those of ``triggered`` are among
    ``kept_up``: the next visitor, or the clock, would start them again.
    """

    conf: Conf
    site: Site
    run: str
    user: str
    stopped: tuple[str, ...]
    kept_up: tuple[str, ...]
    has_crontab: bool
    triggered: tuple[str, ...] = ()
    well: Health = field(default_factory=Health)
    """What the web service answers, if it runs."""
    drained: tuple[str, ...] = ()
    """Of those that run a slot that visitors have left: it is not started again."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What cannot stand still, and the line that would let it."""
        lost = "is restarted afterwards; what it writes meanwhile is lost"
        found = [f"{name} would be started again by its socket or timer: it {lost}" for name in self.triggered]
        refused = [name for name in self.kept_up if name not in self.triggered]
        if refused:
            lines = way_out(self.user, *(stop(name) for name in refused))
            found.append(f"{', '.join(refused)} may not be stopped and {lost}; {lines}")
        return tuple(found)

    @property
    def _aside(self) -> Path:
        return self.site.kept(self.run) / "crontab"


def look_at_services(conf: Conf, site: Site, host: Host, run: str) -> Standstill:
    """What runs, and what of it may be stopped; nothing is changed."""
    names = units_that_run(conf.services, site, host.files)
    states = {name: host.services.state(name) for name in names}
    up = [name for name in names if states[name].running]
    triggered = tuple(name for name in up if any(host.services.state(each).active for each in states[name].triggers))
    stoppable = tuple(name for name in up if name not in triggered and host.services.may_stop(name))
    others = tuple(name for name in up if name not in stoppable)
    available = host.crontab.available()
    serving = units_that_serve(conf.services, site, host.files)
    web = {*serving} - {*conf.services.workers}
    well = health_of(conf, site, host.files) if web & {*up} else Health()
    drained = tuple(name for name in up if name not in serving)
    return Standstill(conf, site, run, host.machine.user(), stoppable, others, available, triggered, well, drained)


def stop_steps(still: Standstill) -> Iterator[PlannedStep]:
    """Cron jobs first: one of them could start what is stopped."""
    services = still.conf.services
    if still.has_crontab:
        stay, elsewhere = lines_that_stay(still.conf, still.site), lines_elsewhere(still.conf, still.site)
        step = SuspendCron(still.site.base, stay, elsewhere, still._aside)
        yield PlannedStep("stop", "the site's cron jobs rest", step)
    if still.kept_up:
        guard = ServicesBack(still.kept_up, still.well, services.start_timeout)
        yield PlannedStep("stop", f"{', '.join(still.kept_up)} cannot be stopped", guard)
    if still.stopped:
        halt = StopServices(still.stopped, still.well, services.start_timeout, for_good=still.drained)
        yield PlannedStep("stop", f"stop {', '.join(still.stopped)}", halt)


def start_steps(still: Standstill) -> Iterator[PlannedStep]:
    """All that ran before runs again, and has to stay up; then the cron jobs."""
    services = still.conf.services
    names = tuple(name for name in (*still.stopped, *still.kept_up) if name not in still.drained)
    if names:
        start = RestartServices(names, still.well, services.start_timeout, still.site.logs)
        yield PlannedStep("start", f"start {', '.join(names)}", start)
        stay_up = ServicesStable(names, services.stable_for, still.site.logs)
        yield PlannedStep("start", f"services stay up for {services.stable_for:g} s", stay_up)
    if still.has_crontab:
        stay, elsewhere = lines_that_stay(still.conf, still.site), lines_elsewhere(still.conf, still.site)
        step = ResumeCron(still.site.base, stay, elsewhere, still._aside)
        yield PlannedStep("start", "the site's cron jobs go on", step)
