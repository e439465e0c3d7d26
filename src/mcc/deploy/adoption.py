"""A release that is live and that no run of mcc made so: an older script did, or a person by hand.

It becomes a release like any other when the next one is committed, so that there is a way back to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from mcc.core.layout import VERSION, Site
from mcc.core.ledger import Ledger
from mcc.core.links import inside
from mcc.host.environments import fingerprint
from mcc.host.ports import Files
from mcc.model.conf import Component, SiteFile
from mcc.model.release import Release
from mcc.runs.changes import strangers

BY_SCRIPT = "a script"
PROJECT = ("pyproject.toml", "uv.lock")
"""What an environment is made from."""
ELSEWHERE = "elsewhere"
"""Stands for the environment of an adopted release that is not below ``venvs/``."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """``release``: what the ledger will say. ``known``: it says so already, and somebody pointed the links at it.

    ``aside``: where a real ``.venv`` goes. ``strangers``: other version folders that no run of mcc made.
    ``material``: files of the site that a way back to the release needs, with their names in an output.
    """

    release: Release | None = None
    known: bool = False
    aside: Path | None = None
    strangers: tuple[str, ...] = ()
    material: tuple[tuple[Path, str], ...] = ()

    @property
    def new(self) -> Release | None:
        """The release, if the ledger does not name it yet."""
        return None if self.known else self.release

    def warnings(self) -> Iterator[str]:
        """What a person should know."""
        if self.new:
            yield f"{self.new.name} is live and not by mcc: it is adopted, so that there is a way back to it"
        elif self.release and self.release.state != "live":  # of the live one only a link is gone: that is said
            yield f"somebody made {self.release.name} live: the ledger will say so"


def look_for_adoption(
    files: Files,
    site: Site,
    ledger: Ledger,
    components: tuple[Component, ...],
    site_files: tuple[SiteFile, ...],
    now: datetime,
    run: str,
    stage: str,
    *,
    exchanges: bool = True,
) -> Adoption:
    """What is live and not by a run of mcc; nothing is changed. ``exchanges``: ``.venv`` will be a link."""
    aside = _aside(files, site, now) if exchanges and files.kind(site.environment) == "folder" else None
    others = strangers(files, site, ledger, tuple(component.folder for component in components))
    links = _links(files, site, components)
    if not links or _as_recorded(ledger, components, links):
        return Adoption(aside=aside, strangers=others)
    folders = _folders(components, links)
    name = PurePosixPath(folders[0]).name
    known = ledger.get(name)
    if known is not None:
        same = known.state in ("good", "bad", "live") and set(links.items()) <= set(known.links)
        return Adoption(known if same else None, same, aside, others)
    environment, print_ = _environment(files, site, aside, exchanges)
    release = Release(
        name, "live", _at(name, now), run, stage, BY_SCRIPT, folders, tuple(links.items()), environment,
        origin="adopted", fingerprint=print_,
    )  # fmt: skip
    material = tuple(_material(files, site, site_files))
    return Adoption(release, False, aside, tuple(path for path in others if path not in folders), material)


def _material(files: Files, site: Site, site_files: tuple[SiteFile, ...]) -> Iterator[tuple[Path, str]]:
    found = [(site.base / file.target, file.source) for file in site_files]
    found += [(site.base / name, name) for name in PROJECT]
    if files.kind(site.scripts) == "folder":
        entries = files.walk(site.scripts, skip=("__pycache__",))
        found += [(site.scripts / entry.path, f"scripts/{entry.path}") for entry in entries if entry.kind == "file"]
    yield from ((path, name) for path, name in found if files.kind(path) == "file")


def _as_recorded(ledger: Ledger, components: tuple[Component, ...], links: dict[str, str]) -> bool:
    """Parts may be deployed by turns: each link is where the last release that brought it has led it."""
    live = ledger.live
    if live is None:
        return False
    recorded = {link: target for release in ledger.standing() for link, target in release.links}
    ours = {link for component in components for link, _ in component.links}
    expected = {*links, *(ours & {link for link, _ in live.links})}
    return all(link in recorded and links.get(link) == recorded[link] for link in expected)


def _links(files: Files, site: Site, components: tuple[Component, ...]) -> dict[str, str]:
    """The components' links that lead to a version of their own component, that of the environment first."""
    found: dict[str, str] = {}
    for component in sorted(components, key=lambda each: not each.environment):
        for link, _ in component.links:
            path = site.base / link
            target = inside(site.base, files.read_link(path)) if files.kind(path) == "link" else None
            if target and _version_in(component, target) and files.kind(site.base / target) == "folder":
                found[link] = target
    return found


def _version_in(component: Component, target: str) -> str | None:
    """The version folder that a link's target lies in, from the site's base on."""
    folder, path = PurePosixPath(component.folder), PurePosixPath(target)
    if folder not in path.parents:
        return None
    version = path.relative_to(folder).parts[0]
    return str(folder / version) if VERSION.fullmatch(version) else None


def _folders(components: tuple[Component, ...], links: dict[str, str]) -> tuple[str, ...]:
    found = [_version_in(component, target) for target in links.values() for component in components]
    return tuple(dict.fromkeys(folder for folder in found if folder))


def _environment(files: Files, site: Site, aside: Path | None, exchanges: bool) -> tuple[str | None, str]:
    """The environment's name below ``venvs/``, and what tells whether somebody changed it later.

    One that is elsewhere is not ours to keep: its name is of none that is there, so that a way back builds another.
    """
    if aside is not None:
        return aside.name, fingerprint(files, site.environment)
    if files.kind(site.environment) != "link":
        return None, ""
    target = inside(site.base, files.read_link(site.environment))
    path = PurePosixPath(target or "")
    if str(path.parent) == site.environments.name:
        return path.name, ""
    return (ELSEWHERE if exchanges else None), ""


def _aside(files: Files, site: Site, now: datetime) -> Path:
    """A name that is free, also if two sites are adopted in one second."""
    name = f"adopted-{now:%Y-%m-%dT%H%M%S}"
    taken = files.names(site.environments)
    numbers = (f"{name}-{number}" if number > 1 else name for number in range(1, len(taken) + 2))
    return site.environments / next(each for each in numbers if each not in taken)


def _at(name: str, now: datetime) -> str:
    match = VERSION.fullmatch(name)
    at = datetime.strptime(match[1], "%Y-%m-%dT%H%M%S").replace(tzinfo=UTC) if match else now
    return at.isoformat(timespec="seconds")
