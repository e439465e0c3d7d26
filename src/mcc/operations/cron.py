"""``mcc cron``: the jobs of a site as they are installed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mcc.core.cron.crontab import SKIPPED
from mcc.core.cron.installed import InstalledJob, foreign_lines, installed_jobs
from mcc.core.cron.schedules import next_times
from mcc.core.layout import Site
from mcc.core.nearest import did_you_mean
from mcc.errors import UsageError
from mcc.host.ports import Files, Host

_SHOWN_TIMES = 3


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job with its next times, in the zone that was asked for, and when something was last written to its log."""

    job: InstalledJob
    next: tuple[datetime, ...]
    log_written: datetime | None


@dataclass(frozen=True, slots=True)
class Listed:
    """``foreign``: lines outside of the site's block that run something of the site."""

    jobs: tuple[ListedJob, ...]
    foreign: tuple[bytes, ...]


def list_jobs(site: Site, host: Host, now: datetime) -> Listed:
    """What is installed. Raises CommandFailed if the crontab cannot be read."""
    text = host.crontab.read()
    written = _times_of(host.files, site.logs)
    jobs = [
        ListedJob(job, next_times(job.schedule, now, _SHOWN_TIMES), written.get(job.log) if job.log else None)
        for job in installed_jobs(text, site)
    ]
    return Listed(tuple(jobs), foreign_lines(text, site))


def find_job(site: Site, host: Host, name: str) -> InstalledJob:
    """The installed job of that name. Raises UsageError."""
    jobs = {job.name: job for job in installed_jobs(host.crontab.read(), site)}
    if not jobs:
        who = host.machine.user()
        raise UsageError(f"the crontab of {who} has no jobs of {site.base}", help="a deploy installs CRON_JOBS")
    if name not in jobs:
        hint = did_you_mean(name, jobs) or f"there are: {', '.join(jobs)}"
        raise UsageError(f"the crontab has no job {name!r} of {site.base}", help=hint)
    return jobs[name]


def was_skipped(job: InstalledJob, code: int) -> bool:
    """Whether a run did not begin since the one before has not ended."""
    return code == SKIPPED and not job.overlaps


def _times_of(files: Files, folder: Path) -> dict[Path, datetime]:
    if files.kind(folder) != "folder":
        return {}
    found = ((folder / entry.path, entry) for entry in files.walk(folder) if entry.kind == "file")
    return {path: datetime.fromtimestamp(entry.mtime_ns / 1e9, UTC) for path, entry in found if entry.size}
