"""The clock: releases and backups are named by it, certificates judged by it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from mcc.check.scene import Scene
from mcc.core.layout import VERSION
from mcc.core.looks.findings import Finding, ok, warning

_SLACK = timedelta(minutes=2)


def clock(scene: Scene) -> Iterator[Finding]:
    """Whether it stands before the newest release, and whether somebody sets it."""
    now = scene.host.clock.now()
    found = [*_before_releases(scene, now), *_not_set(scene)]
    yield from found
    if not found:
        yield ok("clock.time", f"{now:%Y-%m-%d %H:%M} UTC")


def _before_releases(scene: Scene, now: datetime) -> Iterator[Finding]:
    names = [release.name for release in scene.ledger.releases if VERSION.fullmatch(release.name)]
    newest = max(names, default="")
    if newest and datetime.strptime(newest, "vrs-%Y-%m-%dT%H%M%S").replace(tzinfo=UTC) > now + _SLACK:
        message = f"it is {now:%Y-%m-%d %H:%M} UTC here, and {newest} was made later: the clock is, or was, wrong"
        yield warning("clock.behind", "", message, "as root: timedatectl set-ntp true")


def _not_set(scene: Scene) -> Iterator[Finding]:
    if scene.host.commands.find("timedatectl") is None or not scene.by_systemd:
        return
    words = ["timedatectl", "show", "--property=CanNTP,NTP,NTPSynchronized"]
    done = scene.host.commands.run(words, env={"LC_ALL": "C.UTF-8"}, timeout=10.0)
    shown = dict(line.partition("=")[::2] for line in done.output.splitlines())
    # Without CanNTP something else may set it: a container has its host's clock.
    if done.ok and shown.get("CanNTP") == "yes" and shown.get("NTPSynchronized") == "no":
        help = "as root: timedatectl set-ntp true, and let UDP port 123 out"
        yield warning("clock.not-set", "", "nobody sets the clock by the network", help)
