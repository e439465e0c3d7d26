"""Databases: brought forward, copied, put back, brought elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mcc.cli.options import (
    DatabasesOption,
    Either,
    EitherFormat,
    Format,
    NeededSite,
    NeededStage,
    OutputOption,
    PlanOption,
    RunFormat,
    SiteOption,
    StageOption,
    WaitOption,
)
from mcc.cli.waiting import waiting


def migrate(
    stage: NeededStage,
    status: Annotated[bool, typer.Option("--status", help="What is applied, what is pending: the default.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Show the SQL that would run, touch nothing.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Run what is pending.")] = False,
    baseline: Annotated[
        str | None, typer.Option(metavar="NAME", help="Record all files up to this one where nothing is recorded.")
    ] = None,
    accept: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Take this file, changed after it ran, as it is now.")
    ] = None,
    allow_late: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Let this file run behind files that sort after it.")
    ] = None,
    database: DatabasesOption = None,
    format: EitherFormat = Either.auto,
    wait: WaitOption = 0,
    output: OutputOption = Path(),
) -> None:
    """What the databases of a stage have had; their pending migrations; with the code of a deploy."""
    from mcc.cli.commands.migrate import Asked, run_migrate

    names = (tuple(accept or ()), tuple(allow_late or ()), tuple(database or ()))
    asked = Asked(status, plan, apply, baseline, *names, format.value)
    raise typer.Exit(waiting(wait, lambda turn: run_migrate(output, stage, asked, turn)))


def backup(
    stage: StageOption = None,
    site: SiteOption = None,
    plan: PlanOption = False,
    list_: Annotated[bool, typer.Option("--list", help="The sets that there are: age, size, databases.")] = False,
    verify: Annotated[
        str | None, typer.Option(metavar="SET", help="Read a set back (all: every one; newest: the newest).")
    ] = None,
    database: DatabasesOption = None,
    format: EitherFormat = Either.auto,
    wait: WaitOption = 0,
    output: OutputOption = Path(),
) -> None:
    """Copy the databases while they are in use, read each copy back, let go what the calendar does not keep."""
    from mcc.cli.commands.backup import Options, run_backup

    options = Options(plan, list_, verify, tuple(database or ()), format.value)
    raise typer.Exit(waiting(wait, lambda turn: run_backup(stage, site, output, options, turn)))


def restore(
    stage: StageOption = None,
    site: SiteOption = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="SET", help="A set (mcc backup --list); if not given, the newest good copies."),
    ] = None,
    database: DatabasesOption = None,
    plan: PlanOption = False,
    format: RunFormat = Format.auto,
    wait: WaitOption = 0,
    output: OutputOption = Path(),
) -> None:
    """Make databases what verified copies of them are; what they hold now is kept first."""
    from mcc.cli.commands.restore import run_restore

    names = tuple(database or ())
    code = waiting(wait, lambda turn: run_restore(stage, site, output, from_, names, plan, format.value, turn))
    raise typer.Exit(code)


def clone(
    stage: Annotated[str, typer.Option(metavar="STAGE", help="A stage of config.yml that is a clone.")],
    confirm: Annotated[
        str | None, typer.Option(metavar="NAME", help="The name of a protected target, typed on purpose.")
    ] = None,
    plan: PlanOption = False,
    format: RunFormat = Format.auto,
    wait: WaitOption = 0,
    output: OutputOption = Path(),
) -> None:
    """Bring what a source's databases hold to a target; the source is only read, the target's data is kept first."""
    from mcc.cli.commands.clone import run_clone

    raise typer.Exit(waiting(wait, lambda turn: run_clone(output, stage, confirm, plan, format.value, turn)))


def send(
    site: NeededSite,
    database: DatabasesOption = None,
) -> None:
    """Write verified copies of a site's databases to standard output; mcc clone runs this over ssh."""
    from mcc.cli.commands.send import run_send

    raise typer.Exit(run_send(site, tuple(database or ())))
