"""The jobs of a site that stand in a crontab, and what else in it speaks of the site."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mcc.core.cron.crontab import FLOCK, block_of, without_block
from mcc.core.cron.lines import command_and_input, marker_of, names_site, parts, variable, without_marker
from mcc.core.layout import Site

_INTO = re.compile(rb"(?<![0-9>])>>?(?!>)[ \t]*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class CronCall:
    """What cron gives to the shell. ``variables`` stand in the crontab above the job, and may be secret."""

    command: bytes
    stdin: bytes = b""
    variables: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class InstalledJob:
    """A line of a site's block. ``command`` is as it stands there; ``variables`` are those that cron sets for it."""

    name: str
    schedule: str
    command: bytes
    variables: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def log(self) -> Path | None:
        """The file that its output goes to, if the command says one by its whole path."""
        found = _INTO.search(self.command.replace(rb"\%", b"%"))
        word = _first_word(found[1].decode("utf-8", "surrogateescape")) if found else ""
        return Path(word) if word.startswith("/") else None

    @property
    def call(self) -> CronCall:
        """What cron makes of it."""
        command, stdin = command_and_input(self.command)
        return CronCall(command, stdin, dict(self.variables), self.log)

    @property
    def overlaps(self) -> bool:
        """Whether nothing keeps a run from beginning while the one before goes on."""
        return f"{FLOCK} -n ".encode() not in self.command


def installed_jobs(text: bytes, site: Site) -> tuple[InstalledJob, ...]:
    """The jobs of the site's block, in order, each with a name of its own."""
    block = block_of(text, site.base)
    if block is None:
        return ()
    above = [found for line in text[: text.index(block)].split(b"\n") if (found := variable(line))]
    jobs: list[InstalledJob] = []
    marker: bytes | None = None
    for line in block.split(b"\n")[1:-2]:
        if (job := parts(line)) is not None:
            name = _name(marker, job[1], site, {each.name for each in jobs})
            jobs.append(InstalledJob(name, *job, tuple(above)))
        marker = marker_of(line)
    return tuple(jobs)


def foreign_lines(text: bytes, site: Site) -> tuple[bytes, ...]:
    """Lines outside of the site's block that run something of the site."""
    lines = without_block(text, site.base).split(b"\n")
    return tuple(line.strip() for line in lines if (job := parts(line)) and names_site(job[1], site.base))


def _first_word(text: str) -> str:
    """The first word as a shell reads it; empty if a quote is open, as in a command of a command."""
    words = shlex.shlex(text, posix=True, punctuation_chars=True)
    words.whitespace_split, words.commenters = True, ""
    try:
        return words.get_token() or ""
    except ValueError:
        return ""


def _name(marker: bytes | None, command: bytes, site: Site, taken: set[str]) -> str:
    own = str(site.tool_command).encode("utf-8", "surrogateescape") + b" recover "
    given = marker or without_marker(command)[1] or (b"mcc-recover" if command.startswith(own) else b"job")
    name, number = given.decode("utf-8", "replace"), 1
    while name in taken:
        number += 1
        name = f"{given.decode('utf-8', 'replace')}-{number}"
    return name
