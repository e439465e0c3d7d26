"""PostgreSQL: there, and with connections for a release that starts while the other still runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mcc.check.scene import Scene
from mcc.core.databases import password, targets
from mcc.core.looks.findings import Finding, error, ok, warning
from mcc.core.pgpass import pgpass
from mcc.errors import MigrationFailed
from mcc.model.database import PostgresDatabase

_SLOTS = 2
_SPARE = 3
"""For mcc, a backup, and a person with psql."""


def postgres(scene: Scene) -> Iterator[Finding]:
    """One look at the server; schemas of it are one database."""
    conf = scene.conf
    if conf.database.kind != "postgresql":
        return
    target = next((each for each in targets(conf, scene.site) if isinstance(each, PostgresDatabase)), None)
    if target is None:
        return
    try:
        capacity = scene.senses.capacity(*_with_password(scene, target))
    except MigrationFailed as wrong:
        help = wrong.help or "look whether PostgreSQL runs, and at DATABASE_URL or DB_*"
        yield error("postgres.unreachable", target.database, wrong.message, help)
        return
    workers = str(conf.values.get("WORKERS", ""))
    processes = int(workers) if workers.isdecimal() else 1
    needed = processes * _SLOTS + _SPARE
    if capacity.free < needed:
        message = f"{capacity.free} of {capacity.most} connections are free, and {needed} may be needed in a deploy"
        help = (
            f"raise max_connections, use a pool, or lower WORKERS ({processes} processes, twice, and {_SPARE} to spare)"
        )
        yield warning("postgres.connections", target.database, message, help)
    else:
        yield ok(
            "postgres.free", f"PostgreSQL {capacity.version}: {capacity.free} of {capacity.most} connections are free"
        )


def _with_password(scene: Scene, target: PostgresDatabase) -> tuple[PostgresDatabase, dict[Path, str]]:
    secret = password(scene.conf.database, {})
    if not secret:
        return target, {}
    file = scene.site.own / "not-written"  # only its name is needed: the text is handed over
    return replace(target, password_file=file), {file: pgpass(secret)}
