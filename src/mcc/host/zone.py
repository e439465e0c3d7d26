"""The time zone of this machine, which is the one of its cron."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_LOCALTIME = Path("/etc/localtime")


def local_zone(localtime: Path = _LOCALTIME) -> tuple[str, tzinfo]:
    """Its name and its rules; UTC where nothing is said (localtime(5))."""
    _, found, name = str(localtime.resolve()).partition("/zoneinfo/")
    try:
        return (name, ZoneInfo(name)) if found else _from_file(localtime)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "UTC", UTC


def _from_file(localtime: Path) -> tuple[str, tzinfo]:
    """A copy of the rules instead of a link to them: it has no name but the letters of today's offset."""
    with localtime.open("rb") as stream:
        zone = ZoneInfo.from_file(stream)
    return datetime.now(zone).tzname() or "local time", zone
