"""Waiting for services, where a socket is held open and whoever asks a dead service gets no answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mcc.errors import ServiceFailed
from mcc.host.ports import Answer, Host
from mcc.model.service import ServiceState
from mcc.steps.waiting import Health, wait_until_up


@dataclass
class World:
    """A service that dies after ``life`` seconds; its health takes ``slowness`` seconds of a visitor."""

    life: float
    slowness: float
    now: float = 0.0
    asked: list[float] = field(default_factory=list)

    def state(self, name: str) -> ServiceState:
        dead = self.now >= self.life
        return ServiceState(name, True, not dead, "it ended" if dead else "running", "1", failed=dead)

    def status(self, name: str) -> tuple[str, ...]:
        return ()

    def get(self, url: str, timeout: float) -> Answer:
        self.asked.append(timeout)
        self.now += min(timeout, self.slowness)
        return Answer(url, 200, "") if timeout >= self.slowness else Answer(url, 0, "no answer")

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def host(self) -> Host:
        clock = SimpleNamespace(monotonic=lambda: self.now, sleep=self.sleep)
        hands: Any = SimpleNamespace(services=self, http=self, clock=clock)
        return cast(Host, hands)


def test_a_death_is_seen_soon_although_nobody_answers_and_nobody_refuses() -> None:
    world = World(life=0.7, slowness=1000)
    with pytest.raises(ServiceFailed, match="did not come up: it ended"):
        wait_until_up(world.host, ("a",), Health(8000, "/", 10), 30)
    assert world.now < 3


def test_a_health_address_that_takes_its_time_is_waited_for() -> None:
    world = World(life=1000, slowness=6)
    wait_until_up(world.host, ("a",), Health(8000, "/", 10), 30)
    assert world.asked[-1] >= 6


def test_nobody_is_asked_for_longer_than_the_conf_says() -> None:
    world = World(life=1000, slowness=1000)
    with pytest.raises(ServiceFailed, match="no answer after 30 s"):
        wait_until_up(world.host, ("a",), Health(8000, "/", 4), 30)
    assert max(world.asked) == 4
