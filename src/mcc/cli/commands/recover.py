"""``mcc recover``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.core.layout import Site
from mcc.errors import UsageError
from mcc.host.clock import RealClock
from mcc.host.files import RealFiles
from mcc.host.machine import RealMachine
from mcc.host.turn import Turn
from mcc.model.conf import Services
from mcc.runs.drain import drain_after, stop_idle
from mcc.runs.hands import Lock
from mcc.runs.notices import Notices, sending
from mcc.runs.recover import dead_runs, recover_all
from mcc.runs.run import refuse_another_user


@dataclass(frozen=True, slots=True)
class _Inherited:
    """The lock of the run that called us, by its descriptor."""

    descriptor: int

    def release(self) -> None:
        return None


def run_recover(base: Path, format: str, lock_descriptor: int | None, turn: Turn | None = None) -> int:
    """Recover a site's dead runs; the answer is the exit code."""
    site = Site(base.absolute())
    if RealFiles().kind(site.own) != "folder":
        raise UsageError(f"{site.base} is no site of mcc: it has no .mcc folder")
    hands = RealHands(screen_for(format), turn=turn)
    refuse_another_user(site, hands.host(site, Services(manager="none")))
    if lock_descriptor is not None:
        _recover(site, hands, _Inherited(lock_descriptor), None)  # who called us tells people
        return 0
    with sending(hands) as notices:
        lock = hands.lock(site, _holder())
        try:
            _recover(site, hands, lock, notices)
            _stop_idle(site, hands, lock)
        finally:
            lock.release()
    return 0


def _recover(site: Site, hands: RealHands, lock: Lock, notices: Notices | None) -> None:
    if not dead_runs(RealFiles(), site):
        print("nothing to recover")
    reason = "it died, and was recovered by hand or after a reboot"
    recover_all(site, hands, lock, reason, by_its_own_tool=notices is None, notices=notices)


def run_drain(base: Path, run: str, timeout: float) -> int:
    """Empty and stop the slot that a run took visitors from: what a deploy starts when it is over."""
    site = Site(base.absolute())
    hands = RealHands(screen_for("plain"))
    drain_after(site, run, timeout, hands, {**_holder(), "what": "the end of a drained slot", "brief": True})
    return 0


def _stop_idle(site: Site, hands: RealHands, lock: Lock) -> None:
    """A reboot starts both slots if it came while the old one drained."""
    unit = stop_idle(site, hands.host(site, Services(), lock=lock), Services().drain_timeout)
    if unit:
        print(f"{unit} is stopped: no visitor is led to it")


def _holder() -> dict[str, object]:
    machine = RealMachine()
    since = RealClock().now().isoformat(timespec="seconds")
    return {"what": "recover", "user": machine.user(), "pid": machine.pid(), "since": since}
