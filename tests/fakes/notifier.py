"""Messages that would have been sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fakes.process import Process


@dataclass(frozen=True, slots=True)
class Sent:
    """One message to one address."""

    address: str
    title: str
    text: str
    weight: str


@dataclass(slots=True)
class NotifierState:
    """``broken``: addresses that take nothing, each with the reason. ``lacking``: what the machine lacks."""

    sent: list[Sent] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()


class FakeNotifier:
    """The port ``Notifier``."""

    def __init__(self, state: NotifierState, process: Process) -> None:
        self._state = state
        self._process = process

    def lacks(self, addresses: Sequence[str]) -> tuple[str, ...]:
        return self._state.lacking if addresses else ()

    def send(self, addresses: Sequence[str], title: str, text: str, weight: str, limit: float) -> Mapping[str, str]:
        self._process.tick("notify", title)
        self._state.sent += [
            Sent(address, title, text, weight) for address in addresses if address not in self._state.broken
        ]
        return {address: self._state.broken[address] for address in addresses if address in self._state.broken}
