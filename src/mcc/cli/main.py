"""The command line. Whatever a command needs is imported when it runs: ``--help`` stays quick."""

from __future__ import annotations

import enum
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcc.cli import groups
from mcc.cli.options import Answer, Format, Migrated, Part, SiteOption, StageOption
from mcc.cli.options import told as _told
from mcc.host import streams
from mcc.version import __version__

if TYPE_CHECKING:
    from mcc.errors import MccError

app = typer.Typer(
    name="mcc",
    help="Mission Control: brings a new release of a web application live, and knows the way back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 1 failed, the code is as it was; 2 nothing was started; 3 stuck; 4 site is held.",
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"mcc {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Options that stand before a command."""


@app.command(short_help="Write what a project lacks to be deployed.")
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

    raise _told(run_init(folder, Said(name, host, user, base, tuple(domain or ()), database, yes)))


@app.command(short_help="All that would stop a deploy, before it does.")
def check(
    stage: Annotated[
        str | None, typer.Option(metavar="STAGE", help="Look at this machine, too: it is this stage's server.")
    ] = None,
    site: Annotated[Path | None, typer.Option(metavar="DIR", help="A site by itself: its REMOTE_BASE.")] = None,
    format: Annotated[Answer, typer.Option(help="How to answer.")] = Answer.text,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="A project, or what a build left.", show_default="here")
    ] = Path(),
) -> None:
    """Look at a project, an output folder or a server, and say what would stop a deploy; nothing is changed."""
    from mcc.host.early import ask_early

    early = ask_early(output) if stage else None
    from mcc.cli.commands.check import run_check

    raise _told(run_check(stage, site, output, format.value, early))


@app.command(short_help="Bring the release in this folder live.")
def deploy(
    stage: Annotated[str, typer.Option(metavar="STAGE", help="A stage of config.yml.")],
    plan: Annotated[bool, typer.Option("--plan", help="Show the steps, read only, touch nothing.")] = False,
    format: Annotated[Format, typer.Option(help="live: terminal; plain: log; jsonl: programs.")] = Format.auto,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="The folder that the build left.", show_default="here")
    ] = Path(),
    param: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A parameter for the operation that a stage is.")
    ] = None,
) -> None:
    """Bring the release in this folder live; a deploy that fails leaves the code as it was."""
    from mcc.host.early import ask_early

    early = ask_early(output)  # before what takes long to import
    from mcc.cli.commands.deploy import run_deploy

    raise typer.Exit(run_deploy(output, stage, plan, format.value, early, tuple(param or ())))


@app.command(short_help="Databases: what they have had, and the rest of it.")
def migrate(
    stage: Annotated[str, typer.Option(metavar="STAGE", help="A stage of config.yml.")],
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
    database: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this database: a domain, data.db, a schema.")
    ] = None,
    format: Annotated[Migrated, typer.Option(help="text, json: answers; live, plain, jsonl: runs.")] = Migrated.auto,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="The folder that the build left.", show_default="here")
    ] = Path(),
) -> None:
    """What the databases of a stage have had; their pending migrations; with the code of a deploy."""
    from mcc.cli.commands.migrate import Asked, run_migrate

    names = (tuple(accept or ()), tuple(allow_late or ()), tuple(database or ()))
    asked = Asked(status, plan, apply, baseline, *names, format.value)
    raise typer.Exit(run_migrate(output, stage, asked))


@app.command(short_help="Verified copies of the databases; what there is.")
def backup(
    stage: StageOption = None,
    site: SiteOption = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show the steps, touch nothing.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="The sets that there are: age, size, databases.")] = False,
    verify: Annotated[
        str | None, typer.Option(metavar="SET", help="Read a set back (all: every one; newest: the newest).")
    ] = None,
    database: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this database: a domain, data.db, a schema.")
    ] = None,
    format: Annotated[Migrated, typer.Option(help="text, json: answers; live, plain, jsonl: runs.")] = Migrated.auto,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="The folder that the build left.", show_default="here")
    ] = Path(),
) -> None:
    """Copy the databases while they are in use, read each copy back, let go what the calendar does not keep."""
    from mcc.cli.commands.backup import Options, run_backup

    raise typer.Exit(run_backup(stage, site, output, Options(plan, list_, verify, tuple(database or ()), format.value)))


