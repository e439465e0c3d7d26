"""Runs on the fake machine that are killed at their effects and recovered: what all suites of that kind share.

A seeded part of the effects always, all of them with MCC_FULL=1 in the environment.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from random import Random
from typing import Protocol, Self, TypeVar

import pytest

from fakes.host import FakeWorld, Killed

FULL = bool(os.environ.get("MCC_FULL"))


class Mortal(Protocol):
    """A machine right before a run. ``recover``: what every command that changes a site does first."""

    world: FakeWorld

    def fork(self, kill_at: int | None = None) -> Self: ...
    def recover(self) -> None: ...


M = TypeVar("M", bound=Mortal)


def some(count: int, effects: int, seed: str) -> list[int]:
    """Numbers of effects: all of them, or as many as asked for, the same ones each time."""
    every = range(1, effects + 1)
    return list(every) if FULL or count >= effects else sorted(Random(seed).sample(every, count))


def revived(scene: Mortal) -> None:
    """A new process on the machine recovers what the dead one left."""
    scene.world.revive()
    scene.recover()


def dead(scene: M, act: Callable[[M], object], at: int) -> M:
    """A copy of the machine on which the run died at that effect."""
    copy = scene.fork(kill_at=at)
    with pytest.raises(Killed):
        act(copy)
    return copy


def killed(scene: M, act: Callable[[M], object], ats: list[int]) -> Iterator[tuple[M, str]]:
    """The machine after each of these deaths and its recovery, with words for a failing assertion."""
    for at in ats:
        died = dead(scene, act, at)
        revived(died)
        yield died, f"killed at {at}"


def killed_twice(scene: M, act: Callable[[M], object], ats: list[int], again: int) -> Iterator[tuple[M, str]]:
    """The same, where the recovery itself dies at ``again`` of its effects before a second one."""
    for at in ats:
        died = dead(scene, act, at)
        undisturbed = died.fork()
        undisturbed.recover()
        for then in some(again, undisturbed.world.process.ticks, f"{at}"):
            twice = dead(died, lambda one: one.recover(), then)
            revived(twice)
            yield twice, f"killed at {at}, and its recovery at {then}"


def cut_off(scene: M, act: Callable[[M], object], ats: list[int]) -> Iterator[tuple[M, str]]:
    """The same after power cuts: what was not synced is gone, and services have started again."""
    for at in ats:
        died = dead(scene, act, at)
        died.world.power_cut(at)
        revived(died)
        yield died, f"power cut at {at}"
