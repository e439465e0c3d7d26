"""What goes on beside releases: maintenance, cron jobs, variables."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from mcc.cli.options import (
    Answer,
    AnswerFormat,
    Either,
    EitherFormat,
    Format,
    OutputOption,
    PlanOption,
    RunFormat,
    SiteOption,
    StageOption,
    WaitOption,
    told,
)
from mcc.cli.waiting import waiting


class Maintenance(enum.StrEnum):
    """What ``mcc maintenance`` does."""

    on = "on"
    off = "off"
    status = "status"


def maintenance(
    what: Annotated[Maintenance, typer.Argument(help="Begin it, end it, or say how it is.")],
    stage: StageOption = None,
    site: SiteOption = None,
    plan: PlanOption = False,
    format: EitherFormat = Either.auto,
    wait: WaitOption = 0,
    output: OutputOption = Path(),
) -> None:
    """Have the web server answer 503 and a page, or the site again; a deploy leaves that as it is."""
    from mcc.cli.commands.maintenance import run_maintenance

    words = (what.value, stage, site, output, plan, format.value)
    raise told(waiting(wait, lambda turn: run_maintenance(*words, turn)))


Restart = Annotated[bool, typer.Option("--restart", help="Restart the services, and wait until they are well.")]


def _group(name: str, text: str) -> typer.Typer:
    return typer.Typer(name=name, help=text, no_args_is_help=True, add_completion=False, rich_markup_mode=None)


cron = _group("cron", "The site's cron jobs, as they are installed.")
env = _group("env", "The site's variables, in its .env.")


def notify(
    stage: StageOption = None,
    site: SiteOption = None,
    test: Annotated[bool, typer.Option("--test", help="Send a test message to everybody whom NOTIFY names.")] = False,
    output: OutputOption = Path(),
) -> None:
    """Tell people of a backup that is late and of a run that lies dead; cron runs this once an hour."""
    from mcc.cli.commands.notify import run_notify

    raise told(run_notify(stage, site, output, test))


@cron.command("list", short_help="What is installed, and when it runs next.")
def cron_list(
    stage: StageOption = None,
    site: SiteOption = None,
    format: AnswerFormat = Answer.text,
) -> None:
    """The site's jobs in the crontab with their next times; lines of others that run something of the site."""
    from mcc.cli.commands.cron import run_cron_list

    raise told(run_cron_list(stage, site, format.value))


@cron.command("run", short_help="Run one job now, as cron would.")
def cron_run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A job, as mcc cron list names it.")],
    stage: StageOption = None,
    site: SiteOption = None,
) -> None:
    """Run an installed job now with cron's shell and variables; what it writes is shown and goes to its log."""
    from mcc.cli.commands.cron import run_cron_run

    raise told(run_cron_run(name, stage, site))


@env.command("list", short_help="Which variables there are.")
def env_list(
    show: Annotated[bool, typer.Option("--show", help="The values too.")] = False,
    stage: StageOption = None,
    site: SiteOption = None,
    format: AnswerFormat = Answer.text,
) -> None:
    """The names of the site's variables; their values only if they are asked for."""
    from mcc.cli.commands.env import run_env_list

    raise told(run_env_list(stage, site, show, format.value))


@env.command("set", short_help="Give a variable its value.")
def env_set(
    variables: Annotated[
        list[str] | None, typer.Argument(metavar="NAME[=VALUE]", help="Without =VALUE you are asked for it.")
    ] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read the value from standard input; without a NAME, lines NAME=VALUE.")
    ] = False,
    restart: Restart = False,
    stage: StageOption = None,
    site: SiteOption = None,
    wait: WaitOption = 0,
    format: RunFormat = Format.auto,
) -> None:
    """Give variables of the site their values; the rest of .env stays as it is."""
    from mcc.cli.commands.env import run_env_set

    raise typer.Exit(run_env_set(tuple(variables or ()), stdin, stage, site, restart, format.value, wait))


@env.command("unset", short_help="Take a variable out.")
def env_unset(
    variables: Annotated[list[str], typer.Argument(metavar="NAME", help="Which ones.")],
    restart: Restart = False,
    stage: StageOption = None,
    site: SiteOption = None,
    wait: WaitOption = 0,
    format: RunFormat = Format.auto,
) -> None:
    """Take variables out of the site's .env."""
    from mcc.cli.commands.env import run_env_unset

    names = tuple(variables)
    raise typer.Exit(waiting(wait, lambda turn: run_env_unset(names, stage, site, restart, format.value, turn)))
