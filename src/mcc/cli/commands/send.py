"""``mcc send``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.errors import UsageError
from mcc.operations.send import send


def run_send(site: Path, databases: Sequence[str]) -> int:
    """Copies to standard output, which must lead to a program."""
    if sys.stdout.isatty():
        raise UsageError("mcc send writes copies of databases, which no terminal can show", help="mcc clone runs it")
    send(site, databases, RealHands(screen_for("plain")), sys.stdout.buffer)
    sys.stdout.buffer.flush()
    return 0
