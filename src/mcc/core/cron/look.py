"""Whether a crontab holds the jobs of a site once, and where they belong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mcc.core.cron.crontab import block_of, parts, without_block
from mcc.core.looks.findings import Finding, warning

_BEGIN = re.compile(rb"^# BEGIN mcc (/.*?)[ \t]*$", re.MULTILINE)


def sites_in(text: bytes) -> tuple[Path, ...]:
    """The sites that have a block in a crontab."""
    return tuple(Path(name.decode("utf-8", "surrogateescape")) for name in _BEGIN.findall(text))


def judge(text: bytes, site: Path, wanted: bool) -> Iterator[Finding]:
    """Lines that run twice, or beside the block; ``wanted``: a block should be there."""
    block = block_of(text, site)
    if block is None and wanted:
        message = "there is no block of this site: its jobs do not run, and a deploy is not recovered after a reboot"
        yield warning("crontab.block", "crontab", message, "deploy again, or: mcc rollback to the live release")
    inside, outside = _commands(block or b""), _commands(without_block(text, site))
    twice = {command for command in inside if inside.count(command) > 1}
    twice |= {
        command for command in outside if command in inside or (_names(command, site) and outside.count(command) > 1)
    }
    for command in sorted(twice):
        help = "crontab -e: leave the line in the block between BEGIN mcc and END mcc, take the other out"
        help = help if block else "the first deploy takes over what its own jobs do; crontab -e for all else"
        yield warning("crontab.double", "crontab", f"it runs twice: {_shown(command)}", help)
    beside = [command for command in dict.fromkeys(outside) if _names(command, site) and command not in twice]
    for command in beside:
        help = "crontab -e: take it out, or write it into CRON_JOBS; a deploy and a rollback leave it as it is"
        yield warning("crontab.beside", "crontab", f"it runs beside the block of this site: {_shown(command)}", help)


def _commands(text: bytes) -> list[bytes]:
    return [found[1].strip() for line in text.split(b"\n") if (found := parts(line))]


def _names(command: bytes, site: Path) -> bool:
    """Whether a command speaks of the site, by whole names of its path."""
    path = re.escape(str(site).encode("utf-8", "surrogateescape"))
    return re.search(rb"(?<![\w./-])" + path + rb"(?![\w.-])", command) is not None


def _shown(command: bytes) -> str:
    text = command.decode("utf-8", "replace")
    return text if len(text) <= 120 else text[:117] + "..."
