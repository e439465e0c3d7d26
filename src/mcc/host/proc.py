"""What the kernel says of a process: proc_pid_stat(5)."""

from __future__ import annotations

from pathlib import Path

STATE, PARENT, GROUP, START_TIME = 0, 1, 2, 19
"""Places in the answer of :func:`stat_fields`. The start time counts clock ticks since the machine's boot."""


def stat_fields(pid: int) -> list[str]:
    """The fields behind the program's name, which may have blanks and brackets in it. Raises OSError."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
