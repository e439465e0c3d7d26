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


class Migrated(enum.StrEnum):
    """How ``mcc migrate`` answers, or shows its run."""

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


StageOption = Annotated[str | None, typer.Option(metavar="STAGE", help="A stage of config.yml in this folder.")]
SiteOption = Annotated[Path | None, typer.Option(metavar="DIR", help="The site itself: its REMOTE_BASE.")]


def told(code: int) -> typer.Exit:
    """The end of a command that answers: an answer that could not be written is a failure."""
    sys.stdout.flush()
    return typer.Exit(code)
