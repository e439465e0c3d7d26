"""The cron jobs that a script's release had, as they were kept when it was adopted."""

from __future__ import annotations

from collections.abc import Iterator

from mcc.core.layout import Site
from mcc.host.ports import Files
from mcc.model.conf import CronJob
from mcc.model.release import Release

CRONTAB = "crontab"
"""Among the material of an adopted release: its cron jobs, as they stood outside of the block."""


def adopted_jobs(files: Files, site: Site, release: Release) -> tuple[CronJob, ...] | None:
    """The cron jobs that an adopted release had; None if they are not kept, or if it is none."""
    path = site.material(release.name) / CRONTAB
    if release.origin != "adopted" or files.kind(path) != "file":
        return None
    return tuple(_jobs(files.read(path).decode("utf-8", "surrogateescape").split("\n")))


def _jobs(lines: list[str]) -> Iterator[CronJob]:
    marker = ""
    for line in filter(None, lines):
        if line.startswith("#"):
            marker = line.lstrip("# ")
        else:
            yield CronJob("", "", "", marker, line=line)
            marker = ""
