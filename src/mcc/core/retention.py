"""Which releases and environments may go: never what visitors have, may have, or get back in a hurry."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from mcc.core.ledger import Ledger
from mcc.model.release import Release


def live_since(ledger: Ledger, moment: datetime) -> frozenset[str]:
    """The releases that were live at that moment or later: a process that was started then may run any of them.

    A clock that was set back makes it more of them, never fewer.
    """
    were = [release for release in ledger.releases if release.state != "failed"]
    later = next((at for at, release in enumerate(were) if _is_later(release.at, moment)), len(were))
    return frozenset(release.name for release in were[max(0, later - 1) :])


def _is_later(text: str, moment: datetime) -> bool:
    """Whether a release came live after that moment; one that does not say when may have."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return True
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) > moment


def untouchable(ledger: Ledger, in_use: Collection[str] = ()) -> frozenset[str]:
    """The live release, what a rollback from it goes to, what was live before it, and what may be in use still."""
    live = ledger.live
    if live is None:
        return frozenset(in_use)
    others = [release for release in ledger.standing() if release.state != "bad" and release != live]
    fallback = ledger.before(live.name)
    near = (live, fallback, others[-1] if others else None)
    return frozenset(release.name for release in near if release) | frozenset(in_use)


def releases_to_remove(ledger: Ledger, keep: int, in_use: Collection[str] = ()) -> tuple[Release, ...]:
    """Good releases beyond the newest ``keep``, the live one included in the count.

    Failed releases are not counted: their folders went when they failed. Nor are those that were marked bad; they
    go with the good ones that are as old. What is :func:`untouchable` is never in the answer, whatever ``keep`` says.
    """
    kept = [release for release in ledger.standing() if release.state != "bad"][-max(1, keep) :]
    safe = untouchable(ledger, in_use) | {release.name for release in kept}
    place = {name: number for number, name in enumerate(ledger.order)}
    oldest = min((place.get(release.name, 0) for release in kept), default=len(place))
    return tuple(
        release
        for release in ledger.standing()
        if release.name not in safe and (release.state != "bad" or place.get(release.name, 0) < oldest)
    )


def strangers_to_remove(strangers: Collection[str], ledger: Ledger, keep: int) -> tuple[str, ...]:
    """Version folders that no run of mcc made (``api/vrs-…``), beyond the newest ``keep`` with all that stands.

    It is what the script that made them would do itself: by their names.
    """
    names = sorted({folder.rpartition("/")[2] for folder in strangers}, reverse=True)
    kept = names[: max(0, keep - len(ledger.standing()))]
    return tuple(folder for folder in strangers if folder.rpartition("/")[2] not in kept)


def environments_to_remove(
    present: Collection[str],
    ledger: Ledger,
    removed: Collection[Release],
    in_use: Collection[str] = (),
    irreplaceable: Collection[str] = (),
    spared: Collection[str] = (),
) -> tuple[str, ...]:
    """Environments of none of the :func:`untouchable` releases: a way back to another one builds its own anew.

    ``irreplaceable`` are releases for which nobody could build one: theirs stays as long as they do. ``spared`` are
    environments that must stay all the same.
    """
    safe = untouchable(ledger, in_use)
    needed = {
        release.environment
        for release in ledger.standing()
        if release.name in safe or (release.name in irreplaceable and release not in removed)
    }
    return tuple(sorted(name for name in present if name not in needed and name not in spared))
