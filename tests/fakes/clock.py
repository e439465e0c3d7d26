"""Time that passes only when somebody waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fakes.process import Process

_MONTH = 30 * 86400.0


class Time:
    """The machine's time: seconds since it was made, and the date of that moment."""

    def __init__(self, start: datetime = datetime(2026, 2, 27, 15, 0, 0, tzinfo=UTC)) -> None:
        self.start = start
        self.passed = 0.0

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.passed)

    def nanoseconds(self) -> int:
        return int((self.start.timestamp() + self.passed) * 1000) * 1_000_000

    def pass_by(self, seconds: float) -> None:
        """Let time go by. A test that waits for a month waits for what never comes."""
        self.passed += max(0.0, seconds)
        assert self.passed < _MONTH, "something waits for ever"

    def set_back(self, seconds: float) -> None:
        """The clock of the wall goes back; the other one does not."""
        self.start -= timedelta(seconds=seconds)


class FakeClock:
    """The port ``Clock``."""

    def __init__(self, time: Time, process: Process) -> None:
        self._time = time
        self._process = process

    def now(self) -> datetime:
        return self._time.now()

    def monotonic(self) -> float:
        return self._time.passed

    def sleep(self, seconds: float) -> None:
        self._process.breathe()
        self._time.pass_by(seconds)
