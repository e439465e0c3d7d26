"""What of a site is in use, whatever the ledger says: where its links lead, and what its processes may run."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from mcc.core.layout import Site
from mcc.core.ledger import Ledger
from mcc.core.links import inside
from mcc.core.retention import live_since
from mcc.core.slots import units_of
from mcc.core.unit_names import SLOTS
from mcc.errors import StepError
from mcc.host.ports import Files, Host
from mcc.model.conf import Services


def led_to(files: Files, site: Site, ledger: Ledger, switched: Collection[str]) -> frozenset[str]:
    """Where links of the site lead, with all folders above, from its base on; all but those that are ``switched``.

    A front end may be deployed alone, and an older script may have links that nobody else knows.
    """
    names = {
        *files.names(site.base),
        *_slots(site),
        *(link for release in ledger.releases for link, _ in release.links),
    }
    return frozenset(_led_to(files, site, names - set(switched)))


def _slots(site: Site) -> list[str]:
    """A release in a slot is running, live or not."""
    return [f"{site.slots.name}/{slot}" for slot in SLOTS]


def _led_to(files: Files, site: Site, links: Iterable[str]) -> set[str]:
    paths = [site.base / link for link in links]
    targets = [
        inside(site.base, str(path.parent / files.read_link(path))) for path in paths if files.kind(path) == "link"
    ]
    inner = [PurePosixPath(target) for target in targets if target]
    return {str(place) for path in inner for place in (path, *path.parents)}


@dataclass(frozen=True, slots=True)
class Running:
    """Which releases processes of the site may run still: ``releases`` by their names.

    ``oldest`` is the service that has run longest, ``since`` when.
    """

    releases: frozenset[str] = frozenset()
    oldest: str = ""
    since: datetime | None = None


def running(host: Host, services: Services, ledger: Ledger) -> Running:
    """By the start times of the site's units: whose process is whose is not to be seen without rights.

    Nobody knows of services that mcc does not manage. Units that only older releases named go on as they are.
    """
    if services.manager == "none":
        return Running()
    try:
        starts = {name: start for name in _units(services, ledger) if (start := _started(host, name)) is not None}
    except StepError:  # nobody can tell: all of them may be
        return Running(frozenset(release.name for release in ledger.standing()))
    if not starts:
        return Running()
    oldest = min(starts, key=lambda name: starts[name])
    return Running(live_since(ledger, starts[oldest]), oldest, starts[oldest])


def _units(services: Services, ledger: Ledger) -> tuple[str, ...]:
    older = (name for release in ledger.standing() if release.manager == services.manager for name in release.services)
    names = tuple(dict.fromkeys((*services.all, *older)))
    return units_of(dataclasses.replace(services, names=names, workers=()))


def _started(host: Host, name: str) -> datetime | None:
    state = host.services.state(name)
    if not state.running or state.active_for is None:
        return None
    return host.clock.now() - timedelta(seconds=state.active_for)
