"""``mcc maintenance``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.cli.screens.run_plan import show_run_plan
from mcc.core.layout import Site
from mcc.errors import UsageError
from mcc.host.files import RealFiles
from mcc.host.settings import stage_base
from mcc.host.turn import Turn
from mcc.operations.maintenance import MaintenanceRequest, plan_maintenance, switch_maintenance
from mcc.operations.site import asked_by_site, asked_by_stage
from mcc.runs.maintenance import maintained, maintenance_data

_ANSWERS, _RUNS = ("auto", "text", "json"), ("auto", "live", "plain", "jsonl")


def run_maintenance(
    what: str, stage: str | None, site: Path | None, output: Path, plan: bool, format: str, turn: Turn | None = None
) -> int:  # fmt: skip
    """Switch it on or off, or say how it is; the exit code."""
    if (stage is None) == (site is None):
        raise UsageError("which site?", help="--site DIR, or --stage S in an output folder")
    allowed = _ANSWERS if what == "status" else _RUNS
    if format not in allowed or (plan and what == "status"):
        given = "--plan" if format in allowed else f"--format {format}"
        raise UsageError(f"{given} does not go with maintenance {what}", help=f"formats: {', '.join(allowed)}")
    output = output.resolve()
    if what == "status":
        return _status(Site(site.absolute() if site else stage_base(output, str(stage))), format)
    asked = asked_by_site(site) if site else asked_by_stage(output, str(stage))
    return _run(MaintenanceRequest(asked, what == "on", None if site else output), plan, format, turn)


def run_maintenance_on(
    output: Path, stage: str, plan_only: bool, format: str, parameters: Mapping[str, str], turn: Turn | None = None
) -> int:  # fmt: skip
    """The stage operation ``maintenance-on``."""
    output = output.resolve()
    request = MaintenanceRequest(asked_by_stage(output, stage, parameters), True, output)
    return _run(request, plan_only, format, turn)


def run_maintenance_off(
    output: Path, stage: str, plan_only: bool, format: str, parameters: Mapping[str, str], turn: Turn | None = None
) -> int:  # fmt: skip
    """The stage operation ``maintenance-off``."""
    output = output.resolve()
    request = MaintenanceRequest(asked_by_stage(output, stage, parameters), False, output)
    return _run(request, plan_only, format, turn)


def _run(request: MaintenanceRequest, plan_only: bool, format: str, turn: Turn | None) -> int:
    hands = RealHands(screen_for(format), turn=turn)
    if not plan_only:
        return switch_maintenance(request, hands)
    asked, plan = request.asked, plan_maintenance(request, hands)
    show_run_plan(request.action, asked.stage, str(asked.site.base), plan, asked.masker, format)
    return 0


def _status(site: Site, format: str) -> int:
    if format == "json":
        print(json.dumps({"site": str(site.base), "maintenance": maintenance_data(site, RealFiles())}))
        return 0
    found = maintained(site, RealFiles())
    print(f"{site.base}: in maintenance, {found.words}" if found else f"{site.base}: not in maintenance")
    return 0