@app.command(short_help="Databases become what copies of them are.")
def restore(
    stage: StageOption = None,
    site: SiteOption = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="SET", help="A set (mcc backup --list); if not given, the newest good copies."),
    ] = None,
    database: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this database: a domain, data.db, a schema.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show the steps, touch nothing.")] = False,
    format: Annotated[Format, typer.Option(help="live: terminal; plain: log; jsonl: programs.")] = Format.auto,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="The folder that the build left.", show_default="here")
    ] = Path(),
) -> None:
    """Make databases what verified copies of them are; what they hold now is kept first."""
    from mcc.cli.commands.restore import run_restore

    raise typer.Exit(run_restore(stage, site, output, from_, tuple(database or ()), plan, format.value))


@app.command(short_help="One site's data, brought to another site.")
def clone(
    stage: Annotated[str, typer.Option(metavar="STAGE", help="A stage of config.yml that is a clone.")],
    confirm: Annotated[
        str | None, typer.Option(metavar="NAME", help="The name of a protected target, typed on purpose.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show the steps, touch nothing.")] = False,
    format: Annotated[Format, typer.Option(help="live: terminal; plain: log; jsonl: programs.")] = Format.auto,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="The folder that the build left.", show_default="here")
    ] = Path(),
) -> None:
    """Bring what a source's databases hold to a target; the source is only read, the target's data is kept first."""
    from mcc.cli.commands.clone import run_clone

    raise typer.Exit(run_clone(output, stage, confirm, plan, format.value))


@app.command(short_help="Copies of a site's databases, for a clone on another server.")
def send(
    site: Annotated[Path, typer.Option(metavar="DIR", help="The site: its REMOTE_BASE.")],
    database: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this database: a domain, data.db, a schema.")
    ] = None,
) -> None:
    """Write verified copies of a site's databases to standard output; mcc clone runs this over ssh."""
    from mcc.cli.commands.send import run_send

    raise typer.Exit(run_send(site, tuple(database or ())))


class Maintenance(enum.StrEnum):
    """What ``mcc maintenance`` does."""

    on = "on"
    off = "off"
    status = "status"


@app.command(short_help="Send visitors to a page while the site rests.")
def maintenance(
    what: Annotated[Maintenance, typer.Argument(help="Begin it, end it, or say how it is.")],
    stage: StageOption = None,
    site: SiteOption = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show the steps, touch nothing.")] = False,
    format: Annotated[Migrated, typer.Option(help="text, json: answers; live, plain, jsonl: runs.")] = Migrated.auto,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="The folder that the build left.", show_default="here")
    ] = Path(),
) -> None:
    """Have the web server answer 503 and a page, or the site again; a deploy leaves that as it is."""
    from mcc.cli.commands.maintenance import run_maintenance

    raise _told(run_maintenance(what.value, stage, site, output, plan, format.value))


@app.command(short_help="What is live, since when, from which build.")
def status(
    stage: StageOption = None,
    site: SiteOption = None,
    format: Annotated[Answer, typer.Option(help="How to answer.")] = Answer.text,
) -> None:
    """What is live since when, from which build; whether a run is under way or has died."""
    from mcc.cli.commands.status import show_status

    raise _told(show_status(stage, site, format.value))


@app.command(short_help="All releases of a site.")
def releases(
    stage: StageOption = None,
    site: SiteOption = None,
    format: Annotated[Answer, typer.Option(help="How to answer.")] = Answer.text,
) -> None:
    """The releases of a site and what became of them, newest last."""
    from mcc.cli.commands.status import show_releases

    raise _told(show_releases(stage, site, format.value))


@app.command(short_help="Back to a release that was live before.")
def rollback(
    stage: StageOption = None,
    site: SiteOption = None,
    to: Annotated[
        str | None, typer.Option(metavar="RELEASE", help="A release (mcc releases); if not given, the one before.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show the steps, touch nothing.")] = False,
    format: Annotated[Format, typer.Option(help="live: terminal; plain: log; jsonl: programs.")] = Format.auto,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="The folder that the build left.", show_default="here")
    ] = Path(),
) -> None:
    """Bring a release live again that was live before, as a deploy does; databases stay as they are."""
    from mcc.cli.commands.rollback import run_rollback

    raise typer.Exit(run_rollback(stage, site, output, to, plan, format.value))


