"""The jobs of a site, printed."""

from __future__ import annotations

import json
from datetime import datetime, tzinfo
from typing import Any

from mcc.core.cron.diff import without_secrets
from mcc.core.cron.schedules import in_words
from mcc.core.layout import Site
from mcc.operations.cron import Listed, ListedJob


def show_jobs(site: Site, user: str, zone: tuple[str, tzinfo], listed: Listed, format: str) -> None:
    """What is installed, as text or as one JSON object."""
    if format == "json":
        data = {
            "site": str(site.base),
            "user": user,
            "zone": zone[0],
            "jobs": [_data(each, zone[1]) for each in listed.jobs],
            "foreign": [_text(line) for line in listed.foreign],
        }
        print(json.dumps(data, indent=2, ensure_ascii=False))
        return
    print(f"jobs of {site.base} in the crontab of {user}; times in {zone[0]}")
    for each in listed.jobs:
        _show(each, zone[1])
    if not listed.jobs:
        print("\nnone is installed")
    if listed.foreign:
        print("\nnot installed by mcc, and speaking of the site:")
    for line in listed.foreign:
        print(f"  {_text(line)}")


def _show(each: ListedJob, zone: tzinfo) -> None:
    job = each.job
    print(f"\n{job.name}  {job.schedule}  {in_words(job.schedule)}")
    print(f"  next  {', '.join(f'{at:%Y-%m-%d %H:%M}' for at in each.next) or 'with the next start of the machine'}")
    if job.log is not None:
        last = f"written {_local(each.log_written, zone):%Y-%m-%d %H:%M}" if each.log_written else "nothing written yet"
        print(f"  log   {job.log}, {last}")
    if not job.overlaps:
        print("  a run that would overlap the one before is skipped")
    print(f"  runs  {_text(job.command)}")


def _data(each: ListedJob, zone: tzinfo) -> dict[str, Any]:
    job = each.job
    return {
        "name": job.name,
        "schedule": job.schedule,
        "words": in_words(job.schedule),
        "next": [at.isoformat() for at in each.next],
        "log": str(job.log) if job.log else None,
        "log_written": _local(each.log_written, zone).isoformat(timespec="seconds") if each.log_written else None,
        "overlap": job.overlaps,
        "command": _text(job.command),
    }


def _local(at: datetime, zone: tzinfo) -> datetime:
    return at.astimezone(zone)


def _text(line: bytes) -> str:
    return without_secrets(line.decode("utf-8", "backslashreplace"))
