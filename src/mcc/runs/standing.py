"""Whether a release can be gone back to: its folders, its environment, what is kept of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mcc.core.environment_key import may_have_local_packages
from mcc.core.layout import Site
from mcc.core.ledger import Ledger
from mcc.host.environments import is_unchanged
from mcc.host.ports import Files
from mcc.model.release import Release


@dataclass(frozen=True, slots=True)
class Standing:
    """``obstacle``: why there is no way back to a release, in words; ``rebuilds``: what one has to build anew."""

    obstacle: str = ""
    rebuilds: str = ""


def standings(files: Files, site: Site, releases: Iterable[Release]) -> dict[str, Standing]:
    """How each release stands, by its name; an environment of several is looked at once."""
    known: dict[tuple[str | None, str], bool] = {}

    def stands(release: Release) -> bool:
        key = (release.environment, release.fingerprint)
        if key not in known:
            known[key] = environment_stands(files, site, release)
        return known[key]

    return {release.name: _standing(files, site, release, stands) for release in releases}


def obstacles(files: Files, site: Site, releases: Iterable[Release]) -> dict[str, str]:
    """For each release by its name why there is no way back to it; the live one has none either."""
    return {name: standing.obstacle for name, standing in standings(files, site, releases).items()}


def obstacle(files: Files, site: Site, release: Release, *, running: bool = False) -> str:
    """Why there is no way back to a release, in words; empty if there is one.

    ``running``: its process is up. Its environment is looked at when visitors are back there.
    """
    return _no_way(files, site, release) if running else obstacles(files, site, [release])[release.name]


def _standing(files: Files, site: Site, release: Release, stands: Callable[[Release], bool]) -> Standing:
    no_way = _no_way(files, site, release)
    if no_way or not release.environment or stands(release):
        return Standing(no_way)
    there = files.kind(site.environments / release.environment) == "folder"
    changed = f"its environment venvs/{release.environment} {'was changed since it was built' if there else 'is gone'}"
    cannot = _cannot_rebuild(files, site, release)
    return Standing(f"{changed}, and {cannot}") if cannot else Standing(rebuilds=changed)


def _no_way(files: Files, site: Site, release: Release) -> str:
    if release.bad:
        return f"it was marked bad{f' by {release.bad_by}' if release.bad_by else ''}: {release.bad}"
    states = {"live": "it is live", "failed": "it never came live", "pruned": "it is no longer on disk"}
    if release.state in states:
        return states[release.state]
    gone = [folder for folder in release.folders if files.kind(site.base / folder) != "folder"]
    return f"{', '.join(gone)} {'is' if len(gone) == 1 else 'are'} gone" if gone else ""


def environment_stands(files: Files, site: Site, release: Release) -> bool:
    """Whether its environment is there and nobody has changed it."""
    if release.environment is None:
        return True
    return is_unchanged(files, site.environments / release.environment, release.fingerprint)


def irreplaceable(files: Files, site: Site, ledger: Ledger) -> frozenset[str]:
    """The releases whose environments could not be built again: what is in one that a script made stands in no file."""
    return frozenset(
        release.name
        for release in ledger.standing()
        if release.environment and (release.origin == "adopted" or _cannot_rebuild(files, site, release))
    )


def has_project(files: Files, site: Site, release: Release) -> bool:
    """Whether its ``pyproject.toml`` and ``uv.lock`` are kept."""
    folder = site.material(release.name)
    return all(files.kind(folder / name) == "file" for name in ("pyproject.toml", "uv.lock"))


def _cannot_rebuild(files: Files, site: Site, release: Release) -> str:
    if not has_project(files, site, release):
        return "its uv.lock is not kept"
    if may_have_local_packages(files.read(site.material(release.name) / "uv.lock")):
        return "it holds packages that were built from folders of the output"
    return ""
