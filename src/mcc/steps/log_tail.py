"""What log files gained while something happened: the deploy user cannot read the journal."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from mcc.host.ports import Host


def log_sizes(host: Host, logs: Path) -> dict[str, int]:
    """The size of each log file, to know later what it gained.

    A log is a help and no condition: a folder that cannot be read, or that a stranger's link has taken the place
    of, has none.
    """
    sizes = {}
    with contextlib.suppress(OSError):
        for name in host.files.names(logs):
            with contextlib.suppress(OSError):  # removed between two looks
                if _is_log(host, logs / name):
                    sizes[name] = host.files.size(logs / name)
    return sizes


def log_gains(
    host: Host, logs: Path, before: Mapping[str, int], lines: int = 15, shown: Sequence[str] = ()
) -> list[str]:
    """The last lines that log files have gained, but for those that are ``shown`` already.

    Nothing is followed through a link.
    """
    found: list[str] = []
    for name, size in log_sizes(host, logs).items():
        start = before.get(name, 0)
        if size <= start:
            continue
        try:
            text = host.files.read(logs / name, 65536, max(start, size - 65536)).decode("utf-8", "replace")
        except OSError:
            continue  # a log that only the service may read
        gained = [line for line in text.splitlines()[-lines:] if line not in shown]
        found += [f"--- {logs / name}", *gained] if gained else []
    return found


def _is_log(host: Host, path: Path) -> bool:
    return host.files.kind(path) == "file"
