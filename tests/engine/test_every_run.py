"""A part of what ``bench/kills.py`` does: every kind of run dies, dies again in its recovery, and loses its power."""

from __future__ import annotations

import pytest

from engine.every_run import KINDS
from fakes.kills import Deaths, counted


@pytest.mark.parametrize("name", KINDS)
def test_a_run_that_dies_and_whose_recovery_dies_too_is_before_or_after(name: str) -> None:
    ready = KINDS[name].ready()
    first = len(name) % 5 + 1  # runs that are alike die at different effects
    ats = range(min(first, ready.effects), ready.effects + 1, max(1, ready.effects // 2))
    tally = counted(ready, ats, Deaths(1, True, name))
    assert (tally.problems, tally.mixed, tally.lost) == ([], 0, 0)
    assert tally.kills == len(ats)
    assert tally.cuts >= tally.kills
