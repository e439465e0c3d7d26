"""What a deploy does about maintenance: it brings the page, rests behind it while it has to, and leaves a switch alone.

A site that was in maintenance before stays so: who has begun it ends it.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcc.core.maintenance import front_pages, switch_text
from mcc.deploy.offline import stands_still
from mcc.deploy.situation import Situation
from mcc.errors import Refused, SiteError
from mcc.host.ports import Host
from mcc.model.plan import Phase, PlannedStep
from mcc.runs.maintenance import page_source
from mcc.steps.maintenance import BeginMaintenance, EndMaintenance, PlacePage


def begin_steps(s: Situation) -> Iterator[PlannedStep]:
    """Before services stop: visitors see a page, and no error of a web server that reaches nobody."""
    if not _rests(s):
        return
    yield _page_step(s, "stop")
    text = switch_text(s.now, s.by, "to empty it" if s.resets else "for a migration")
    yield PlannedStep("stop", "visitors see the page", BeginMaintenance(s.site.maintenance_switch, text))


def end_steps(s: Situation) -> Iterator[PlannedStep]:
    """When services are up again, and before visitors' addresses are asked."""
    if _rests(s):
        yield PlannedStep("cut-over", "visitors see the site", EndMaintenance(s.site.maintenance_switch))


def page_steps(s: Situation) -> Iterator[PlannedStep]:
    """The project's own page, for whoever needs it when no output is at hand."""
    if s.request.conf.maintenance.page is not None and not _rests(s):
        yield _page_step(s, "cut-over")


def problems(s: Situation, host: Host) -> Iterator[Refused]:
    """A page that the output does not have."""
    try:
        page_source(s.request.conf, s.request.output, host.files)
    except SiteError as error:
        yield error


def warnings(s: Situation) -> Iterator[str]:
    """That visitors will not see the release yet."""
    if s.maintained is not None:
        ends = f"mcc maintenance off --site {s.site.base}"
        yield f"the site is in maintenance ({s.maintained.words}), and stays so: {ends} ends it"


def resting_urls(s: Situation, urls: tuple[str, ...]) -> tuple[str, ...]:
    """Addresses that may show the page instead of the site."""
    return front_pages(urls, s.request.conf.smoke.health_path) if s.maintained is not None else ()


def _rests(s: Situation) -> bool:
    return stands_still(s) and s.maintained is None


def _page_step(s: Situation, phase: Phase) -> PlannedStep:
    conf = s.request.conf.maintenance
    source = s.request.output / conf.page if conf.page is not None else None
    step = PlacePage(s.site.maintenance_page, source, conf.retry_after)
    return PlannedStep(phase, f"{conf.page or 'a plain page'} -> maintenance/page.html", step)
