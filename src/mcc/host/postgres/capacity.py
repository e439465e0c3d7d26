"""How many connections a PostgreSQL server takes, and has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mcc.host.postgres.session import opened
from mcc.host.senses import Capacity
from mcc.model.database import PostgresDatabase

# Everybody may count the rows of pg_stat_activity; background processes have no database. Ours is one of them.
_ASK = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
       (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname IS NOT NULL) - 1,
       (SELECT datconnlimit FROM pg_catalog.pg_database WHERE datname = current_database()),
       (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = current_database()) - 1,
       (SELECT rolconnlimit FROM pg_catalog.pg_roles WHERE rolname = current_user),
       (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usename = current_user) - 1
"""


def capacity(target: PostgresDatabase, passwords: Mapping[Path, str]) -> Capacity:
    """The tightest of the limits of server, database and role. Raises MigrationFailed."""
    with opened(target, passwords) as session:
        most, used, *limits = session.rows(_ASK)[0]
        free = [most - used]
        free += [limit - there for limit, there in zip(limits[::2], limits[1::2], strict=True) if limit >= 0]
        return Capacity(session.version, most, max(0, min(free)))
