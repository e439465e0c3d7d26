"""Hashed files of older front ends that a new release takes over: what is planned."""

from __future__ import annotations

import os.path
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from mcc.core.assets import MOST_BYTES, MOST_FILES, Chosen, Sizes, choose, is_hashed
from mcc.core.layout import Site
from mcc.core.ledger import Ledger
from mcc.core.wording import many
from mcc.deploy.request import Request
from mcc.host.assets import SKIPPED, own_assets
from mcc.host.ports import Files
from mcc.model.conf import Component


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
        (folder, within(found, pages))
        for folder, found in older_assets(request.site, files, component, ledger, request.keep)
    ]
    return PlannedAssets(component, within(own, pages), choose(taken, older))


def within(sizes: Sizes, folders: tuple[str, ...]) -> Sizes:
    """Those of the files that lie in one of these folders."""
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


def older_assets(
    site: Site, files: Files, component: Component, ledger: Ledger, keep: int
) -> Iterator[tuple[str, Sizes]]:
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
