"""``mcc init``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import typer

from mcc.cli.screens.init import show_begun, show_project
from mcc.core.conf import checks
from mcc.core.conf.hostnames import domain
from mcc.core.conf.unfit import Unfit
from mcc.errors import UsageError
from mcc.host.commands import RealCommands
from mcc.host.files import RealFiles
from mcc.init.look import look_at_project
from mcc.init.own import Existing, look_at_own
from mcc.init.project import begin, needs_answers
from mcc.model.project import Answers, Project

T = TypeVar("T")
_HOST = "server.example.com"
_USER = "deploy"


@dataclass(frozen=True, slots=True)
class Said:
    """What the command line answers already; None is asked for, or gets its default with ``yes``."""

    name: str | None
    host: str | None
    user: str | None
    base: str | None
    domains: tuple[str, ...]
    database: str | None
    yes: bool


def run_init(folder: Path, said: Said) -> int:
    """Look, ask, write, tell; the answer is the exit code."""
    files = RealFiles()
    project = look_at_project(folder.resolve(), files, RealCommands())
    if not project.app and not project.front:
        raise UsageError(
            f"{project.folder} holds no application that mcc knows: no FastAPI() in a Python file, no index.html",
            help="is it the folder of the project? mcc init takes it as its argument",
        )
    _answers(project, said, ask=False)  # what is wrong in them is said before anything else
    show_project(project)
    existing = look_at_own(project, files)
    asked = needs_answers(existing, project, files)
    answers = _answers(project, said, ask=asked and not said.yes and sys.stdin.isatty())
    begun = begin(project, answers, existing, files)
    show_begun(begun, _next_stage(existing))
    return 0


def _next_stage(existing: Existing) -> str:
    return existing.config.stages[0].name if existing.config and existing.config.stages else "prod"


def _answers(project: Project, said: Said, ask: bool) -> Answers:
    name = _one("name of the application", said.name, project.name, checks.plain_name, ask)
    host = _one("server", said.host, _HOST, lambda text: checks.text(text, "the name of a server"), ask)
    user = _one("user who deploys there", said.user, _USER, checks.user_name, ask)
    domains = _domains(said, ask)
    base = _checked(said.base or f"/home/{user}/live", checks.remote_base, "--base")
    kind = checks.one_of("sqlite", "postgresql", "none")
    database = _one("database (sqlite, postgresql, none)", said.database, project.database, kind, ask)
    return Answers(name, host, user, base, domains, database)  # type: ignore[arg-type]


def _domains(said: Said, ask: bool) -> tuple[str, ...]:
    if said.domains or not ask:
        return tuple(_checked(each, domain, f"--domain {each}") for each in said.domains)
    return _asked("domains, with commas between them (none: leave it empty)", "", _many_domains)


def _many_domains(text: object) -> tuple[str, ...]:
    return tuple(domain(each) for each in str(text).replace(",", " ").split())


def _one(what: str, said: str | None, default: str, check: Callable[[object], str], ask: bool) -> str:
    if said is not None:
        return _checked(said, check, what)
    return _asked(what, default, check) if ask else default


def _checked(value: str, check: Callable[[object], T], what: str) -> T:
    try:
        return check(value)
    except Unfit as error:
        raise UsageError(f"{what}: {error.message}", help=error.help) from None


def _asked(what: str, default: str, check: Callable[[object], T]) -> T:
    while True:
        text = typer.prompt(f"  {what}", default=default, show_default=bool(default))
        try:
            return check(text)
        except Unfit as error:
            typer.echo(f"  {error.message}{f' ({error.help})' if error.help else ''}")
