"""What it means that a slot is emptied: nobody is sent there any more, its clients finish, it stops."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from mcc.errors import ServiceFailed
from mcc.host.ports import Host
from mcc.steps.waiting import POLL


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot of a template unit.

    ``link`` says which release it runs, and that it may; ``current`` is the link that nginx goes through.
    """

    unit: str
    link: Path
    socket: Path
    current: Path


def is_live(host: Host, slot: Slot) -> bool:
    """Whether visitors are led there."""
    if host.files.kind(slot.current) != "link":
        return False
    return Path(host.files.read_link(slot.current)).name == slot.socket.name


def is_at_rest(host: Host, slot: Slot) -> bool:
    """Whether there is nothing to be stopped."""
    state = host.services.state(slot.unit)
    return not (state.active or state.starting or state.failed)


def wait_for_clients(host: Host, slot: Slot, timeout: float) -> int:
    """Return when nobody is connected any more, or after ``timeout`` seconds; the answer is who still was.

    Asked twice: nginx may have resolved its link a moment ago, and connect only now. Where it cannot be known who is
    connected (the service listens by another name of its socket) the whole time is given.
    """
    deadline = host.clock.monotonic() + timeout
    empty = 0
    while True:
        clients = host.http.connections(slot.socket)
        empty = empty + 1 if clients == 0 else 0
        if empty == 2 or not host.services.state(slot.unit).active:
            return 0
        if host.clock.monotonic() >= deadline:
            return clients or 0
        host.clock.sleep(POLL)


def stop(host: Host, slot: Slot) -> None:
    """Stop the unit, and take away what would let it start again at the next boot."""
    # Also where it is being stopped already: then this returns when it is.
    if host.files.kind(slot.link) != "absent" or not is_at_rest(host, slot):
        _stop(host, slot)
    remove_socket(host, slot)
    host.files.remove(slot.link)


def _stop(host: Host, slot: Slot) -> None:
    """What may not be stopped, and does not run, needs no stop: without its link it is not started, either."""
    try:
        host.services.stop(slot.unit)
    except ServiceFailed:
        if not is_at_rest(host, slot) or host.services.state(slot.unit).stopping:
            raise


def remove_socket(host: Host, slot: Slot) -> None:
    """A socket that a dead process left; the units that provision writes remove it too, as their own user."""
    with contextlib.suppress(PermissionError):
        host.files.remove(slot.socket)
