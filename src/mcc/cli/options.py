"""Options that several commands have."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import Annotated

import typer


class Format(enum.StrEnum):
    """How a run is shown."""

    auto = "auto"
    live = "live"
    plain = "plain"
    jsonl = "jsonl"


class Answer(enum.StrEnum):
    """How an answer is shown."""

    text = "text"
    json = "json"


class Either(enum.StrEnum):
    """How a command answers, or shows its run: what it does depends on its options."""

    auto = "auto"
    text = "text"
    json = "json"
    live = "live"
    plain = "plain"
    jsonl = "jsonl"


class Part(enum.StrEnum):
    """A part of what ``mcc provision`` sets up."""

    packages = "packages"
    folders = "folders"
    sudoers = "sudoers"
    units = "units"
    nginx = "nginx"
    logrotate = "logrotate"
    recovery = "recovery"


NeededStage = Annotated[str, typer.Option(metavar="STAGE", help="A stage of config.yml.")]
StageOption = Annotated[str | None, typer.Option(metavar="STAGE", help="A stage of config.yml in this folder.")]
NeededSite = Annotated[Path, typer.Option(metavar="DIR", help="The site: its REMOTE_BASE.")]
SiteOption = Annotated[Path | None, typer.Option(metavar="DIR", help="The site itself: its REMOTE_BASE.")]
OutputOption = Annotated[
    Path, typer.Option("--output", metavar="DIR", help="The folder that the build left.", show_default="here")
]
PlanOption = Annotated[bool, typer.Option("--plan", help="Show the steps, touch nothing.")]
WaitOption = Annotated[
    int, typer.Option(metavar="SECONDS", min=0, show_default=False, help="Wait so long if another run holds the site.")
]
RunFormat = Annotated[Format, typer.Option(help="live: terminal; plain: log; jsonl: programs.")]
AnswerFormat = Annotated[Answer, typer.Option(help="How to answer.")]
EitherFormat = Annotated[Either, typer.Option(help="text, json: answers; live, plain, jsonl: runs.")]
DatabasesOption = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Only this database: a domain, data.db, a schema.")
]


def told(code: int) -> typer.Exit:
    """The end of a command that answers: an answer that could not be written is a failure."""
    sys.stdout.flush()
    return typer.Exit(code)
