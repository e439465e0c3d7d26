"""The old slot's last minute: its visitors finish, then it stops.

The wait is done without the site's lock, by a process that outlives the deploy which started it. Only for the stop it
takes the lock, and only if the site is still as that deploy left it: a rollback meanwhile leads visitors back by one
rename, and has a drain of its own. Where this process dies, the next deploy or ``mcc recover`` stops the slot.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

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

_PAUSE = 0.2
_PATIENCE = 3600.0
"""Seconds for a run that holds the site; it looks after the slot itself if it needs that."""


def drain_after(site: Site, run: str, timeout: float, hands: Hands, holder: Mapping[str, object]) -> bool:
    """Empty and stop the slot that ``run`` took visitors from; whether it was stopped."""
    host = hands.host(site, Services())
    slot = idle_slot(site, host)
    if slot is None or not _is_last(site, run, host):
        return False
    wait_for_clients(host, slot, timeout)
    deadline = host.clock.monotonic() + _PATIENCE
    while _is_last(site, run, host) and host.clock.monotonic() < deadline:
        with contextlib.suppress(SiteLocked):
            return _stop_if_idle(site, run, hands, holder)
        host.clock.sleep(_PAUSE)
    return False


def _stop_if_idle(site: Site, run: str, hands: Hands, holder: Mapping[str, object]) -> bool:
    lock = hands.lock(site, holder)
    try:
        host = hands.host(site, Services(), lock=lock)
        slot = idle_slot(site, host)
        # A dead run is undone first by whoever comes next: what it was about to do with the slots is not known here.
        if slot is None or not _is_last(site, run, host) or dead_runs(host.files, site):
            return False
        stop(host, slot)
        return True
    finally:
        lock.release()


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


def _is_last(site: Site, run: str, host: Host) -> bool:
    live = read_ledger(host.files, site).live
    return live is not None and live.run == run
