"""What a deploy clears away at its end. Whatever cannot be removed is a warning, and the next deploy tries again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mcc.core.ledger import Ledger
from mcc.core.retention import environments_to_remove, releases_to_remove, strangers_to_remove
from mcc.core.wording import many
from mcc.deploy.backups import prune_steps as prune_copies
from mcc.deploy.situation import Situation
from mcc.model.plan import PlannedStep, Step
from mcc.model.release import Release
from mcc.steps.leftovers import RemoveLeftovers
from mcc.steps.record import Prune, RemoveFiles


def prune_steps(s: Situation, new: Release) -> Iterator[PlannedStep]:
    """Old releases with all that is kept of them, environments, records; ``new`` is live by then."""
    ledger = s.known.with_live(new)
    releases = _old_releases(s, ledger)
    environments = _old_environments(s, ledger, releases)
    strangers = strangers_to_remove(s.adoption.strangers, ledger, s.request.keep)
    strangers = tuple(folder for folder in strangers if folder not in s.led_to)
    folders = (*_folders_of(s, releases), *(s.site.environments / name for name in environments))
    folders += tuple(s.site.base / folder for folder in strangers)
    if folders:
        title = f"{many(len(releases), 'old release')}, {many(len(environments), 'environment')}"
        title += f", {many(len(strangers), 'folder')} of a script" if strangers else ""
        names = tuple(release.name for release in releases)
        yield _step(title, Prune(folders, names, s.site.ledger, s.run))
    if s.old_records:
        yield _step(many(len(s.old_records), "old record") + " of runs", RemoveFiles(s.old_records))
    yield from prune_copies(s, releases)
    swept = (s.site.base, s.site.own, s.site.journals, s.site.tool_command.parent)
    yield _step("what dead runs left behind", RemoveLeftovers(s.leftovers, swept))


def _step(title: str, step: Step) -> PlannedStep:
    return PlannedStep("prune", title, step, optional=True)


def _old_releases(s: Situation, ledger: Ledger) -> tuple[Release, ...]:
    old = releases_to_remove(ledger, s.request.keep, s.running.releases)
    return tuple(release for release in old if not s.led_to & {*release.folders})


def _old_environments(s: Situation, ledger: Ledger, removed: tuple[Release, ...]) -> tuple[str, ...]:
    spared = {path.removeprefix(f"{s.site.environments.name}/") for path in s.led_to}
    return environments_to_remove(
        s.environments_present, ledger, removed, s.running.releases, s.irreplaceable, spared
    )  # fmt: skip


def _folders_of(s: Situation, releases: tuple[Release, ...]) -> Iterator[Path]:
    for release in releases:
        yield from (s.site.base / folder for folder in release.folders)
        yield s.site.hooks(release.name)
        yield s.site.material(release.name)


def stays(s: Situation, new: Release) -> Iterator[str]:
    """Says which releases stay because a service has run since they were live: they pile up until it is restarted."""
    ledger, running = s.known.with_live(new), s.running
    without = {release.name for release in releases_to_remove(ledger, s.request.keep)}
    kept = without - {release.name for release in releases_to_remove(ledger, s.request.keep, running.releases)}
    if kept and running.since:
        yield (
            f"{many(len(kept), 'old release')} beyond keep_builds {'stays' if len(kept) == 1 else 'stay'}: "
            f"{running.oldest} has run since {running.since:%Y-%m-%d %H:%M} UTC and may use {min(kept)}"
        )
