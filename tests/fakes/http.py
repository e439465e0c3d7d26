"""Web addresses of the fake machine: the services behind them, and nginx before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from fakes.clock import Time
from fakes.files import FakeFiles
from fakes.services import ServicesState, Unit, answer_of, slot_of_unit, unit_state
from mcc.host.ports import Answer


@dataclass(slots=True)
class HttpState:
    """``web``: the units that answer; None: all. ``fixed``: answers by the beginning of the address.

    ``retry_after``: the header of that name in those that are 503.
    """

    web: Sequence[str] | None = None
    fixed: dict[str, tuple[int, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    retry_after: str = ""
    clients: dict[str, int] = field(default_factory=dict)
    """How many are connected to a slot, by the name of its socket, until it is stopped."""


class FakeHttp:
    """The port ``Http``.

    ``https://DOMAIN/`` is the front end, a file below ``current-ui`` where there is that link;
    everything else is asked of the services, and nginx says 502 for one that does not answer.
    """

    def __init__(self, state: HttpState, services: ServicesState, files: FakeFiles, time: Time) -> None:
        self._state = state
        self._services = services
        self._files = files
        self._time = time

    def get(self, url: str, timeout: float, socket: Path | None = None) -> Answer:
        self._state.asked.append(url)
        if socket is not None:
            return Answer(url, *self._answer([self._behind(socket)], timeout))
        for beginning, (status, reason) in self._state.fixed.items():
            if url.startswith(beginning):
                return Answer(url, status, reason, self._state.retry_after if status == 503 else "")
        parts = urlsplit(url)
        here = parts.hostname in ("127.0.0.1", "localhost", "::1")
        if not here and parts.path in ("", "/") and self._has_front_end():
            return self._front_end(url)
        status, reason = self._answer(self._web(), timeout)
        if status == 0 and not here:
            status, reason = (504, "Gateway Time-out") if "timed" in reason else (502, "Bad Gateway")
        return Answer(url, status, reason)

    def tcp(self, host: str, port: int, timeout: float) -> str:
        now = self._time.passed
        return "" if any(unit and unit_state(unit, now).active for unit in self._web()) else "connection refused"

    def connections(self, socket: Path) -> int | None:
        unit = self._behind(socket)
        up = unit is not None and unit_state(unit, self._time.passed).active
        return self._state.clients.get(socket.name, 0) if up else None

    def _behind(self, socket: Path) -> Unit | None:
        """The slot that listens there."""
        found = [unit for unit in self._services.units.values() if slot_of_unit(unit.name) == socket.stem]
        return found[0] if found else None

    def _web(self) -> list[Unit | None]:
        """Where nginx leads to: to a slot by the link, where there are slots."""
        if any(slot_of_unit(name) for name in self._services.units):
            current = self._services.base / "run/current-api.sock"
            linked = self._files.kind(current) == "link"
            return [self._behind(Path(self._files.read_link(current))) if linked else None]
        names = self._services.units if self._state.web is None else self._state.web
        return [*(self._services.units[name] for name in names)]

    def _has_front_end(self) -> bool:
        return self._files.kind(self._services.base / "current-ui") != "absent"

    def _front_end(self, url: str) -> Answer:
        found = bool(self._files.names(self._services.base / "current-ui"))
        return Answer(url, 200, "OK") if found else Answer(url, 404, "Not Found")

    def _answer(self, units: Sequence[Unit | None], timeout: float) -> tuple[int, str]:
        answers = [answer_of(unit, self._time.passed) if unit else (0, "no such file") for unit in units]
        status, reason = max(answers, key=lambda answer: answer[0] != 200, default=(0, "connection refused"))
        if reason == "timed out":
            self._time.pass_by(timeout)
        return status, reason
