"""``mcc rollback``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.cli.screens.run_plan import show_run_plan
from mcc.cli.waiting import waiting
from mcc.deploy.rollback import plan_rollback, rollback
from mcc.deploy.way_back import RollbackRequest, read_rollback
from mcc.errors import SiteError, UsageError
from mcc.host.settings import stage_base
from mcc.host.turn import Turn


@dataclass(frozen=True, slots=True)
class Options:
    """What the options say of a rollback."""

    to: str | None = None
    mark_bad: str | None = None
    plan: bool = False
    wait: int = 0
    format: str = "auto"


def run_rollback(stage: str | None, site: Path | None, output: Path, options: Options) -> int:
    """Go back, or show what would be done; the exit code."""
    request = read_rollback(site_base(stage, site, output), options.to, options.mark_bad)
    if options.plan:
        plan = plan_rollback(request, RealHands(screen_for(options.format)))
        base, mask = str(request.site.base), request.masker
        show_run_plan("rollback", request.release.stage, base, plan, mask, options.format)
        return 0
    return waiting(options.wait, lambda turn: _go_back(request, options, turn))


def _go_back(asked: RollbackRequest, options: Options, turn: Turn) -> int:
    """What was live when it was asked for must be live still: a wait may end with another release."""
    request = read_rollback(asked.site.base, options.to, options.mark_bad) if turn.waited else asked
    if request.leaving != asked.leaving:
        words = f"{request.leaving} came live while this waited; {asked.leaving} was to be left"
        raise SiteError(words, help="look, then try again")
    return rollback(request, RealHands(screen_for(options.format), turn=turn))


def site_base(stage: str | None, site: Path | None, output: Path) -> Path:
    """REMOTE_BASE, as one of the two options names it. Raises UsageError."""
    if (stage is None) == (site is None):
        raise UsageError("which site?", help="--site DIR, or --stage S in an output folder; one of the two")
    return site.absolute() if site is not None else stage_base(output.resolve(), str(stage))
