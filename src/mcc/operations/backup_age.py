"""How old the last good backup of a site is; read by commands that look, so without the whole conf."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mcc.core.backup_age import is_late, last_good
from mcc.core.backups import BackupSet, root_of
from mcc.core.layout import Site
from mcc.errors import ConfigError
from mcc.host.copies.sets import sets_of
from mcc.host.ports import Files
from mcc.host.settings import read_backup
from mcc.model.conf import Backup
from mcc.model.release import Release


def backup_state(site: Site, live: Release | None, files: Files, now: datetime) -> dict[str, Any]:
    """``last_good``, its age in seconds, the schedule and whether it is kept. ``now`` is in cron's time zone."""
    backup, domains, problem = _settings(site, live, files)
    sets = sets_of(files, root_of(backup.path, site.base), site.base)
    names = [name for name in domains if files.kind(site.database(name)) == "file"]
    good = last_good(sets, names or _of_newest(sets))
    schedule = backup.schedule if backup.enabled else None
    since = good or (datetime.fromisoformat(live.at) if live else None)
    return {
        "last_good": good.isoformat() if good else None,
        "age_seconds": round((now - good).total_seconds()) if good else None,
        "schedule": schedule,
        "late": bool(schedule and since and is_late(schedule, since, now)),
        "problem": problem,
    }


def _settings(site: Site, live: Release | None, files: Files) -> tuple[Backup, tuple[str, ...], str]:
    if live is None or files.kind(site.conf(live.name)) != "file":
        return Backup(), (), ""
    path = site.conf(live.name)
    try:
        return (*read_backup(path.parent, path.name), "")
    except ConfigError as error:
        return Backup(), (), error.message


def _of_newest(sets: tuple[BackupSet, ...]) -> list[str]:
    newest = next((one for one in reversed(sets) if one.shelf == "daily"), None)
    return [copied.name for copied in newest.manifest.databases] if newest else []
