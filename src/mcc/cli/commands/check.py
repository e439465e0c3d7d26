"""``mcc check``."""

from __future__ import annotations

from pathlib import Path

from mcc.check.check import check_folder, check_site
from mcc.cli.hands import RealHands
from mcc.cli.screens.check import show_check
from mcc.cli.screens.choose import screen_for
from mcc.errors import UsageError
from mcc.host.early import EarlyInterpreter
from mcc.host.real_senses import RealSenses

_NOT_GREEN = 2


def run_check(
    stage: str | None, site: Path | None, output: Path, format: str, early: EarlyInterpreter | None = None
) -> int:
    """Look at everything and show it; the exit code is 2 if something would stop a deploy."""
    if stage is not None and site is not None:
        raise UsageError("--stage and --site cannot be asked for together", help="--site looks at a site by itself")
    hands = RealHands(screen_for("plain"), early)
    if site is not None:
        checked = check_site(site, hands, RealSenses())
    else:
        checked = check_folder(output.resolve(), stage, hands, RealSenses())
    show_check(checked, format)
    return 0 if checked.green else _NOT_GREEN
