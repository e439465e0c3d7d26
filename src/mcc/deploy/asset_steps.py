"""The steps that keep pages of other releases working which are open: hashed files that a release takes over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mcc.core.assets import Chosen, choose
from mcc.core.layout import Site
from mcc.core.wording import many
from mcc.deploy.assets import PlannedAssets, older_assets, within
from mcc.deploy.situation import Situation
from mcc.host.assets import listed_assets
from mcc.host.ports import Files
from mcc.model.conf import Component
from mcc.model.plan import PlannedStep
from mcc.model.release import Release
from mcc.steps.assets import KeepAssets, LendAssets, TakenOver
from mcc.steps.ownership import Own


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
    everyone = older_assets(s.site, files, component, s.known, len(s.known.releases))
    chosen = choose(taken, [(other, within(found, pages)) for other, found in everyone if other != folder])
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
