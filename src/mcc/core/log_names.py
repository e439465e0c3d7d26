"""Which log files the lines of a crontab add to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_ADDS = re.compile(r">>\s*(?:'([^']+)'|\"([^\"]+)\"|([^\s;|&<>'\"]+))")


def logs_added_to(lines: Iterable[str], logs: Path) -> tuple[Path, ...]:
    """The files right in ``logs`` that a shell would open behind ``>>``; crontab(5) has ``%`` with a backslash."""
    found = []
    for line in lines:
        for words in _ADDS.findall(line):
            path = Path(next(word for word in words if word).replace(r"\%", "%"))
            if path.parent == logs and path not in found:
                found.append(path)
    return tuple(found)
