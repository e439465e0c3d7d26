"""How big the tables are that pending migrations change: a lock on a small one is not worth a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from mcc.core.hazards.find import tables
from mcc.core.sql.words import Dialect
from mcc.errors import MigrationFailed
from mcc.host.ports import Host, migrator
from mcc.model.database import Target
from mcc.model.migration import Migration

Pending: TypeAlias = tuple[Migration, ...]
_MOST = 10
"""So many schemas of PostgreSQL are asked: each is a connection."""


def table_rows(host: Host, databases: Iterable[tuple[Target, Pending]], dialect: Dialect) -> Mapping[str, int]:
    """About how many rows each table has where it has most; only what is known, nothing is raised.

    ``databases`` are those that are there, with what is pending. Of files that wait for the same, the
    largest is asked.
    """
    ways: dict[int, tuple[Pending, list[Target]]] = {}
    for target, pending in databases:
        ways.setdefault(id(pending), (pending, []))[1].append(target)
    most: dict[str, int] = {}
    for pending, targets in ways.values():
        names = tables(pending, dialect)
        for target in _asked(host, targets) if names else ():
            for table, count in _sizes(host, target, names).items():
                most[table] = max(count, most.get(table, 0))
    return most


def _asked(host: Host, targets: Sequence[Target]) -> Iterator[Target]:
    files = [target for target in targets if target.kind == "sqlite"]
    if files:
        yield max(files, key=lambda target: host.files.size(target.path))
    yield from [target for target in targets if target.kind == "postgresql"][:_MOST]


def _sizes(host: Host, target: Target, names: Sequence[str]) -> Mapping[str, int]:
    try:
        return migrator(host, target).sizes(target, names)
    except MigrationFailed:
        return {}
