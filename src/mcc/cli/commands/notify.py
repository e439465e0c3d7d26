"""``mcc notify``."""

from __future__ import annotations

from pathlib import Path

from mcc.cli.commands.which_site import site_of
from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.core.layout import Site
from mcc.host.ports import Host
from mcc.host.zone import local_zone
from mcc.model.conf import Services
from mcc.operations.notify import send_trial, tell_what_is_due
from mcc.operations.site import asked_by_stage
from mcc.runs.notices import Told, told_by_site
from mcc.runs.run import refuse_another_user


def run_notify(stage: str | None, base: Path | None, output: Path, test: bool) -> int:
    """Tell what is due, or send a test message; the exit code."""
    if stage is not None and base is None:
        conf = asked_by_stage(output.resolve(), stage).conf
        site, told = Site(conf.server.base), Told(conf.notify, conf.secrets)
        host = _host(site)
    else:
        site = site_of(stage, base)
        host = _host(site)
        told = told_by_site(site, host)
    if test:
        print(send_trial(site, told, host))
        return 0
    titles = tell_what_is_due(site, told, host, host.clock.now().astimezone(local_zone()[1]))
    for title in titles:
        print(f"{host.clock.now():%Y-%m-%d %H:%M:%S} UTC  told: {title}")
    return 0


def _host(site: Site) -> Host:
    host = RealHands(screen_for("plain")).host(site, Services(manager="none"))
    refuse_another_user(site, host)
    return host
