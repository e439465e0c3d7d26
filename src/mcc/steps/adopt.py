"""Taking a site over that a script made: its environment, and what a way back to its release needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mcc.core.cron import crontab
from mcc.core.cron.adopted import taken_over
from mcc.errors import StepError
from mcc.host.environments import is_unchanged
from mcc.host.ports import Host
from mcc.host.temporaries import sweep
from mcc.model.plan import MAY_HOLD_SECRETS, Facts, Seen
from mcc.steps.exchanging import change_places, folder_back


@dataclass(frozen=True, slots=True)
class ExchangeEnvironment:
    """Put a link in the place of a real environment, which moves to ``aside`` as it is.

    Its scripts name the interpreter by the path of ``link``: they are right whenever the link leads to it again.
    """

    link: Path
    target: str
    aside: Path

    def look(self, host: Host) -> Seen:
        kinds = [host.files.kind(path) for path in (self.link, self.aside, self.aside.parent)]
        return {"kind": kinds[0], "free": kinds[1] == "absent", "first": kinds[2] == "absent"}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        if seen["kind"] != "folder" or not seen["free"]:
            raise StepError(f"{self.link} was changed by someone else meanwhile", help="deploy again")
        host.files.make_folder(self.aside.parent)
        host.files.link(self.aside, self.target)
        change_places(host, self.link, self.aside)
        return {"adopted environment": self.aside.name}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        parent = self.aside.parent
        if seen["kind"] != "folder" or not seen["free"]:
            return None
        sweep(host.files, self.link.parent)
        if host.files.kind(parent) == "folder":
            sweep(host.files, parent)
        folder_back(host, self.link, self.aside, self.target)
        if seen["first"] and host.files.kind(parent) == "folder" and not host.files.names(parent):
            host.files.remove_tree(parent)
        return None


@dataclass(frozen=True, slots=True)
class UseAdopted:
    """Use an adopted environment again, if nobody has changed it since; it is only looked at."""

    environment: Path
    fingerprint: str

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        if not is_unchanged(host.files, self.environment, self.fingerprint):
            raise StepError(f"{self.environment} is being changed by someone", help="try again")
        return {"environment": "used again"}

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        return None


@dataclass(frozen=True, slots=True)
class KeepCron:
    """Keep the jobs of a script that are about to be replaced: those that outside of all blocks ``lines`` stand for."""

    site: Path
    lines: tuple[str, ...] = field(metadata={MAY_HOLD_SECRETS: True})
    replaces: tuple[str, ...]
    target: Path

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        before = host.crontab.read()
        after = crontab.with_block(before, self.site, self.lines, self.replaces)
        taken = taken_over(before, after, self.site)
        if taken or crontab.block_of(before, self.site) is None:  # else its jobs are those of mcc's block
            host.files.make_folder(self.target.parent, 0o700)
            host.files.write(self.target, taken, 0o600)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        """The folder is the release's own, and goes with what else is kept in it."""
        host.files.remove(self.target)
        return None
