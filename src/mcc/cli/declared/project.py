"""Around a project and its server: what is missing, what would stop a deploy, what root sets up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mcc.cli.options import Answer, AnswerFormat, NeededStage, OutputOption, Part, told


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The project.", show_default="here")] = Path(),
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: what is not said here gets its default.")] = False,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The application's (the project's).")] = None,
    host: Annotated[str | None, typer.Option(metavar="HOST", help="The server.")] = None,
    user: Annotated[str | None, typer.Option(metavar="USER", help="The user who deploys there (deploy).")] = None,
    base: Annotated[str | None, typer.Option(metavar="DIR", help="Where sites are on it (/home/USER/live).")] = None,
    domain: Annotated[list[str] | None, typer.Option(metavar="DOMAIN", help="A domain; may be repeated.")] = None,
    database: Annotated[
        str | None, typer.Option(metavar="KIND", help="sqlite, postgresql, none (found in the project).")
    ] = None,
) -> None:
    """Look at a project and write the files that it lacks; what is there is never overwritten."""
    from mcc.cli.commands.init import Said, run_init

    raise told(run_init(folder, Said(name, host, user, base, tuple(domain or ()), database, yes)))


def check(
    stage: Annotated[
        str | None, typer.Option(metavar="STAGE", help="Look at this machine, too: it is this stage's server.")
    ] = None,
    site: Annotated[Path | None, typer.Option(metavar="DIR", help="A site by itself: its REMOTE_BASE.")] = None,
    format: AnswerFormat = Answer.text,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="A project, or what a build left.", show_default="here")
    ] = Path(),
) -> None:
    """Look at a project, an output folder or a server, and say what would stop a deploy; nothing is changed."""
    from mcc.host.early import ask_early

    early = ask_early(output) if stage else None
    from mcc.cli.commands.check import run_check

    raise told(run_check(stage, site, output, format.value, early))


def provision(
    stage: NeededStage,
    script: Annotated[bool, typer.Option("--script", help="Print the one shell script that root runs.")] = False,
    files: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the files as a tree into this folder.")
    ] = None,
    only: Annotated[list[Part] | None, typer.Option(help="Only this part; may be given several times.")] = None,
    import_: Annotated[
        bool, typer.Option("--import", help="Show what is installed already, as keys of the conf and as templates.")
    ] = False,
    format: AnswerFormat = Answer.text,
    output: OutputOption = Path(),
) -> None:
    """Show what only root may set up for a site, beside what this machine has; nothing is changed."""
    from mcc.cli.commands.provision import run_import, run_provision

    if import_:
        raise told(run_import(output, stage, files, format.value))
    parts = tuple(part.value for part in only or ())
    raise told(run_provision(output, stage, parts, script, files, format.value))


def schema(
    file: Annotated[str, typer.Argument(metavar="[config|conf]", help="Which file's schema.")] = "conf",
) -> None:
    """The JSON Schema of config.yml or conf-STAGE.yml, for editors."""
    from mcc.cli.commands.schema import show_schema

    raise told(show_schema(file))


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the demo's folder for a look around.")] = False,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to work; a temporary folder if not given.")
    ] = None,
) -> None:
    """Deploy a sample application under load, beside the usual script, and show what visitors got."""
    from mcc.cli.commands.demo import run_demo

    raise typer.Exit(run_demo(keep, folder))
