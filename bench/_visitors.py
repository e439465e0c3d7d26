"""Visitors of a site, each a process of its own: they come at a fixed pace, and note how long each answer took.

A request is counted from the moment at which it was due, not from when its visitor got to it: one that had to
wait behind a slow answer waited, too. Nothing is asked twice; everything but a whole, right answer is a failure.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import multiprocessing
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

PATIENCE = 30.0
"""Seconds; an answer that takes longer is a failure."""
SLOW = 0.5
"""Seconds that the application takes for a request of the kind ``slow``; no part of what is counted."""
_AFTER_FAILURE = 0.05
_BODY = b"x" * 2000


@dataclass(frozen=True, slots=True)
class Door:
    """Where a site is, and what its addresses begin with; ``authorities``: the file that knows its certificate."""

    ip: str
    host: str
    prefix: str
    authorities: Path | None = None

    @property
    def port(self) -> int:
        return 443 if self.authorities else 80


@dataclass(frozen=True, slots=True)
class Visitor:
    """``kind``: ``new`` connects for each request, ``kept`` and ``post`` keep a connection, ``slow``, ``stream``."""

    kind: str
    per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: when it was due (time.monotonic), seconds that its answer took, and what was wrong with it."""

    kind: str
    due: float
    took: float
    wrong: str = ""


@dataclass(slots=True)
class Visits:
    """What one visitor has seen. ``cut``: how often a stream ended and was begun again."""

    all: list[Visit] = field(default_factory=list)
    cut: int = 0
    events: int = 0
    versions: set[str] = field(default_factory=set)


class BadAnswer(Exception):
    """An answer that is not whole, or not right."""


# ---- HTTP, as little as is needed


class Line:
    """One connection."""

    def __init__(self, door: Door, context: ssl.SSLContext | None) -> None:
        raw = socket.create_connection((door.ip, door.port), PATIENCE)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(raw, server_hostname=door.host) if context else raw
        self._rest = b""
        self.closing = False

    def close(self) -> None:
        self._socket.close()

    def ask(self, request: bytes) -> bytes:
        """The body of the answer. Raises BadAnswer, OSError."""
        self._socket.sendall(request)
        head = self.head()
        size = next((int(line[15:]) for line in head if line.startswith(b"content-length:")), None)
        if size is None:
            raise BadAnswer(f"no Content-Length: {head}")
        while len(self._rest) < size:
            self._more("in the middle of an answer")
        body, self._rest = self._rest[:size], self._rest[size:]
        self.closing = b"connection: close" in head
        return body

    def begin(self, request: bytes) -> None:
        """Ask for what has no end."""
        self._socket.sendall(request)
        self.head()

    def head(self) -> list[bytes]:
        while b"\r\n\r\n" not in self._rest:
            self._more("before an answer")
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        if head.split(b" ", 2)[1] not in (b"200", b"201"):
            raise BadAnswer(head.partition(b"\r\n")[0].decode())
        return head.lower().split(b"\r\n")

    def read(self) -> bytes:
        """What comes next; empty at the end."""
        return self._socket.recv(65536)

    def _more(self, where: str) -> None:
        part = self._socket.recv(65536)
        if not part:
            raise BadAnswer(f"the connection was closed {where}")
        self._rest += part


def _request(door: Door, path: str, body: bytes | None = None, keep: bool = True) -> bytes:
    method, more = ("GET", "") if body is None else ("POST", f"Content-Length: {len(body)}\r\n")
    connection = "keep-alive" if keep else "close"
    head = f"{method} {door.prefix}{path} HTTP/1.1\r\nHost: {door.host}\r\nConnection: {connection}\r\n{more}\r\n"
    return head.encode() + (body or b"")


# ---- what each kind does


