"""``mcc status`` and ``mcc releases``, printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from mcc.core.freeze import Frozen
from mcc.core.layout import Site
from mcc.core.ledger import Ledger
from mcc.core.maintenance import Maintained
from mcc.model.release import Release
from mcc.runs.standing import Standing

_MARKS = {"live": "->"}


def print_releases(
    site: Site, releases: Sequence[Release], found: Mapping[str, Standing], frozen: Frozen | None
) -> None:  # fmt: skip
    """A line each, and below it what there is to say of it."""
    if not releases:
        print(f"{site.base}: no releases yet")
    for release in releases:
        _print_release(release, found[release.name])
    if frozen:
        print(f"the site is frozen {frozen.words}")


def _print_release(release: Release, standing: Standing) -> None:
    """``<-``: it can be gone back to."""
    mark = _MARKS.get(release.state, "  " if standing.obstacle else "<-")
    back = f", back from {release.back_from}" if release.state == "live" and release.back_from else ""
    print(f"{mark} {release.name}  {release.state:<7} {release.at:<25}  {_build(release):<34} {_by(release)}{back}")
    if release.error:
        print(f"     {release.error.splitlines()[0]}")
    if release.bad:
        print(f"     bad: {release.bad} ({_marked(release)})")
    elif release.state == "good" and standing.obstacle:
        print(f"     no way back: {standing.obstacle}")
    if standing.rebuilds:
        print(f"     {standing.rebuilds}: a rollback builds it anew")


def print_status(site: Site, ledger: Ledger, answer: dict[str, Any], now: datetime) -> None:
    """What ``mcc status --format json`` says, for a person."""
    print(f"site      {site.base}")
    for lines in (_live(ledger, answer, now), _others(site, ledger, answer), _backup(answer["backup"], now)):
        print(*lines, sep="\n", end="\n" if lines else "")
    under_way = answer["held_by"] or answer["dead_runs"]
    for sentence in () if under_way else answer["changes"]:
        print(f"warning   {sentence}")
    if answer["held_by"]:
        print(f"running   {answer['held_by']}")
    for run in answer["dead_runs"]:
        print(f"dead      the run {run} did not end; the next deploy recovers it, or: mcc recover --site {site.base}")


def _live(ledger: Ledger, answer: dict[str, Any], now: datetime) -> list[str]:
    live = ledger.live
    links = "links     " + ", ".join(f"{link} -> {target or 'nothing'}" for link, target in answer["links"].items())
    if live is None and answer["links"]:
        return ["live      not by mcc: the next deploy adopts what is there", links]
    if live is None:
        return ["live      nothing yet"]
    back = f", back from {live.back_from}" if live.back_from else ""
    lines = [
        f"live      {live.name}, for {_ago(live.at, now)} (since {live.at}){back}",
        f"build     {_build(live)}, {_by(live)}",
        links,
    ]
    if live.bad:
        lines.append(f"warning   {live.name} is live, and was marked bad: {live.bad} ({_marked(live)})")
    return lines


def _others(site: Site, ledger: Ledger, answer: dict[str, Any]) -> list[str]:
    return [*_back(answer), *_failed(answer), *_marks(ledger), *_said(site, ledger, answer)]


def _back(answer: dict[str, Any]) -> Iterator[str]:
    kept, next_one = answer["can_go_back_to"], answer["goes_back_to"]
    if kept:
        yield f"kept      {len(kept)} earlier {'release' if len(kept) == 1 else 'releases'}, the newest {kept[-1]}"
    if next_one:
        yield f"back      mcc rollback goes to {next_one}"


def _failed(answer: dict[str, Any]) -> Iterator[str]:
    failure = answer["last_failure"]
    if failure:
        error = failure["error"].splitlines()[0] if failure["error"] else "?"
        before = " (earlier ones: mcc releases)" if len(answer["failures"]) > 1 else ""
        yield f"failed    {failure['release']}, of {failure['at']}: {error}{before}"


def _marks(ledger: Ledger) -> Iterator[str]:
    for release in ledger.releases:
        if release.state == "bad":
            yield f"bad       {release.name}: {release.bad} ({_marked(release)})"


def _said(site: Site, ledger: Ledger, answer: dict[str, Any]) -> Iterator[str]:
    if ledger.bad_lines:
        yield f"warning   {site.ledger}: lines that cannot be read: {', '.join(map(str, ledger.bad_lines))}"
    if answer["frozen"]:
        yield f"frozen    {Frozen(**answer['frozen']).words}; mcc unfreeze ends it"
    if answer["maintenance"]:
        yield f"resting   in maintenance, {Maintained(**answer['maintenance']).words}; mcc maintenance off ends it"


def _backup(backup: dict[str, Any], now: datetime) -> list[str]:
    lines = []
    schedule = f", schedule {backup['schedule']}" if backup["schedule"] else ""
    if backup["problem"]:
        lines.append(f"warning   nothing is known of backups: {backup['problem']}")
    elif backup["last_good"]:
        lines.append(f"backup    the last good one is {_ago(backup['last_good'], now)} old{schedule}")
    elif schedule:
        lines.append(f"backup    none yet{schedule}")
    if backup["late"]:
        lines.append("warning   there should be a newer backup by now: look at logs/backup.log, or run mcc backup")
    return lines


def _marked(release: Release) -> str:
    return ", ".join(filter(None, (f"by {release.bad_by}" if release.bad_by else "", release.bad_at))) or "by hand"


def _build(release: Release) -> str:
    return str(release.build) if release.build.branch or release.build.number is not None else "no build information"


def _by(release: Release) -> str:
    return f"by {release.by}" + (f", stage {release.stage}" if release.stage else "")


def _ago(at: str, now: datetime) -> str:
    seconds = int((now - datetime.fromisoformat(at)).total_seconds())
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {word}{'s' if count != 1 else ''}"
    return "1 second" if seconds == 1 else f"{max(0, seconds)} seconds"
