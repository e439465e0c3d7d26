"""The lock that keeps a second migrator out of a schema, and who holds up whom.

A session advisory lock: it ends with the connection, so that a dead migrator leaves none behind, and
its rows are locked by nobody
(https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS).
"""

from __future__ import annotations

import hashlib
import time

from mcc.errors import MigrationFailed
from mcc.host.postgres.session import Session
from mcc.model.database import PostgresDatabase, Tracking

_POLL = 0.1
_HOLDER = """
SELECT a.pid, a.application_name, a.usename, a.client_addr::text FROM pg_catalog.pg_locks l
JOIN pg_catalog.pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
AND (l.classid::bigint << 32 | l.objid::bigint) = %s
"""
_IN_THE_WAY = """
SELECT DISTINCT a.pid, a.application_name, a.usename, a.state,
  extract(epoch FROM now() - a.xact_start)::int, a.xact_start
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
JOIN pg_catalog.pg_class c ON c.oid = l.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE l.granted AND a.pid <> pg_backend_pid() AND n.nspname = %s
AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
ORDER BY a.xact_start LIMIT 5
"""


def key(target: PostgresDatabase, tracking: Tracking) -> int:
    """The lock's number: of this database, schema and table."""
    text = "\0".join(("mcc", target.database, target.schema or "", tracking.table))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


def take(session: Session, tracking: Tracking, wait: float) -> None:
    """Take the lock until the connection ends; ``wait`` is in seconds. Raises MigrationFailed.

    Asked for again and again, not waited for inside of the server: there the waiting statement would be
    one that CREATE INDEX CONCURRENTLY of the other migrator waits for.
    """
    number = key(session.target, tracking)
    deadline = time.monotonic() + wait
    while not session.rows("SELECT pg_try_advisory_lock(%s)", (number,))[0][0]:
        if time.monotonic() >= deadline:
            raise MigrationFailed(
                f"{session.target.name}: another migrator has held this database for more than {wait:g} s"
                f"{_holder(session, number)}",
                help="wait for it to end, and deploy again",
            )
        time.sleep(_POLL)


def in_the_way(session: Session, schema: str) -> tuple[str, ...]:
    """Who holds tables of a schema in open transactions, oldest first; not what they do, which may be secret."""
    return tuple(
        f"process {pid} ({application or 'unnamed'}, role {role}) holds tables here, {state or 'hidden'}, "
        f"its transaction open for {age if age is not None else '?'} s"
        for pid, application, role, state, age, _ in session.rows(_IN_THE_WAY, (schema,))
    )


def _holder(session: Session, number: int) -> str:
    found = session.rows(_HOLDER, (number,))
    if not found:
        return ""
    pid, application, role, address = found[0]
    return f": process {pid} ({application or 'unnamed'}, role {role}, from {address or 'this machine'})"
