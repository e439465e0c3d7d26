"""``mcc migrate``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.cli.screens.migrations import show_plan, show_status
from mcc.deploy.migrate import Wish, accept, apply, baseline, look_at
from mcc.deploy.request import read_request
from mcc.errors import UsageError
from mcc.host.turn import Turn

_OF_AN_ANSWER = ("auto", "text", "json")
_OF_A_RUN = ("auto", "live", "plain", "jsonl")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options say; at most one of them says what is to be done."""

    status: bool
    plan: bool
    apply: bool
    baseline: str | None
    accept: Sequence[str]
    late: Sequence[str]
    databases: Sequence[str]
    format: str


def run_migrate(output: Path, stage: str, asked: Asked, turn: Turn | None = None) -> int:
    """Answer or do what is asked; the exit code."""
    what = _what(asked)
    _check(asked, what)
    request = read_request(output.resolve(), stage)
    wish = Wish(asked.databases, asked.late)
    hands = RealHands(screen_for("plain" if asked.format in ("text", "json") else asked.format), turn=turn)
    if what == "apply":
        return apply(request, hands, wish)
    if what == "baseline":
        return baseline(request, hands, wish, str(asked.baseline))
    if what == "accept":
        return accept(request, hands, wish, asked.accept)
    planned = look_at(request, hands, wish)
    if what == "plan":
        show_plan(request, planned, asked.late, asked.format)
    else:
        show_status(request, planned, asked.format)
    return 0


def _what(asked: Asked) -> str:
    given = {
        "status": asked.status,
        "plan": asked.plan,
        "apply": asked.apply,
        "baseline": asked.baseline is not None,
        "accept": bool(asked.accept),
    }
    chosen = [name for name, there in given.items() if there]
    if len(chosen) > 1:
        raise UsageError(f"--{' and --'.join(chosen)} cannot be asked for together", help="one after the other")
    return chosen[0] if chosen else "status"


def _check(asked: Asked, what: str) -> None:
    answers = what in ("status", "plan")
    allowed = _OF_AN_ANSWER if answers else _OF_A_RUN
    if asked.format not in allowed:
        raise UsageError(f"--format {asked.format} does not go with --{what}", help=f"allowed: {', '.join(allowed)}")
    if asked.late and what not in ("apply", "plan"):
        raise UsageError("--allow-late goes with --apply and --plan")
