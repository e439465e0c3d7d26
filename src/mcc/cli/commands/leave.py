"""``mcc leave``."""

from __future__ import annotations

from pathlib import Path

from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.cli.screens.run_plan import show_run_plan
from mcc.core.layout import Site
from mcc.errors import UsageError
from mcc.host.files import RealFiles
from mcc.host.settings import stage_base
from mcc.host.turn import Turn
from mcc.operations.leave import leave, plan_leave, put_aside, was_left
from mcc.operations.site import asked_by_site


def run_leave(
    stage: str | None, site: Path | None, output: Path, plan_only: bool, format: str, turn: Turn | None = None
) -> int:  # fmt: skip
    """Give the site back, or show what would be done; the exit code."""
    base = _base(stage, site, output)
    hands = RealHands(screen_for(format), turn=turn)
    if was_left(RealFiles(), Site(base)):
        if plan_only:
            print(f"{base} was given back already; what is left to do: another name for .mcc")
            return 0
        return _say(format, put_aside(Site(base), hands))
    asked = asked_by_site(base)  # by what is live, whatever the output says
    if plan_only:
        show_run_plan("leave", asked.stage, str(base), plan_leave(asked, hands), asked.masker, format)
        return 0
    left = leave(asked, hands)
    return _say(format, left.aside) if left.aside else left.code


def _base(stage: str | None, site: Path | None, output: Path) -> Path:
    if (stage is None) == (site is None):
        raise UsageError("which site?", help="--site DIR, or --stage S in an output folder; one of the two")
    return site.absolute() if site is not None else stage_base(output.resolve(), str(stage))


def _say(format: str, aside: Path) -> int:
    if format != "jsonl":
        print(f"what mcc knew of the site is in {aside}; remove it when nobody needs it any more")
    return 0
