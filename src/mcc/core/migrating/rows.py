"""Rows of a tracking table: what they say of files, and how a new one is written.

mcc's own table holds names without ``.sql`` and mcc's checksum. A project's table may hold file names
and hashes of its own; a new row then looks like those that are there.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from mcc.model.database import Applied, Tracking
from mcc.model.migration import Migration

_SUFFIX = ".sql"


def applied_from(rows: Iterable[tuple[object, object]], tracking: Tracking) -> tuple[Applied, ...]:
    """Names and checksums as they stand in a table, in the form that migrations have.

    Tenants mostly have had the same: what was worked out for one is remembered for the next.
    """
    return _applied(tuple(rows), tracking)


@functools.lru_cache(maxsize=64)
def _applied(rows: tuple[tuple[object, object], ...], tracking: Tracking) -> tuple[Applied, ...]:
    return tuple(Applied(_plain(str(name), tracking), _text(checksum)) for name, checksum in rows)


def stored_name(name: str, names: Sequence[str], tracking: Tracking) -> str:
    """How a migration is called in a table that holds ``names``."""
    if tracking.is_own:
        return name
    with_suffix = any(each.endswith(_SUFFIX) for each in names) if names else "file" in tracking.name.lower()
    return name + _SUFFIX if with_suffix else name


def stored_hash(migration: Migration, migrations: Sequence[Migration], applied: Sequence[Applied]) -> str:
    """The checksum of a new row: of the kind that the other rows of these migrations have, else mcc's."""
    return stored_hashes([migration], migrations, applied)[0]


def stored_hashes(which: Iterable[Migration], migrations: Sequence[Migration], applied: Sequence[Applied]) -> list[str]:
    """The same of several; what the other rows have is found out once."""
    kind = _kind(migrations, applied) or 0
    return [_hashes(each)[kind] for each in which]


def is_same(migration: Migration, row: Applied, own: bool, known: bool) -> bool:
    """Whether a row says that this text was applied; one without a checksum says nothing against it.

    ``own``: the table is mcc's. ``known``: other rows of this table have hashes that mcc can work out;
    in a project's table without such rows a checksum is not mcc's to judge.
    """
    if not row.checksum or row.checksum.lower() in _hashes(migration):
        return True
    return not own and not (known and len(row.checksum) in map(len, _hashes(migration)))


def is_known(migrations: Sequence[Migration], applied: Sequence[Applied]) -> bool:
    """Whether a row has a hash that mcc can work out."""
    return _kind(migrations, applied) is not None


def _kind(migrations: Sequence[Migration], applied: Sequence[Applied]) -> int | None:
    files = {each.name: _hashes(each) for each in migrations}
    for row in applied:
        hashes = files.get(row.name, ())
        if row.checksum and row.checksum.lower() in hashes:
            return hashes.index(row.checksum.lower())
    return None


def _hashes(migration: Migration) -> tuple[str, ...]:
    return (migration.checksum, *migration.others)


def _plain(name: str, tracking: Tracking) -> str:
    return name if tracking.is_own else name.removesuffix(_SUFFIX)


def _text(checksum: object) -> str | None:
    if checksum is None or checksum == "":
        return None
    return checksum.hex() if isinstance(checksum, bytes) else str(checksum)
