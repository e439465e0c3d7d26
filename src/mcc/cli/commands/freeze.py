"""``mcc freeze`` and ``mcc unfreeze``."""

from __future__ import annotations

import shlex
from pathlib import Path

from mcc.cli.commands.which_site import site_of
from mcc.cli.hands import RealHands
from mcc.cli.screens.choose import screen_for
from mcc.core.layout import Site
from mcc.host.ports import Host
from mcc.model.conf import Services
from mcc.operations.freeze import freeze, unfreeze


def run_freeze(stage: str | None, base: Path | None, reason: str) -> int:
    """Freeze the site; the exit code."""
    site = site_of(stage, base)
    found = freeze(site, reason, _host(site))
    print(f"{site.base} is frozen {found.words}")
    print(f"deploys are refused until: mcc unfreeze --site {shlex.quote(str(site.base))}")
    return 0


def run_unfreeze(stage: str | None, base: Path | None) -> int:
    """End it; the exit code. A site that is not frozen is fine."""
    site = site_of(stage, base)
    found = unfreeze(site, _host(site))
    print(f"{site.base} is not frozen any more; it was {found.words}" if found else f"{site.base} is not frozen")
    return 0


def _host(site: Site) -> Host:
    return RealHands(screen_for("plain")).host(site, Services(manager="none"))