class _Life:
    """One visitor, in its own process."""

    def __init__(self, visitor: Visitor, door: Door, stop: Event, count: Synchronized[int]) -> None:
        self._visitor, self._door, self._stop, self._count = visitor, door, stop, count
        self._context = ssl.create_default_context(cafile=str(door.authorities)) if door.authorities else None
        self._line: Line | None = None
        self.seen = Visits()

    def live(self) -> Visits:
        if self._visitor.kind == "stream":
            self._listen()
        else:
            self._ask_on()
        self._hang_up()
        return self.seen

    def _ask_on(self) -> None:
        kind, due, pause = self._visitor.kind, time.monotonic(), 1 / self._visitor.per_second
        ask: Callable[[], None] = {"new": self._new, "kept": self._kept, "post": self._post, "slow": self._slow}[kind]
        while not self._stop.is_set():
            wrong = self._tried(ask)
            took = time.monotonic() - due - (SLOW if kind == "slow" else 0.0)
            self.seen.all.append(Visit(kind, due, took, wrong))
            self._count.value += 1  # nobody else writes it
            if wrong:
                time.sleep(_AFTER_FAILURE)
            due = max(due + pause, time.monotonic()) if kind == "slow" or wrong else due + pause
            time.sleep(max(0.0, due - time.monotonic()))

    def _tried(self, ask: Callable[[], None]) -> str:
        try:
            ask()
        except (BadAnswer, OSError, ValueError) as error:
            self._hang_up()
            return f"{type(error).__name__}: {error}"
        return ""

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None

    def _answer(self, request: bytes) -> dict[str, str]:
        """On the kept connection; where the server has said that it will close it, on a new one."""
        if self._line is None:
            self._line = Line(self._door, self._context)
        body = self._line.ask(request)
        if self._line.closing:
            self._hang_up()
        answer: dict[str, str] = json.loads(body)
        self.seen.versions.add(answer["version"])
        return answer

    def _new(self) -> None:
        self._answer(_request(self._door, "/get", keep=False))
        self._hang_up()

    def _kept(self) -> None:
        self._answer(_request(self._door, "/get"))

    def _post(self) -> None:
        answer = self._answer(_request(self._door, "/post", _BODY))
        if answer["body"] != hashlib.sha256(_BODY).hexdigest():
            raise BadAnswer("not all that was sent arrived")

    def _slow(self) -> None:
        self._answer(_request(self._door, f"/slow/{SLOW}"))

    def _listen(self) -> None:
        """A stream that is cut and can be begun again at once has not failed."""
        while not self._stop.is_set():
            due = time.monotonic()
            wrong = self._tried(lambda: self._begin_to_listen(_request(self._door, "/events")))
            self.seen.all.append(Visit("stream", due, time.monotonic() - due, wrong))
            if self._line is not None:
                self._listen_to(self._line)
                self._hang_up()
            elif wrong:
                time.sleep(_AFTER_FAILURE)

    def _begin_to_listen(self, request: bytes) -> None:
        self._line = Line(self._door, self._context)
        self._line.begin(request)

    def _listen_to(self, line: Line) -> None:
        with contextlib.suppress(OSError):
            while not self._stop.is_set() and line.read():
                self.seen.events += 1
        self.seen.cut += not self._stop.is_set()


# ---- all of them


class Crowd:
    """Visitors that are there."""

    def __init__(self, visitors: Sequence[Visitor], door: Door) -> None:
        context = multiprocessing.get_context("fork")
        self._stop = context.Event()
        self._counts = [context.Value("Q", 0, lock=False) for _ in visitors]
        self._ends: list[Pipe] = []
        self._processes = []
        for visitor, count in zip(visitors, self._counts, strict=True):
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_be, args=(visitor, door, self._stop, count, theirs), daemon=True)
            process.start()
            theirs.close()
            self._ends.append(ours)
            self._processes.append(process)

    def count(self) -> int:
        """How many requests were answered or failed so far."""
        return sum(count.value for count in self._counts)

    def wait_for(self, count: int) -> None:
        while self.count() < count:
            if not all(process.is_alive() for process in self._processes):
                raise SystemExit("a visitor died; see above")
            time.sleep(0.02)

    def go_home(self) -> list[Visits]:
        self._stop.set()
        seen = [end.recv() for end in self._ends]
        for process in self._processes:
            process.join()
        return seen


@contextlib.contextmanager
def crowd(visitors: Sequence[Visitor], door: Door) -> Iterator[Crowd]:
    """Visitors for as long as the block goes on; who wants to know what they saw sends them home before its end."""
    made = Crowd(visitors, door)
    try:
        yield made
    finally:
        made._stop.set()


def _be(visitor: Visitor, door: Door, stop: Event, count: Synchronized[int], end: Pipe) -> None:
    gc.disable()
    # Visitors are not on the server: they shall not wait for its processors more than they must.
    with contextlib.suppress(OSError):
        os.nice(-10)
    end.send(_Life(visitor, door, stop, count).live())


# ---- numbers


@dataclass(frozen=True, slots=True)
class Answers:
    """Times in seconds."""

    requests: int
    failed: tuple[Visit, ...]
    p50: float
    p99: float
    p999: float
    longest: float


def answers(visits: Sequence[Visit]) -> Answers:
    """Of all that were answered; those that failed are counted apart."""
    times = sorted(visit.took for visit in visits if not visit.wrong) or [0.0]

    def at(share: float) -> float:
        return times[min(len(times) - 1, int(len(times) * share))]

    failed = tuple(visit for visit in visits if visit.wrong)
    return Answers(len(visits), failed, at(0.5), at(0.99), at(0.999), times[-1])
