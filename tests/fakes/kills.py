"""Every death of a kind of run: at each effect, at each effect of each recovery, by a power cut; and what it leaves.

A run that died is recovered by a new process. Then the site is exactly as it was before, or exactly as it is after an
undisturbed run: all else is *mixed*. What is there no more, or waits for a person (a journal that cannot be brought
to its end, a service whose release is gone) is *lost*.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from fakes.deaths import Mortal
from fakes.host import Killed

Act = Callable[[Any], object]
Check = Callable[[Any, str], None]

_EACH_CUT = 5  # so many kills of recoveries come to one power cut


class Mixed(AssertionError):
    """The site is neither as before nor as after."""


class Lost(AssertionError):
    """Something is gone, or a person is needed."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A machine right before a run. ``check`` raises AssertionError with the words of where it was killed.

    ``effects`` are those of the undisturbed run.
    """

    scene: Mortal
    act: Act
    check: Check
    effects: int


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of run. ``whole``: each of its recoveries is killed at each effect, where others get a seeded part."""

    name: str
    ready: Callable[[], Ready]
    whole: bool = False


@dataclass(slots=True)
class Tally:
    """What was done to runs of a kind, and what was found. ``problems`` say where, the first words of each line."""

    kills: int = 0
    again: int = 0
    cuts: int = 0
    mixed: int = 0
    lost: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take in what another process has counted."""
        for name in ("kills", "again", "cuts", "mixed", "lost"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.problems += other.problems


@dataclass(frozen=True, slots=True)
class Deaths:
    """Which deaths. ``again``: effects of each recovery that are killed too, None for all; ``cuts``: power cuts."""

    again: int | None = 0
    cuts: bool = True
    seed: str = ""


def counted(ready: Ready, ats: range, deaths: Deaths) -> Tally:
    """Die at each of these effects, and in recovery."""
    tally = Tally()
    for at in ats:
        died = _dead(ready.scene, ready.act, at)
        if died is None:
            raise AssertionError(f"there is no effect {at}")
        if deaths.cuts:
            _cut(ready, died.fork(), f"power cut at {at}", tally)
        tally.kills += 1
        effects = _recovered(ready, died.fork(), f"killed at {at}", tally)
        for then in _chosen(effects, deaths, at):
            twice = _dead(died, lambda one: one.recover(), then)
            if twice is None:
                continue
            if deaths.cuts and (at + then) % _EACH_CUT == 0:
                _cut(ready, twice.fork(), f"killed at {at}, and a power cut in its recovery at {then}", tally)
            tally.again += 1
            _recovered(ready, twice, f"killed at {at}, and its recovery at {then}", tally)
    return tally


def _dead(scene: Any, act: Act, at: int) -> Any:
    """A copy of the machine on which the run died at that effect; None if it has ended before."""
    copy = scene.fork(kill_at=at)
    try:
        act(copy)
    except Killed:
        return copy
    except Exception:  # a recovery that needs a person was counted when it was not disturbed
        return None
    return None


def _cut(ready: Ready, died: Any, where: str, tally: Tally) -> None:
    died.world.power_cut(int.from_bytes(where.encode()))
    tally.cuts += 1
    _recovered(ready, died, where, tally)


def _recovered(ready: Ready, died: Any, where: str, tally: Tally) -> int:
    """Recover by a new process and look; the answer is how many effects that had."""
    died.world.revive()
    effects = 0
    try:
        died.recover()
        effects = died.world.process.ticks
        ready.check(died, where)
    except AssertionError as problem:
        kind = "mixed" if "mixed" in str(problem) or isinstance(problem, Mixed) else "lost"
        _note(tally, kind, where, problem)
    except Exception as problem:
        _note(tally, "lost", where, problem)
    return effects or died.world.process.ticks


def _note(tally: Tally, kind: str, where: str, problem: Exception) -> None:
    setattr(tally, kind, getattr(tally, kind) + 1)
    *_, last = traceback.extract_tb(problem.__traceback__)
    said = str(problem).removeprefix(where).removeprefix(": ").partition("\n")[0] or last.line
    tally.problems.append(f"{where}: {kind}: {type(problem).__name__}: {said}"[:600])


def _chosen(effects: int, deaths: Deaths, at: int) -> Iterator[int]:
    every = range(1, effects + 1)
    if deaths.again is None or deaths.again >= effects:
        return iter(every)
    return iter(sorted(Random(f"{deaths.seed} {at}").sample(every, deaths.again)))
