"""Asking the real addresses, as a visitor does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mcc.core.maintenance import UNAVAILABLE
from mcc.errors import SmokeFailed
from mcc.host.ports import Answer, Host
from mcc.model.plan import MAY_HOLD_SECRETS, Facts, Seen
from mcc.steps.asking import at_once
from mcc.steps.log_tail import log_gains, log_sizes

_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class SmokeTest:
    """Every address must answer 200 before its ``timeout`` (seconds) is over; asked again until then.

    Those of ``resting`` may as well answer 503 with Retry-After: the site is in maintenance. With ``socket`` the
    service behind it is asked, before nginx leads anybody there; 404 is well then, since nginx may change a path.
    """

    urls: tuple[str, ...] = field(metadata={MAY_HOLD_SECRETS: True})
    timeout: float
    logs: Path
    resting: tuple[str, ...] = field(default=(), metadata={MAY_HOLD_SECRETS: True})
    socket: Path | None = None

    def look(self, host: Host) -> Seen:
        return {"logs": log_sizes(host, self.logs)}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        answers = at_once(self.urls, lambda url: self._ask(host, url))
        bad = [answer for answer in answers if not self._is_good(answer)]
        if bad:
            log = (*(_words(answer) for answer in bad), *log_gains(host, self.logs, seen["logs"]))
            raise SmokeFailed(_summary(bad, len(answers)), log=log)
        return {"smoke": f"{len(answers)} addresses answer"}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None

    def _ask(self, host: Host, url: str) -> Answer:
        deadline = host.clock.monotonic() + self.timeout
        while True:
            answer = host.http.get(url, max(1.0, deadline - host.clock.monotonic()), self.socket)
            if self._is_good(answer) or host.clock.monotonic() + _PAUSE >= deadline:
                return answer
            host.clock.sleep(_PAUSE)

    def _is_good(self, answer: Answer) -> bool:
        resting = answer.url in self.resting and answer.status == UNAVAILABLE and answer.retry_after
        elsewhere = self.socket is not None and answer.status == 404
        return answer.ok or bool(resting) or elsewhere


def _words(answer: Answer) -> str:
    return f"{answer.url}: {answer.status or ''} {answer.reason}".replace(":  ", ": ").rstrip()


def _summary(bad: list[Answer], total: int) -> str:
    if len(bad) == 1:
        return f"smoke test: {_words(bad[0])}"
    return f"smoke test: {len(bad)} of {total} addresses do not answer as they should"
