"""Releases: one comes live, what is live, the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mcc.cli.options import (
    Answer,
    AnswerFormat,
    Format,
    NeededSite,
    NeededStage,
    OutputOption,
    PlanOption,
    RunFormat,
    SiteOption,
    StageOption,
    WaitOption,
    told,
)
from mcc.cli.waiting import waiting


def deploy(
    stage: NeededStage,
    plan: Annotated[bool, typer.Option("--plan", help="Show the steps, read only, touch nothing.")] = False,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Do all before the migrations, undo it, say how long each step took.")
    ] = False,
    wait: WaitOption = 0,
    format: RunFormat = Format.auto,
    output: OutputOption = Path(),
    param: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A parameter for the operation that a stage is.")
    ] = None,
) -> None:
    """Bring the release in this folder live; a deploy that fails leaves the code as it was."""
    from mcc.host.early import ask_early

    early = ask_early(output)  # before what takes long to import
    from mcc.cli.commands.deploy import run_deploy

    words = (output, stage, plan, format.value, early, tuple(param or ()), rehearse)
    raise typer.Exit(waiting(wait, lambda turn: run_deploy(*words, turn)))


def status(
    stage: StageOption = None,
    site: SiteOption = None,
    format: AnswerFormat = Answer.text,
) -> None:
    """What is live since when, from which build; whether a run is under way or has died."""
    from mcc.cli.commands.status import show_status

    raise told(show_status(stage, site, format.value))


def releases(
    stage: StageOption = None,
    site: SiteOption = None,
    format: AnswerFormat = Answer.text,
) -> None:
    """The releases of a site and what became of them, newest last."""
    from mcc.cli.commands.status import show_releases

    raise told(show_releases(stage, site, format.value))


def rollback(
    stage: StageOption = None,
    site: SiteOption = None,
    to: Annotated[
        str | None, typer.Option(metavar="RELEASE", help="A release (mcc releases); if not given, the one before.")
    ] = None,
    mark_bad: Annotated[
        str | None, typer.Option(metavar="REASON", help="Never go back to what is live now, and say why.")
    ] = None,
    wait: WaitOption = 0,
    plan: PlanOption = False,
    format: RunFormat = Format.auto,
    output: OutputOption = Path(),
) -> None:
    """Bring a release live again that was live before, as a deploy does; databases stay as they are."""
    from mcc.cli.commands.rollback import Options, run_rollback

    raise typer.Exit(run_rollback(stage, site, output, Options(to, mark_bad, plan, wait, format.value)))


def freeze(
    reason: Annotated[list[str] | None, typer.Argument(metavar="[REASON]", help="Why, for those who ask.")] = None,
    stage: StageOption = None,
    site: SiteOption = None,
) -> None:
    """Have deploys refused until mcc unfreeze, with who froze the site, since when and why."""
    from mcc.cli.commands.freeze import run_freeze

    raise told(run_freeze(stage, site, " ".join(reason or ())))


def unfreeze(
    stage: StageOption = None,
    site: SiteOption = None,
) -> None:
    """Let a frozen site be deployed to again."""
    from mcc.cli.commands.freeze import run_unfreeze

    raise told(run_unfreeze(stage, site))


def leave(
    stage: StageOption = None,
    site: SiteOption = None,
    plan: PlanOption = False,
    wait: WaitOption = 0,
    format: RunFormat = Format.auto,
    output: OutputOption = Path(),
) -> None:
    """Give a site back to a script: a real environment, plain cron lines; links stay, .mcc is kept aside."""
    from mcc.cli.commands.leave import run_leave

    raise typer.Exit(waiting(wait, lambda turn: run_leave(stage, site, output, plan, format.value, turn)))


def recover(
    site: NeededSite,
    wait: WaitOption = 0,
    format: Annotated[Format, typer.Option(help="How to show what is done.")] = Format.auto,
    lock_descriptor: Annotated[int | None, typer.Option(hidden=True)] = None,
    drain: Annotated[str | None, typer.Option(hidden=True)] = None,
    drain_timeout: Annotated[float, typer.Option(hidden=True)] = 30.0,
) -> None:
    """Bring runs that died to their end: back before their commit, forward after it."""
    from mcc.cli.commands.recover import run_drain, run_recover

    if drain is not None:
        raise typer.Exit(run_drain(site, drain, drain_timeout))
    raise typer.Exit(waiting(wait, lambda turn: run_recover(site, format.value, lock_descriptor, turn)))
