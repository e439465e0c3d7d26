"""Web addresses of the fake machine: the services behind them, and nginx before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fakes.clock import Time
from fakes.files import FakeFiles
from fakes.services import ServicesState, Unit, answer_of, unit_state
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

    def get(self, url: str, timeout: float) -> Answer:
        self._state.asked.append(url)
        for beginning, (status, reason) in self._state.fixed.items():
            if url.startswith(beginning):
                return Answer(url, status, reason, self._state.retry_after if status == 503 else "")
        parts = urlsplit(url)
        here = parts.hostname in ("127.0.0.1", "localhost", "::1")
        if not here and parts.path in ("", "/") and self._has_front_end():
            return self._front_end(url)
        status, reason = self._ask(timeout)
        if status == 0 and not here:
            status, reason = (504, "Gateway Time-out") if "timed" in reason else (502, "Bad Gateway")
        return Answer(url, status, reason)

    def tcp(self, host: str, port: int, timeout: float) -> str:
        now = self._time.passed
        return "" if any(unit_state(unit, now).active for unit in self._web()) else "connection refused"

    def _web(self) -> list[Unit]:
        names = self._services.units if self._state.web is None else self._state.web
        return [self._services.units[name] for name in names]

    def _has_front_end(self) -> bool:
        return self._files.kind(self._services.base / "current-ui") != "absent"

    def _front_end(self, url: str) -> Answer:
        found = bool(self._files.names(self._services.base / "current-ui"))
        return Answer(url, 200, "OK") if found else Answer(url, 404, "Not Found")

    def _ask(self, timeout: float) -> tuple[int, str]:
        answers = [answer_of(unit, self._time.passed) for unit in self._web()]
        status, reason = max(answers, key=lambda answer: answer[0] != 200, default=(0, "connection refused"))
        if reason == "timed out":
            self._time.pass_by(timeout)
        return status, reason
