"""``mcc rollback``."""

from __future__ import annotations

from pathlib import Path

from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.cli.screens.run_plan import show_run_plan
from mcc.deploy.rollback import plan_rollback, read_rollback, rollback
from mcc.errors import UsageError
from mcc.host.settings import stage_base


def run_rollback(
    stage: str | None, site: Path | None, output: Path, to: str | None, plan_only: bool, format: str
) -> int:
    """Go back, or show what would be done; the exit code."""
    request = read_rollback(site_base(stage, site, output), to)
    hands = RealHands(screen_for(format))
    if not plan_only:
        return rollback(request, hands)
    plan = plan_rollback(request, hands)
    show_run_plan("rollback", request.release.stage, str(request.site.base), plan, request.masker, format)
    return 0


def site_base(stage: str | None, site: Path | None, output: Path) -> Path:
    """REMOTE_BASE, as one of the two options names it. Raises UsageError."""
    if (stage is None) == (site is None):
        raise UsageError("which site?", help="--site DIR, or --stage S in an output folder; one of the two")
    return site.absolute() if site is not None else stage_base(output.resolve(), str(stage))
