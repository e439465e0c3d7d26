"""``--wait SECONDS``: a command that another run keeps from the site is begun anew when the site is free."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcc.host.turn import Turn


def waiting(seconds: float, work: Callable[[Turn], int]) -> int:
    """Do it; the answer is its exit code. After a wait all of it is read and checked anew: much may have changed.

    Raises SiteLocked when the patience is over, and at Ctrl-C while it waits.
    """
    from mcc.errors import SiteLocked
    from mcc.host.turn import Turn

    turn = Turn(seconds)
    try:
        while True:
            try:
                return work(turn)
            except SiteLocked as locked:
                _wait(turn, locked)
    finally:
        turn.let_go()


def _wait(turn: Turn, locked: Exception) -> None:
    from mcc.errors import SiteLocked

    assert isinstance(locked, SiteLocked)
    try:
        turn.wait(locked, lambda text: print(text, file=sys.stderr, flush=True))
    except KeyboardInterrupt:
        raise SiteLocked(f"interrupted while it waited, nothing was started: {locked.message}") from None
