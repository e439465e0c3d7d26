"""Visitors while a tool deploys: what they asked for, and what they did not get."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from box.harness import BoxError, Running
from peers.boxes import Machine, Server
from peers.peer import Peer


@dataclass(slots=True)
class Seen:
    """Counts of opens and of requests, and the longest time in seconds for which no page could be opened."""

    opens: dict[str, float] = field(default_factory=dict)
    requests: dict[str, float] = field(default_factory=dict)
    longest: float = 0.0

    def add(self, opens: Mapping[str, float], requests: Mapping[str, float]) -> None:
        """What was seen in one more deploy."""
        self.longest = max(self.longest, opens.get("longest", 0.0))
        for total, more in ((self.opens, opens), (self.requests, requests)):
            for name, count in more.items():
                if name != "longest":
                    total[name] = total.get(name, 0) + count

    @property
    def lost(self) -> int:
        """Pages that somebody did not get: what a switch can lose."""
        return int(self.opens.get("failed pages", 0) + self.requests.get("failed pages", 0))

    @property
    def outdated(self) -> int:
        """Files that an older page named, and the new release does not have any more."""
        return int(self.opens.get("failed files", 0) + self.requests.get("failed files", 0))


def start(machine: Machine, *words: str, user: str | None = "www-data") -> Running:
    """The small program in the background, once it has begun."""
    running = machine.box.spawn(machine.probing(*words), user)
    assert running.process.stdout
    if running.process.stdout.readline() != "ready\n":
        raise BoxError(f"{words} did not begin: {running.wait()}")
    return running


def last_words(running: Running, timeout: float = 300.0) -> dict[str, float]:
    """What it says at its end."""
    said: dict[str, float] = json.loads(running.wait(timeout).stdout)
    return said


@contextlib.contextmanager
def visitors(server: Server, peer: Peer, seen: Seen) -> Iterator[None]:
    """Opens and requests go on in this block; what became of them is added to ``seen``."""
    running = [start(server, "opens", peer.current), start(server, "requests", peer.host)]
    try:
        yield
    finally:
        for each in running:
            each.signal(signal.SIGTERM)
        opens, requests = (last_words(each) for each in running)
        seen.add(opens, requests)
