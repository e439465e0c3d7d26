"""Where links of a site lead: what they lead to is in use, whatever the ledger says."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

from mcc.core.layout import Site
from mcc.core.ledger import Ledger
from mcc.core.links import inside
from mcc.core.unit_names import SLOTS
from mcc.host.ports import Files
from mcc.model.release import Release


def in_use(files: Files, site: Site, release: Release) -> set[Path]:
    """Where somebody has led the release's links by hand, with all folders above."""
    return {site.base / path for path in _led_to(files, site, (*(link for link, _ in release.links), *_slots(site)))}


def led_to(files: Files, site: Site, ledger: Ledger, switched: Collection[str]) -> frozenset[str]:
    """The same, from the site's base on, for all links but those that are ``switched``.

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
