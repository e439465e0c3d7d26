"""Standard input, output and error of this process, whatever the caller made of them."""

from __future__ import annotations

import contextlib
import io
import os
import sys


def complete() -> None:
    """Make them fit for every text, and open those that the caller closed.

    The next file that is opened, a lock say, would take their place. And a letter that an encoding
    lacks (LC_ALL=C of an old cron, names of files that are no text) must not end a deploy half-way.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number (open(2))
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush() -> None:
    """Write what is buffered; a reader that went away, or a full disk behind them, is no failure."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()


def let_go() -> None:
    """The same, on the way out: what cannot be written would turn the exit code into 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
