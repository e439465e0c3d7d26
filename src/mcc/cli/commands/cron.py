"""``mcc cron``."""

from __future__ import annotations

import sys
from pathlib import Path

from mcc.cli.commands.which_site import site_of
from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.cli.screens.cron import show_jobs
from mcc.core.layout import Site
from mcc.errors import SiteError
from mcc.host.cron_job import run_as_cron
from mcc.host.ports import Host
from mcc.host.zone import local_zone
from mcc.model.conf import Services
from mcc.operations.cron import find_job, list_jobs, was_skipped


def run_cron_list(stage: str | None, base: Path | None, format: str) -> int:
    """What is installed; the exit code."""
    site = site_of(stage, base)
    host, zone = _host(site), local_zone()
    listed = list_jobs(site, host, host.clock.now().astimezone(zone[1]))
    show_jobs(site, host.machine.user(), zone, listed, format)
    return 0


def run_cron_run(name: str, stage: str | None, base: Path | None) -> int:
    """Run one job as cron would: 0 if it ended so, 4 if it was skipped, else 1."""
    site = site_of(stage, base)
    job = find_job(site, _host(site), name)
    log = f"; its log is {job.log}" if job.log else ""
    print(f"running {job.name} as cron would{log}", file=sys.stderr, flush=True)
    code = run_as_cron(job.call, _show)
    if was_skipped(job, code):
        print(f"mcc: {job.name} was skipped: the run before has not ended", file=sys.stderr)
        return 4
    if code != 0:
        print(f"mcc: {job.name} ended with exit code {code}", file=sys.stderr)
    return 1 if code else 0


def _host(site: Site) -> Host:
    host = RealHands(screen_for("plain")).host(site, Services(manager="none"))
    if not host.crontab.available():
        raise SiteError("this machine has no crontab command", help="install cron")
    return host


def _show(data: bytes) -> None:
    """As the job wrote it: bytes in no encoding that we know."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
