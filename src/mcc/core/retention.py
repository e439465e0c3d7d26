"""Which releases and environments may go."""

from __future__ import annotations

from collections.abc import Collection

from mcc.core.ledger import Ledger
from mcc.model.release import Release


def releases_to_remove(ledger: Ledger, keep: int) -> tuple[Release, ...]:
    """Good releases beyond the newest ``keep``, the live one included in the count.

    Failed releases are not counted: their folders went when they failed. Nor are those that were marked bad; they
    go with the good ones that are as old. The live release is never in the answer, whatever ``keep`` says.
    """
    kept = [release for release in ledger.standing() if release.state != "bad"][-max(1, keep) :]
    place = {name: number for number, name in enumerate(ledger.order)}
    oldest = min((place.get(release.name, 0) for release in kept), default=len(place))
    return tuple(
        release
        for release in ledger.standing()
        if release not in kept
        and release.state != "live"
        and (release.state != "bad" or place.get(release.name, 0) < oldest)
    )


def strangers_to_remove(strangers: Collection[str], ledger: Ledger, keep: int) -> tuple[str, ...]:
    """Version folders that no run of mcc made (``api/vrs-…``), beyond the newest ``keep`` with all that stands.

    It is what the script that made them would do itself: by their names.
    """
    names = sorted({folder.rpartition("/")[2] for folder in strangers}, reverse=True)
    kept = names[: max(0, keep - len(ledger.standing()))]
    return tuple(folder for folder in strangers if folder.rpartition("/")[2] not in kept)


def environments_to_remove(
    present: Collection[str], ledger: Ledger, removed: Collection[Release], in_use: Collection[str]
) -> tuple[str, ...]:
    """Environments that no standing release needs; ``in_use`` are names that must stay."""
    needed = {release.environment for release in ledger.standing() if release not in removed}
    return tuple(sorted(name for name in present if name not in needed and name not in in_use))
