"""Writing rows of the tracking table, in the transaction of the files that they stand for."""

from __future__ import annotations

from collections.abc import Sequence

from mcc.core.migrating.rows import applied_from, is_same, stored_hashes, stored_name
from mcc.host.sqlite import tracking as sql
from mcc.host.sqlite.session import Session
from mcc.model.database import Applied, Tracking
from mcc.model.migration import Migration


def add_rows(session: Session, tracking: Tracking, new: Sequence[Migration], all_: Sequence[Migration]) -> None:
    """Record ``new``; rows of other files that have no checksum yet get theirs on this occasion.

    The table is made late, because a file may make it itself, and write its row too.
    """
    rows = _table(session, tracking, bool(new))
    applied = applied_from(rows.raw, tracking)
    there = {row.name for row in applied}
    _insert(session, tracking, [each for each in new if each.name not in there], all_, rows.names, applied)
    bare = {row.name for row in applied if row.checksum is None}
    if new and rows.checksums:
        _renew(session, tracking, [each for each in all_ if each.name in bare], all_, rows.names, applied)


def set_rows(session: Session, tracking: Tracking, given: Sequence[Migration]) -> tuple[str, ...]:
    """Record ``given`` as applied with the text that they have now; the names whose rows changed."""
    rows = _table(session, tracking, True)
    applied = applied_from(rows.raw, tracking)
    there = {row.name: row for row in applied}
    new = [each for each in given if each.name not in there]
    other = [
        each for each in given if rows.checksums and each.name in there and not _says(there[each.name], each)
    ]  # fmt: skip
    _insert(session, tracking, new, given, rows.names, applied)
    _renew(session, tracking, other, given, rows.names, applied)
    changed = {each.name for each in (*new, *other)}
    return tuple(each.name for each in given if each.name in changed)


def _says(row: Applied, migration: Migration) -> bool:
    return row.checksum is not None and is_same(migration, row, own=True, known=True)


def _table(session: Session, tracking: Tracking, writing: bool) -> sql.Rows:
    if not (writing or tracking.is_own):
        return session.tracked(tracking)
    session.execute(sql.make_table(tracking))
    rows = session.tracked(tracking)
    if writing and tracking.is_own and not rows.checksums:
        session.execute(sql.add_column(tracking))
        return session.tracked(tracking)
    return rows


def _insert(
    session: Session,
    tracking: Tracking,
    new: Sequence[Migration],
    all_: Sequence[Migration],
    names: Sequence[str],
    applied: Sequence[Applied],
) -> None:
    hashes = stored_hashes(new, all_, applied)
    values = ((stored_name(each.name, names, tracking), found) for each, found in zip(new, hashes, strict=True))
    columns = 2 if tracking.checksum else 1
    if new:
        session.execute_many(sql.insert(tracking), [each[:columns] for each in values])


def _renew(
    session: Session,
    tracking: Tracking,
    which: Sequence[Migration],
    all_: Sequence[Migration],
    names: Sequence[str],
    applied: Sequence[Applied],
) -> None:
    hashes = stored_hashes(which, all_, applied)
    values = [(found, stored_name(each.name, names, tracking)) for each, found in zip(which, hashes, strict=True)]
    if values:
        session.execute_many(sql.update(tracking), values)
