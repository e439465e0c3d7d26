"""The two slots of a template unit, as a run finds them: which one is live, and which one takes the release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcc.core.layout import Site
from mcc.core.slots import other, template_of
from mcc.host.ports import Host
from mcc.model.conf import Component, Conf
from mcc.runs.slots import live_slot, slot_at, slot_health, units_that_run
from mcc.steps.draining import Slot

_PATIENCE = 2.0
_LINK = "current-api"


@dataclass(frozen=True, slots=True)
class Slots:
    """``live`` is the slot that visitors reach, or empty; ``next`` the one that they will.

    ``runs``: the release is up in ``next`` already, since that still drains. ``up``: services that may be running,
    by the names that their manager knows.
    """

    template: str
    live: str
    next: str
    runs: bool = False
    up: tuple[str, ...] = ()


def look_at_slots(
    conf: Conf, site: Site, host: Host, components: Sequence[Component], version: str = ""
) -> Slots | None:
    """None for a site without a template unit, and for a release without what it runs.

    ``version``: a release that may be running still.
    """
    template = template_of(conf.services)
    if not template or application(components) is None:
        return None
    live = live_slot(site, host.files)
    following = other(live)
    slot = slot_at(site, template, following)
    link = host.files.read_link(slot.link) if host.files.kind(slot.link) == "link" else ""
    runs = bool(version and live) and Path(link).name == version and _is_well(conf, slot, host)
    return Slots(template, live, following, runs, units_that_run(conf.services, site, host.files))


def application(components: Sequence[Component]) -> Component | None:
    """What a slot runs; a front end that is deployed alone has none."""
    found = [each for each in components if each.environment]
    found += [each for each in components if _LINK in dict(each.links)]
    return found[0] if found else None


def _is_well(conf: Conf, slot: Slot, host: Host) -> bool:
    if not host.services.state(slot.unit).active:
        return False
    health = slot_health(conf, slot)
    return host.http.get(f"http://localhost{health.path}", _PATIENCE, health.socket).status in (200, 404)
