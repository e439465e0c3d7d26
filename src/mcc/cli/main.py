"""The command line. Whatever a command needs is imported when it runs: ``--help`` stays quick."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from mcc.cli.declared import data, project, releases, service
from mcc.host import streams
from mcc.version import __version__

if TYPE_CHECKING:
    from mcc.errors import MccError


class _InOrder(TyperGroup):
    """Lists the commands as people meet them; typer alone puts those with commands of their own last."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: self.commands[name] for name in _names() if name in self.commands}


app = typer.Typer(
    name="mcc",
    cls=_InOrder,
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


# In the order in which a person meets them.
_COMMANDS: tuple[tuple[Callable[..., None] | typer.Typer, str], ...] = (
    (project.init, "Write what a project lacks to be deployed."),
    (project.check, "All that would stop a deploy, before it does."),
    (project.provision, "What only root may set up, as files and as a script."),
    (releases.deploy, "Bring the release in this folder live."),
    (releases.rollback, "Back to a release that was live before."),
    (releases.status, "What is live, since when, from which build."),
    (releases.releases, "All releases of a site."),
    (releases.freeze, "Have deploys refused for a while, with a reason."),
    (releases.unfreeze, "Let a frozen site be deployed to again."),
    (releases.recover, "End runs that died: undo or finish them."),
    (releases.leave, "The site back to the script it came from."),
    (data.migrate, "Databases: what they have had, and the rest of it."),
    (data.backup, "Verified copies of the databases; what there is."),
    (data.restore, "Databases become what copies of them are."),
    (data.clone, "One site's data, brought to another site."),
    (data.send, "Copies of a site's databases, for a clone on another server."),
    (service.maintenance, "Send visitors to a page while the site rests."),
    (service.notify, "Tell people what is the matter; send a test message."),
    (service.cron, "Cron jobs: what is installed; run one now."),
    (service.env, "Variables and secrets of a site."),
    (project.schema, "The JSON Schema of the files you write."),
    (project.demo, "Watch a sample application being deployed."),
)
for _command, _short_help in _COMMANDS:
    if isinstance(_command, typer.Typer):
        app.add_typer(_command, short_help=_short_help)
    else:
        app.command(short_help=_short_help)(_command)


def _names() -> list[str]:
    return [str(each.info.name) if isinstance(each, typer.Typer) else each.__name__ for each, _ in _COMMANDS]


def main() -> None:
    """``mcc``: errors that mcc understands become one message and an exit code."""
    _run(app)


def run_as_script() -> None:
    """``mcc_deploy.py``: the deploy command alone."""
    script = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    script.command(context_settings={"help_option_names": ["-h", "--help"]})(releases.deploy)
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
