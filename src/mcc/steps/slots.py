"""Two slots of a template unit: the idle one takes the new release, and the old one goes when it is empty."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.errors import ServiceFailed, StepError
from mcc.host.ports import Host
from mcc.host.temporaries import sweep
from mcc.model.plan import Facts, Seen
from mcc.steps.draining import Slot, is_at_rest, is_live, remove_socket, stop, wait_for_clients
from mcc.steps.log_tail import log_gains, log_sizes
from mcc.steps.waiting import Health, wait_until_up


@dataclass(frozen=True, slots=True)
class StartSlot:
    """Start the idle slot with a release, and wait until it answers on its own socket: no visitor can reach it yet.

    A slot that the release before the last still drains is emptied first, for at most ``drain_timeout`` seconds.
    Undone, it is stopped, when those who came to it since the cut-over are through.
    """

    slot: Slot
    target: str
    health: Health
    start_timeout: float
    drain_timeout: float
    logs: Path

    def look(self, host: Host) -> Seen:
        folder = host.files.kind(self.slot.link.parent)
        return {"folder": folder, "logs": log_sizes(host, self.logs)}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        if is_live(host, self.slot):
            raise StepError(f"{self.slot.unit} is the live slot", help="try again")
        _empty(host, self.slot, self.drain_timeout)
        host.files.make_folder(self.slot.link.parent)
        host.files.link(self.slot.link, self.target)
        remove_socket(host, self.slot)
        try:
            # Not start: that would do nothing where a process of before is still there.
            host.services.restart(self.slot.unit)
            wait_until_up(host, (self.slot.unit,), self.health, self.start_timeout)
        except ServiceFailed as error:
            gained = log_gains(host, self.logs, seen["logs"], shown=error.log)
            raise ServiceFailed(error.message, help=error.help, log=(*error.log, *gained)) from error
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        sweep(host.files, self.slot.link.parent)
        if is_live(host, self.slot):
            raise StepError(f"{self.slot.current} still leads to {self.slot.socket.name}: {self.slot.unit} stays up")
        if _target(host, self.slot) != self.target and not is_at_rest(host, self.slot):
            return None  # what drains there was not touched
        _empty(host, self.slot, self.drain_timeout)
        folder = self.slot.link.parent
        if seen["folder"] == "absent" and host.files.kind(folder) == "folder" and not host.files.names(folder):
            host.files.remove_tree(folder)
        return None


@dataclass(frozen=True, slots=True)
class EmptySlot:
    """Behind the commit: let a slot that is not live any more finish, and stop it; then its link goes.

    In a run it stands before what the release in it could not live with.
    """

    slot: Slot
    drain_timeout: float

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        if not is_live(host, self.slot):
            _empty(host, self.slot, self.drain_timeout)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None  # it stands behind the commit


@dataclass(frozen=True, slots=True)
class LetDrain:
    """Behind the commit: a process of its own empties the old slot, so that the site is free for the next run."""

    words: tuple[str, ...]

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        host.commands.detach(self.words)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None  # it stands behind the commit


def _target(host: Host, slot: Slot) -> str:
    return host.files.read_link(slot.link) if host.files.kind(slot.link) == "link" else ""


def _empty(host: Host, slot: Slot, timeout: float) -> None:
    if not is_at_rest(host, slot):
        left = wait_for_clients(host, slot, timeout)
        if left:
            host.listener.say(f"{slot.unit} still had {left} open connections after {timeout:g} s")
    stop(host, slot)
