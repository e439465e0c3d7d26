"""Words and sentences that several places say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcc.errors import MigrationFailed

_NAMED = 5


def many(count: int, what: str) -> str:
    """``1 job``, ``2 jobs``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def forward(moved: Mapping[str, int], total: int, direction: str) -> str:
    """``2 migrations ahead in a.example.com``: how far databases are from where they were.

    ``moved`` counts migrations by database (0 and less: it did not move), ``total`` counts databases.
    """
    counts = {name: count for name, count in moved.items() if count > 0}
    if not counts:
        return "as before"
    most = max(counts.values())
    where = ""
    if len(counts) > _NAMED and len(counts) < total:
        where = f" in {len(counts)} of {total} databases"
    elif len(counts) < total:
        where = f" in {', '.join(sorted(counts))}"
    return f"{most} migration{'s' if most != 1 else ''} {direction}{where}"


def all_of(failed: Sequence[MigrationFailed], total: int, what: str = "migrated") -> MigrationFailed:
    """One error that names every database that failed, with its reason."""
    if total == 1:
        return failed[0]
    lines = [line for error in failed for line in ((error.message,) if len(failed) > 1 else ()) + error.log]
    message = f"{len(failed)} of {total} databases could not be {what}: {failed[0].message}"
    return MigrationFailed(message, help=failed[0].help, log=lines)
