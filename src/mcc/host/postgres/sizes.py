"""About how many rows tables of a PostgreSQL database have."""

from __future__ import annotations

from collections.abc import Sequence

from mcc.host.postgres.session import Session, quoted

# What ANALYZE and VACUUM last counted (-1: neither ran yet), else guessed from the size on disk.
_ROWS = """
SELECT CASE WHEN c.reltuples >= 0 THEN c.reltuples ELSE pg_catalog.pg_relation_size(c.oid) / 100 END::bigint
FROM pg_catalog.pg_class c WHERE c.oid = to_regclass(%s) AND (c.relkind IN ('r', 'm') OR c.reltuples > 0)
"""


def sizes(session: Session, tables: Sequence[str]) -> dict[str, int]:
    """Rows by table; see the port ``Migrator``. Raises MigrationFailed."""
    found = ((table, session.rows(_ROWS, (_quoted(table),))) for table in tables)
    return {table: int(rows[0][0]) for table, rows in found if rows}


def _quoted(table: str) -> str:
    return ".".join(quoted(part) for part in table.split("."))
