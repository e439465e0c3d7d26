"""Which releases and environments may go."""

from __future__ import annotations

from collections.abc import Collection

from mcc.core.ledger import Ledger
from mcc.model.release import Release


def releases_to_remove(ledger: Ledger, keep: int) -> tuple[Release, ...]:
    """Good releases beyond the newest ``keep``, the live one included in the count.

    Failed releases are not counted: their folders went when they failed. The live release is
    never in the answer, whatever ``keep`` says.
    """
    standing = ledger.standing()
    kept = set(standing[-max(1, keep) :])
    return tuple(release for release in standing if release not in kept and release.state != "live")


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
