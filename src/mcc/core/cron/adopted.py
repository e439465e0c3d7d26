"""The cron jobs that a script left, as one list without doubles."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from mcc.core.cron.crontab import without_block


def taken_over(before: bytes, after: bytes, site: Path) -> bytes:
    """The lines outside of the site's block that ``after`` has no more, each once, as they stood last.

    A script adds its lines again with every deploy, and takes only the older marker away: the last marker stands
    right before the last line of its job.
    """
    lines = _lines(before, site)
    gone = Counter(lines) - Counter(_lines(after, site))
    newest_first = dict.fromkeys(line for line in reversed(lines) if line in gone)
    return b"".join(line + b"\n" for line in reversed(newest_first))


def _lines(text: bytes, site: Path) -> list[bytes]:
    return [line.rstrip() for line in without_block(text, site).split(b"\n") if line.strip()]
