"""``mcc restore``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.cli.screens.run_plan import show_run_plan
from mcc.core.protection import refuse_protected
from mcc.core.stages import names_in
from mcc.errors import UsageError
from mcc.host.turn import Turn
from mcc.operations.restore import RestoreRequest, plan_restore, restore
from mcc.operations.site import asked_by_site, asked_by_stage


def run_restore(
    stage: str | None, site: Path | None, output: Path, set: str | None, databases: Sequence[str], plan: bool,
    format: str, turn: Turn | None = None,
) -> int:  # fmt: skip
    """Restore, or show what would be done; the exit code."""
    if (stage is None) == (site is None):
        raise UsageError("which site?", help="--site DIR, or --stage S in an output folder")
    asked = asked_by_site(site) if site else asked_by_stage(output.resolve(), str(stage))
    named = set or asked.parameters.get("from")
    return _run(RestoreRequest(asked, str(named) if named else None, tuple(databases)), plan, format, turn)


def run_restore_stage(
    output: Path, stage: str, plan_only: bool, format: str, parameters: Mapping[str, str], turn: Turn | None = None
) -> int:  # fmt: skip
    """The stage operation ``db-restore``: a button, so that a protected site's name has to be typed."""
    asked = asked_by_stage(output.resolve(), stage, parameters)
    confirm = parameters.get("confirm")  # of the command line alone: in a file nobody types it
    refuse_protected(asked.conf, confirm, "what its databases hold would be replaced", "--param confirm=NAME")
    named = asked.parameters.get("from")
    names = names_in(asked.parameters.get("databases"))
    return _run(RestoreRequest(asked, str(named) if named else None, names), plan_only, format, turn)


def _run(request: RestoreRequest, plan_only: bool, format: str, turn: Turn | None) -> int:
    hands = RealHands(screen_for(format), turn=turn)
    if not plan_only:
        return restore(request, hands)
    asked = request.asked
    show_run_plan("restore", asked.stage, str(asked.site.base), plan_restore(request, hands), asked.masker, format)
    return 0
