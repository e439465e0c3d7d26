"""The old slot's last minute: its visitors finish, then it stops.

The wait is done without the site's lock, by a process that outlives the deploy which started it. The lock is taken to
begin the stop, and to remove the link, only if the site is still as that deploy left it: a rollback meanwhile leads
visitors back by one rename, and has a drain of its own. Where this process dies, the next deploy or ``mcc recover``
stops the slot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from mcc.core.layout import Site
from mcc.core.slots import other, template_of
from mcc.errors import SiteLocked
from mcc.host.ports import Host
from mcc.model.conf import Services
from mcc.runs.hands import Hands
from mcc.runs.ledger import read_ledger
from mcc.runs.recover import dead_runs
from mcc.runs.slots import live_slot, slot_at
from mcc.steps.draining import Slot, stop, wait_for_clients
from mcc.steps.waiting import POLL

_PAUSE = 0.2
_PATIENCE = 3600.0
"""Seconds for a run that holds the site; it looks after the slot itself if it needs that."""


def drain_after(site: Site, run: str, timeout: float, hands: Hands, holder: Mapping[str, object]) -> bool:
    """Empty and stop the slot that ``run`` took visitors from; whether it was stopped."""
    drain = _Drain(site, run, hands, holder, hands.host(site, Services()))
    slot = idle_slot(site, drain.host)
    if slot is None or not drain.is_ours(slot):
        return False
    target = drain.host.files.read_link(slot.link)
    wait_for_clients(drain.host, slot, timeout)
    with ThreadPoolExecutor(1) as pool:
        begun = drain.held(slot, target, lambda: _begin_to_stop(pool, drain.host, slot))
    return begun and drain.held(slot, target, lambda: stop(drain.host, slot))


@dataclass(frozen=True, slots=True)
class _Drain:
    """What a run has left to do. ``host`` is one whose commands do not hold the lock on."""

    site: Site
    run: str
    hands: Hands
    holder: Mapping[str, object]
    host: Host

    def is_ours(self, slot: Slot) -> bool:
        """Whether the site is still as the run left it."""
        live = read_ledger(self.host.files, self.site).live
        return live is not None and live.run == self.run and idle_slot(self.site, self.host) == slot

    def held(self, slot: Slot, target: str, work: Callable[[], None]) -> bool:
        """Do it while nobody else changes the site, if it is still as the run left it; whether it was done."""
        deadline = self.host.clock.monotonic() + _PATIENCE
        while self.is_ours(slot) and self.host.clock.monotonic() < deadline:
            try:
                lock = self.hands.lock(self.site, self.holder)
            except SiteLocked:
                self.host.clock.sleep(_PAUSE)
                continue
            try:
                same = self.is_ours(slot) and self.host.files.read_link(slot.link) == target
                # A dead run is undone first, by whoever comes next: what it was about to do with slots is not known.
                if same := same and not dead_runs(self.host.files, self.site):
                    work()
                return same
            finally:
                lock.release()
        return False


def _begin_to_stop(pool: ThreadPoolExecutor, host: Host, slot: Slot) -> None:
    """Who holds on to the end may need seconds to be stopped: the site is held only until the manager has begun."""
    stopping = pool.submit(host.services.stop, slot.unit)
    while host.services.state(slot.unit).active and not stopping.done():
        wait([stopping], POLL)


def stop_idle(site: Site, host: Host, timeout: float) -> str:
    """Behind a recovery, which holds the lock: no slot runs that visitors are not led to. The answer is its unit."""
    slot = idle_slot(site, host)
    if slot is None:
        return ""
    wait_for_clients(host, slot, timeout)
    stop(host, slot)
    return slot.unit


def idle_slot(site: Site, host: Host) -> Slot | None:
    """The slot that has a release and no visitors any more; None if there is none, or if it is not known which."""
    live = live_slot(site, host.files)
    release = read_ledger(host.files, site).live
    if not live or release is None or release.manager != "systemd":
        return None
    template = template_of(Services(names=release.services))
    slot = slot_at(site, template, other(live))
    return slot if template and host.files.kind(slot.link) == "link" else None
