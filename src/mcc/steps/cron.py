"""The site's block in the deploy user's crontab."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mcc.core.cron import crontab
from mcc.host.ports import Host
from mcc.model.plan import MAY_HOLD_SECRETS, Facts, Seen


@dataclass(frozen=True, slots=True)
class InstallCron:
    """Replace the site's block by ``lines`` (none: no block); everything else stays byte for byte.

    ``replaces`` are commands whose foreign lines are removed: an older script left them, doubled.
    """

    site: Path
    lines: tuple[str, ...] = field(metadata={MAY_HOLD_SECRETS: True})
    replaces: tuple[str, ...] = ()

    def look(self, host: Host) -> Seen:
        return {"before": host.crontab.read()}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        with host.crontab.alone():
            now = host.crontab.read()
            wanted = crontab.with_block(now, self.site, self.lines, self.replaces)
            if wanted == now:
                host.listener.say("the crontab is as it should be")
            else:
                host.crontab.write(wanted)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        with host.crontab.alone():
            now = host.crontab.read()
            wanted = crontab.restore(now, seen["before"], self.site, self.replaces)
            if wanted != now:
                host.crontab.write(wanted)
        return None
