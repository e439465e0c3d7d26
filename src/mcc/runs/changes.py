"""What was changed on a site behind mcc's back: by an older script, or by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from mcc.core.cron import crontab
from mcc.core.layout import VERSION, Site
from mcc.core.ledger import Ledger
from mcc.core.links import inside
from mcc.core.wording import many
from mcc.host.ports import Files
from mcc.model.release import Release
from mcc.runs.standing import environment_stands

_PROJECT = ("pyproject.toml", "uv.lock")


@dataclass(frozen=True, slots=True)
class Changes:
    """How a site differs from what its ledger says.

    ``links``: a link, what mcc made it and what it is. ``environment``: how the live one was changed, in words.
    ``project``: files at the top of the site. ``doubled``: whether lines of the crontab outside of the site's block
    do what the block does. ``strangers``: newer version folders that no run of mcc made, from the site's base on.
    """

    live: str = ""
    links: tuple[tuple[str, str, str], ...] = ()
    environment: str = ""
    project: tuple[str, ...] = ()
    doubled: bool = False
    strangers: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """One a change, for a person."""
        return tuple(self._sentences())

    def _sentences(self) -> Iterator[str]:
        for link, made, now in self.links:
            yield f"{link} was changed by someone else: it is {now}, and {self.live} made it {made}"
        if self.environment:
            yield self.environment
        if self.project:
            yield f"{' and '.join(self.project)} of the site {_are(self.project)} not what {self.live} brought"
        if self.doubled:
            yield "the crontab has jobs of this site a second time, outside of mcc's block"
        if self.strangers and self.live:
            names = ", ".join(self.strangers[-3:])
            yield f"{many(len(self.strangers), 'version folder')} that no run of mcc made: {names}"


def look_for_changes(files: Files, text: bytes, site: Site, ledger: Ledger, whole: str | None = None) -> Changes:
    """Compare; nothing is changed. ``text`` is the crontab; ``whole`` an environment that is known to be unchanged."""
    live = ledger.live
    if live is None:
        return Changes()
    return Changes(
        live.name,
        tuple(_links(files, site, live)),
        "" if live.environment == whole and _is_linked(files, site, live) else _environment(files, site, live),
        tuple(_project(files, site, live)),
        _doubled(text, site),
        tuple(
            each for each in strangers(files, site, ledger, folders_of(live)) if PurePosixPath(each).name > live.name
        ),
    )


def is_as_recorded(files: Files, site: Site, release: Release) -> bool:
    """Whether links and environment of the site are what a release made them."""
    return not list(_links(files, site, release)) and not _environment(files, site, release)


def folders_of(release: Release) -> tuple[str, ...]:
    """Where a release's components have their versions: ``api``, ``ui``."""
    return tuple(dict.fromkeys(str(PurePosixPath(folder).parent) for folder in release.folders))


def strangers(files: Files, site: Site, ledger: Ledger, folders: tuple[str, ...]) -> tuple[str, ...]:
    """Version folders that the ledger does not name, oldest name first."""
    known = {folder for release in ledger.releases for folder in release.folders}
    found = [
        f"{folder}/{name}"
        for folder in folders
        for name in files.names(site.base / folder)
        if VERSION.fullmatch(name) and f"{folder}/{name}" not in known
        and files.kind(site.base / folder / name) == "folder"
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda path: PurePosixPath(path).name))


def _links(files: Files, site: Site, live: Release) -> Iterator[tuple[str, str, str]]:
    for link, made in live.links:
        path = site.base / link
        kind = files.kind(path)
        now = files.read_link(path) if kind == "link" else kind
        if kind != "link" or inside(site.base, now) != made:
            yield link, made, now


def _is_linked(files: Files, site: Site, live: Release) -> bool:
    if live.environment is None:
        return True
    path = site.environment
    made = f"{site.environments.name}/{live.environment}"
    return files.kind(path) == "link" and inside(site.base, files.read_link(path)) == made


def _environment(files: Files, site: Site, live: Release) -> str:
    kind = files.kind(site.environment)
    if live.environment is None:
        return ""
    if kind != "link":
        what = "a real environment, as an older script makes one" if kind == "folder" else kind
        return f".venv is {what}: {live.name} made it a link to venvs/{live.environment}"
    if not _is_linked(files, site, live):
        now = files.read_link(site.environment)
        return f".venv was changed by someone else: it is {now}, and {live.name} made it venvs/{live.environment}"
    if not environment_stands(files, site, live):
        return f"venvs/{live.environment} was changed since it was built: it is not used again"
    return ""


def _project(files: Files, site: Site, live: Release) -> Iterator[str]:
    for name in _PROJECT:
        kept, now = site.material(live.name) / name, site.base / name
        if files.kind(kept) == "file" and (files.kind(now) != "file" or files.read(now) != files.read(kept)):
            yield name


def _doubled(text: bytes, site: Site) -> bool:
    block = crontab.block_of(text, site.base)
    lines = [line.removesuffix(b"\n") for line in (block or b"").splitlines(keepends=True)[1:-1]]
    return bool(lines) and crontab.with_block(text, site.base, lines) != text


def _are(names: tuple[str, ...]) -> str:
    return "is" if len(names) == 1 else "are"
