"""Services and cron jobs that stand still while databases are changed under them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.core.cron import crontab
from mcc.errors import ServiceFailed, StepError
from mcc.host.ports import Host
from mcc.model.plan import Facts, Seen
from mcc.steps.waiting import POLL, Health, has_changed, look_at_services, start_as_it_was, wait_until_up


@dataclass(frozen=True, slots=True)
class StopServices:
    """Stop services, and wait until none of them is active any more.

    On the way back, when everything behind it is undone, those that ran are started again: a stopped
    unit is started by ``restart`` too (systemctl(1)), a right that every deploy has. Not those ``for_good``: a slot
    that drained has no visitors any more, and perhaps no release.
    """

    names: tuple[str, ...]
    health: Health
    start_timeout: float
    stop_timeout: float = 30.0
    for_good: tuple[str, ...] = ()

    def look(self, host: Host) -> Seen:
        return look_at_services(host, self.names)

    def do(self, host: Host, seen: Seen) -> Facts | None:
        for name in self.names:
            host.services.stop(name)
        deadline = host.clock.monotonic() + self.stop_timeout
        while up := [name for name in self.names if host.services.state(name).running]:
            if host.clock.monotonic() >= deadline:
                message = f"{', '.join(up)} is still active {self.stop_timeout:g} s after it was stopped"
                raise ServiceFailed(message, log=host.services.status(up[0]))
            host.clock.sleep(POLL)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        were_up = [name for name in self.names if seen[name]["active"] and name not in self.for_good]
        for name in were_up:
            state = host.services.state(name)
            if not state.active or has_changed(state, seen[name]):
                host.listener.say(f"starting {name} with the code and the data as they were")
                start_as_it_was(host, self.names, name, seen)
        if were_up:
            wait_until_up(host, tuple(were_up), self.health, self.start_timeout)
        return None


@dataclass(frozen=True, slots=True)
class SuspendCron:
    """Take this site's jobs out of the crontab; what stays in its block are the lines of ``keep``.

    ``keep`` holds the line that recovers a dead run after a reboot. ``replaces`` are commands and
    markers that an older script left outside the block. The whole text is kept in ``aside``, for
    :class:`ResumeCron`.
    """

    site: Path
    keep: tuple[str, ...]
    replaces: tuple[str, ...]
    aside: Path

    def look(self, host: Host) -> Seen:
        return {"before": host.crontab.read()}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        host.files.make_folder(self.aside.parent, 0o700)
        host.files.write(self.aside, seen["before"], 0o600)
        _suspend(host, self.site, self.keep, self.replaces)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        _give_back(host, seen["before"], self.site, self.replaces)
        return None


@dataclass(frozen=True, slots=True)
class ResumeCron:
    """Put this site's jobs back into the crontab, byte for byte, as :class:`SuspendCron` found them."""

    site: Path
    keep: tuple[str, ...]
    replaces: tuple[str, ...]
    aside: Path

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        if host.files.kind(self.aside) != "file":
            raise StepError(f"{self.aside} is gone: the site's cron jobs cannot be put back", help="deploy again")
        _give_back(host, host.files.read(self.aside), self.site, self.replaces)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        # What is undone next puts databases back: no job may start meanwhile.
        _suspend(host, self.site, self.keep, self.replaces)
        return None


def _suspend(host: Host, site: Path, keep: tuple[str, ...], replaces: tuple[str, ...]) -> None:
    with host.crontab.alone():
        now = host.crontab.read()
        wanted = crontab.with_block(now, site, keep, replaces)
        if wanted != now:
            host.crontab.write(wanted)


def _give_back(host: Host, before: bytes, site: Path, replaces: tuple[str, ...]) -> None:
    with host.crontab.alone():
        now = host.crontab.read()
        wanted = crontab.restore(now, before, site, replaces)
        if wanted != now:
            host.crontab.write(wanted)