@app.command(short_help="The site back to the script it came from.")
def leave(
    stage: StageOption = None,
    site: SiteOption = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show the steps, touch nothing.")] = False,
    format: Annotated[Format, typer.Option(help="live: terminal; plain: log; jsonl: programs.")] = Format.auto,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="The folder that the build left.", show_default="here")
    ] = Path(),
) -> None:
    """Give a site back to a script: a real environment, plain cron lines; links stay, .mcc is kept aside."""
    from mcc.cli.commands.leave import run_leave

    raise typer.Exit(run_leave(stage, site, output, plan, format.value))


@app.command(short_help="End runs that died: undo or finish them.")
def recover(
    site: Annotated[Path, typer.Option(metavar="DIR", help="The site: its REMOTE_BASE.")],
    format: Annotated[Format, typer.Option(help="How to show what is done.")] = Format.auto,
    lock_descriptor: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Bring runs that died to their end: back before their commit, forward after it."""
    from mcc.cli.commands.recover import run_recover

    raise typer.Exit(run_recover(site, format.value, lock_descriptor))


@app.command(short_help="What only root may set up, as files and as a script.")
def provision(
    stage: Annotated[str, typer.Option(metavar="STAGE", help="A stage of config.yml.")],
    script: Annotated[bool, typer.Option("--script", help="Print the one shell script that root runs.")] = False,
    files: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the files as a tree into this folder.")
    ] = None,
    only: Annotated[list[Part] | None, typer.Option(help="Only this part; may be given several times.")] = None,
    import_: Annotated[
        bool, typer.Option("--import", help="Show what is installed already, as keys of the conf and as templates.")
    ] = False,
    format: Annotated[Answer, typer.Option(help="How to answer.")] = Answer.text,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="The folder that the build left.", show_default="here")
    ] = Path(),
) -> None:
    """Show what only root may set up for a site, beside what this machine has; nothing is changed."""
    from mcc.cli.commands.provision import run_import, run_provision

    if import_:
        raise _told(run_import(output, stage, files, format.value))
    parts = tuple(part.value for part in only or ())
    raise _told(run_provision(output, stage, parts, script, files, format.value))


@app.command(short_help="The JSON Schema of the files you write.")
def schema(
    file: Annotated[str, typer.Argument(metavar="[config|conf]", help="Which file's schema.")] = "conf",
) -> None:
    """The JSON Schema of config.yml or conf-STAGE.yml, for editors."""
    from mcc.cli.commands.schema import show_schema

    raise _told(show_schema(file))


@app.command(short_help="Watch a sample application being deployed.")
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the demo's folder for a look around.")] = False,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to work; a temporary folder if not given.")
    ] = None,
) -> None:
    """Deploy a sample application under load, beside the usual script, and show what visitors got."""
    from mcc.cli.commands.demo import run_demo

    raise typer.Exit(run_demo(keep, folder))


app.add_typer(groups.cron, name="cron", short_help="Cron jobs: what is installed; run one now.")
app.add_typer(groups.env, name="env", short_help="Variables and secrets of a site.")


def main() -> None:
    """``mcc``: errors that mcc understands become one message and an exit code."""
    _run(app)


def run_as_script() -> None:
    """``mcc_deploy.py``: the deploy command alone."""
    script = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    script.command(context_settings={"help_option_names": ["-h", "--help"]})(deploy)
    _run(script)


def _run(program: typer.Typer) -> None:
    from mcc.errors import MccError, SiteError

    streams.complete()
    try:
        program()
    except MccError as error:
        _end_with(error)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(1)
    except OSError as error:
        # What a run meets is its own business: this one came before it, or from a command that only looks.
        place = f": {error.filename}" if error.filename else ""
        _end_with(SiteError(f"{error.strerror or error}{place}"))
    finally:
        streams.let_go()
        gc.freeze()  # nothing is collected on the way out: the last collections cost more than some commands


def _end_with(error: MccError) -> None:
    from mcc.cli.screens.errors import show_error

    show_error(error)
    sys.exit(error.exit_code)
