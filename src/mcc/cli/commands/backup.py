"""``mcc backup``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcc.cli.hands import RealHands
from mcc.cli.screens.backups import show_list, show_verified
from mcc.cli.screens.choose import screen_for
from mcc.cli.screens.run_plan import show_run_plan
from mcc.core.stages import names_in
from mcc.errors import UsageError
from mcc.host.turn import Turn
from mcc.operations.backup import back_up, plan_backup
from mcc.operations.backup_look import chosen, sets, verify
from mcc.operations.site import Asked, asked_by_site, asked_by_stage

_OF_AN_ANSWER = ("auto", "text", "json")
_OF_A_RUN = ("auto", "live", "plain", "jsonl")


@dataclass(frozen=True, slots=True)
class Options:
    """What the options say; at most one of ``plan``, ``list`` and ``verify``."""

    plan: bool = False
    list: bool = False
    verify: str | None = None
    databases: Sequence[str] = ()
    format: str = "auto"


def run_backup(
    stage: str | None, site: Path | None, output: Path, options: Options, turn: Turn | None = None
) -> int:  # fmt: skip
    """Copy, or answer; the exit code. ``--verify`` has 1 for a copy that is not good."""
    _check(options)
    if (stage is None) == (site is None):
        raise UsageError("which site?", help="--site DIR, or --stage S in an output folder")
    asked = asked_by_site(site) if site else asked_by_stage(output.resolve(), str(stage))
    if options.list:
        return _list(asked, options)
    if options.verify is not None:
        return _verify(asked, options)
    return _run(asked, options, turn)


def run_backup_stage(
    output: Path, stage: str, plan_only: bool, format: str, parameters: Mapping[str, str], turn: Turn | None = None
) -> int:  # fmt: skip
    """The stage operation ``db-backup``."""
    asked = asked_by_stage(output.resolve(), stage, parameters)
    names = names_in(asked.parameters.get("databases"))
    return _run(asked, Options(plan=plan_only, databases=names, format=format), turn)


def _run(asked: Asked, options: Options, turn: Turn | None) -> int:
    hands = RealHands(screen_for(options.format), turn=turn)
    if not options.plan:
        return back_up(asked, options.databases, hands)
    plan = plan_backup(asked, options.databases, hands)
    show_run_plan("backup", asked.stage, str(asked.site.base), plan, asked.masker, options.format)
    return 0


def _list(asked: Asked, options: Options) -> int:
    host = RealHands(screen_for("plain")).host(asked.site, asked.conf.services)
    show_list(sets(asked, host, options.databases), host, options.databases, options.format)
    return 0


def _verify(asked: Asked, options: Options) -> int:
    host = RealHands(screen_for("plain")).host(asked.site, asked.conf.services)
    found = chosen(sets(asked, host, options.databases), options.verify or "")
    good = verify(found, asked, host, options.databases, lambda each: show_verified(each, options.format))
    return 0 if good else 1


def _check(options: Options) -> None:
    given = {"plan": options.plan, "list": options.list, "verify": options.verify is not None}
    asked = [name for name, there in given.items() if there]
    if len(asked) > 1:
        raise UsageError(f"--{' and --'.join(asked)} cannot be asked for together", help="one after the other")
    answers = options.list or options.verify is not None
    allowed = _OF_AN_ANSWER if answers else _OF_A_RUN
    if options.format not in allowed:
        what = f"with --{asked[0]}" if asked else "with a backup"
        raise UsageError(f"--format {options.format} does not go {what}", help=f"allowed: {', '.join(allowed)}")
