"""Hashed files of older front ends that a new release takes over: what is planned, and the steps."""

from __future__ import annotations

import os.path
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mcc.core.assets import MOST_BYTES, MOST_FILES, Chosen, Sizes, choose, is_hashed
from mcc.core.layout import Site
from mcc.core.ledger import Ledger
from mcc.core.wording import many
from mcc.deploy.request import Request
from mcc.host.assets import SKIPPED, listed_assets, own_assets
from mcc.host.ports import Files
from mcc.model.conf import Component
from mcc.model.plan import PlannedStep
from mcc.model.release import Release
from mcc.steps.assets import KeepAssets, LendAssets, TakenOver
from mcc.steps.ownership import Own

if TYPE_CHECKING:
    from mcc.deploy.situation import Situation


@dataclass(frozen=True, slots=True)
class PlannedAssets:
    """One front end of the output: the hashed files that it brings, and those that it takes over."""

    component: Component
    own: Sizes
    chosen: Chosen

    @property
    def warnings(self) -> Iterator[str]:
        """What a visitor with an old page may miss."""
        if self.chosen.left_out:
            bounds = f"{MOST_BYTES / 1e6:.0f} MB and {MOST_FILES} files"
            yield (
                f"{self.component.folder}/: {many(self.chosen.left_out, 'hashed file')} of older releases left out: "
                f"a release takes over at most {bounds}; pages that are open may miss them"
            )


def plan_assets(
    request: Request, files: Files, components: tuple[Component, ...], ledger: Ledger, has_python: bool
) -> tuple[PlannedAssets, ...]:
    """For each front end of the output; ``ledger`` knows what is live, whoever made it so."""
    if not request.conf.keep_assets:
        return ()
    fronts = ((each, _pages(request, files, each, each.environment and has_python)) for each in components)
    return tuple(_planned(request, files, each, pages, ledger) for each, pages in fronts if pages)


def _pages(request: Request, files: Files, component: Component, has_code: bool) -> tuple[str, ...]:
    """The folders of the release with pages in them: all, but beside code only those with a page at their top."""
    return tuple(
        os.path.normpath(target)
        for source, target in component.sources
        if not has_code or files.kind(request.output / source / "index.html") == "file"
    )


def _planned(
    request: Request, files: Files, component: Component, pages: tuple[str, ...], ledger: Ledger
) -> PlannedAssets:
    taken = _brought(request, files, component)
    own = {path: size for path, size in taken.items() if size is not None and is_hashed(path)}
    older = [
        (folder, _within(found, pages))
        for folder, found in _older(request.site, files, component, ledger, request.keep)
    ]
    return PlannedAssets(component, _within(own, pages), choose(taken, older))


def _within(sizes: Sizes, folders: tuple[str, ...]) -> Sizes:
    return {
        path: size
        for path, size in sizes.items()
        if any(folder == "." or path.startswith(f"{folder}/") for folder in folders)
    }


def _brought(request: Request, files: Files, component: Component) -> dict[str, int | None]:
    """Files with their sizes, and links, by their paths in the release."""
    found: dict[str, int | None] = {}
    for source, target in component.sources:
        folder = request.output / source
        if files.kind(folder) != "folder":
            continue  # said by a check
        for entry in files.walk(folder, skip=SKIPPED):
            if entry.kind in ("file", "link"):
                path = os.path.normpath(f"{target}/{entry.path}")
                found[path] = entry.size if entry.kind == "file" else None
    return found


def _older(site: Site, files: Files, component: Component, ledger: Ledger, keep: int) -> Iterator[tuple[str, Sizes]]:
    """The newest version folders of this front end that visitors may have seen, newest first."""
    had = [
        (release.name, folder)
        for release in ledger.standing()
        for folder in release.folders
        if str(PurePosixPath(folder).parent) == component.folder
    ]
    for name, folder in reversed(had[-max(1, keep) :]):
        kept = site.assets(name, component.folder)
        yield folder, own_assets(files, site.base / folder, kept)


def lend_steps(s: Situation, files: Files, release: Release) -> Iterator[PlannedStep]:
    """For a rollback: pages of newer releases are open, and ask for files that this one never had."""
    if not s.request.conf.keep_assets or files.kind(s.site.material(release.name)) != "folder":
        return  # nothing is kept of a release by an older mcc: no list either
    for component in s.components:
        folder = next((each for each in release.folders if str(PurePosixPath(each).parent) == component.folder), "")
        if folder and files.kind(s.site.base / folder) == "folder":
            yield from _lend(s, files, component, folder)


def _lend(s: Situation, files: Files, component: Component, folder: str) -> Iterator[PlannedStep]:
    place = s.site.base / folder
    pages = _pages_in(files, component, place)
    # By its list: a walk through all its files would keep visitors waiting.
    listed = listed_assets(files, place, s.site.assets(s.version, component.folder))
    taken = {*listed.own, *(path for paths in listed.older.values() for path in paths)}
    everyone = _older(s.site, files, component, s.known, len(s.known.releases))
    chosen = choose(taken, [(other, _within(found, pages)) for other, found in everyone if other != folder])
    if chosen.files:
        step = LendAssets(place, s.site.assets(s.version, component.folder), _taken_over(s.site, chosen))
        title = f"{many(chosen.files, 'hashed file')} of {many(len(chosen.older), 'other release')}"
        yield PlannedStep("place", f"{title}, {chosen.bytes / 1e6:.1f} MB -> {folder}", step, optional=True)


def own_lent_steps(s: Situation, lent: tuple[PlannedStep, ...]) -> Iterator[PlannedStep]:
    """As a deploy does it, but behind the commit: a way back does not hang on it."""
    owner = s.request.conf.ownership
    folders = tuple(each.step.folder.parent for each in lent if isinstance(each.step, LendAssets))
    if folders and owner.mode == "sudo":
        step = Own(folders, owner.user or "", owner.group or "", folders)
        yield PlannedStep("own", f"{owner.user}:{owner.group}, group may write", step, optional=True)


def _pages_in(files: Files, component: Component, place: Path) -> tuple[str, ...]:
    if not component.environment:
        return (".",)
    return tuple(inside for _, inside in component.links if files.kind(place / inside / "index.html") == "file")


def _taken_over(site: Site, chosen: Chosen) -> tuple[TakenOver, ...]:
    return tuple(TakenOver(site.base / each.folder, each.files) for each in chosen.older)


def asset_steps(s: Situation) -> Iterator[PlannedStep]:
    """Behind those that keep the release's material: the list lies beside it."""
    for planned in s.assets:
        if planned.own or planned.chosen.files:
            yield PlannedStep("place", _title(s, planned), _step(s, planned))


def _title(s: Situation, planned: PlannedAssets) -> str:
    chosen, place = planned.chosen, f"{planned.component.folder}/{s.version}"
    if not chosen.files:
        return f"list of the {many(len(planned.own), 'hashed file')} of {place}"
    what = f"{many(chosen.files, 'hashed file')} of {many(len(chosen.older), 'older release')}"
    return f"{what}, {chosen.bytes / 1e6:.1f} MB -> {place}"


def _step(s: Situation, planned: PlannedAssets) -> KeepAssets:
    older = _taken_over(s.site, planned.chosen)
    kept = s.site.assets(s.version, planned.component.folder)
    return KeepAssets(s.release_folder(planned.component), kept, tuple(sorted(planned.own.items())), older)
