"""Whether the last good backup is as young as its schedule promises."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError

from mcc.core.backups import BackupSet, newest_good

SLACK = timedelta(hours=2)
"""How long a backup may take, and how far a server's clock may be off its time zone's change."""

_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


def last_good(sets: Iterable[BackupSet], databases: Sequence[str]) -> datetime | None:
    """The moment from which every one of these databases has a good copy, in UTC; None if one has none.

    Without names it is that of the newest set with a good copy in it.
    """
    known = list(sets)
    if not databases:
        return max((one.manifest.at for one in known if one.shelf != "before" and one.manifest.good), default=None)
    newest = [newest_good(known, name) for name in databases]
    return None if None in newest else min(one.manifest.at for one in newest if one)


def next_after(schedule: str, moment: datetime) -> datetime | None:
    """When cron runs a job next, in the time zone of ``moment``; None for ``@reboot``, and what never comes."""
    try:
        return next(CronSim(_NICKNAMES.get(schedule.strip(), schedule), moment), None)
    except CronSimError:
        return None


def is_late(schedule: str, since: datetime, now: datetime) -> bool:
    """Whether the backup that was due after ``since`` should be there by ``now`` (cron's local time)."""
    due = next_after(schedule, since.astimezone(now.tzinfo))
    return due is not None and now > due + SLACK
