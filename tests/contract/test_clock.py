"""What every ``Clock`` does."""

from __future__ import annotations

import time
from datetime import UTC, timedelta

import pytest

from fakes.clock import FakeClock, Time
from fakes.host import FakeWorld, Killed
from fakes.process import Process
from mcc.host.clock import RealClock
from mcc.host.ports import Clock


@pytest.fixture(params=["fake", "real"])
def clock(request: pytest.FixtureRequest) -> Clock:
    return RealClock() if request.param == "real" else FakeClock(Time(), Process())


def test_now_is_in_utc(clock: Clock) -> None:
    assert clock.now().tzinfo is UTC
    assert clock.now().utcoffset() == timedelta(0)


def test_a_sleep_takes_at_least_its_time_on_both_clocks(clock: Clock) -> None:
    now, passed = clock.now(), clock.monotonic()
    clock.sleep(0.05)
    assert clock.monotonic() - passed >= 0.05
    assert (clock.now() - now).total_seconds() >= 0.045


@pytest.mark.parametrize("seconds", [0.0, -1.0, -1e9])
def test_a_time_that_is_over_is_not_waited_for(clock: Clock, seconds: float) -> None:
    """A deadline that has passed gives a negative wait; nobody is sent back in time."""
    before = clock.monotonic()
    clock.sleep(seconds)
    assert 0 <= clock.monotonic() - before < 60  # a busy machine may take its time


def test_the_fake_one_does_not_really_wait() -> None:
    began = time.monotonic()
    FakeWorld().host().clock.sleep(86400)
    assert time.monotonic() - began < 3600


def test_the_clock_on_the_wall_may_go_back_the_other_one_never() -> None:
    world = FakeWorld()
    clock = world.host().clock
    now, passed = clock.now(), clock.monotonic()
    world.time.set_back(3600)
    assert clock.now() == now - timedelta(hours=1)
    assert clock.monotonic() == passed


def test_the_dead_do_not_sleep() -> None:
    """A loop that waits for something must not go on behind a kill."""
    world = FakeWorld()
    world.process.die()
    with pytest.raises(Killed):
        world.host().clock.sleep(1)
