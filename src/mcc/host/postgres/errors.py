"""PostgreSQL's errors in words that say where, why and the way out.

The codes are those of https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcc.core.sql.postgres import line_at
from mcc.errors import MigrationFailed
from mcc.model.database import PostgresDatabase
from mcc.model.migration import Statement

if TYPE_CHECKING:
    import psycopg

LOCK = "55P03"
"""A lock was not got within ``lock_timeout``."""
TRY_AGAIN = (LOCK, "40P01", "40001")
"""A lock not got, a deadlock, transactions that cannot be put in an order: the same may work later."""

_HELP = {
    LOCK: "see who holds the table (pg_stat_activity, pg_locks), end it or deploy when the site is quiet",
    "40P01": "deploy again; two transactions waited for each other",
    "57014": "cut the work into smaller files, or do it by a file with -- mcc: no-transaction",
    "42501": "give the user of the migrations this right, or let the owner of the tables be that user",
    "42P07": "it is there already: was it made by hand? mcc migrate --baseline NAME records files as applied",
    "53100": "make room on the disk of the database and deploy again",
    "3F000": "name the schema in DATABASE_SCHEMA",
    "28P01": "look at DB_USER and DB_PASSWORD, or the password in DATABASE_URL",
    "25006": "this server is a standby, or read-only: name the primary",
}
# What the server says before there is a connection has no code (libpq gives the words alone).
_BEFORE = (
    ("does not exist", "make it: createdb {database}; or look at DB_NAME, DB_USER, DATABASE_URL"),
    ("password authentication failed", _HELP["28P01"]),
    ("no password supplied", "set DB_PASSWORD, or put the password into ~/.pgpass of the deploy user"),
    ("no pg_hba.conf entry", "the server does not let this user in from here: look at its pg_hba.conf"),
    ("Peer authentication failed", "over the socket the deploy user must have the role's name; or set DB_HOST"),
    ("Connection refused", "is it running, and are DB_HOST and DB_PORT right?"),
    ("No such file", "is it running, and are DB_HOST and DB_PORT right?"),
    ("could not translate host name", "look at DB_HOST, or the host in DATABASE_URL"),
    ("resolve", "look at DB_HOST, or the host in DATABASE_URL"),
    ("timeout", "is it running, and does a firewall let this machine through?"),
    ("too many clients", "wait, or raise max_connections"),
    ("invalid connection option", "the query of DATABASE_URL may hold parameters of libpq only"),
)


def failed(
    target: PostgresDatabase, error: psycopg.Error, file: str = "", statement: Statement | None = None
) -> MigrationFailed:
    """The error to raise: database, file, line, SQLSTATE and the server's words."""
    where = f"{target.name}: "
    if file:
        line = line_at(statement, _position(error)) if statement else 0
        where += f"{file}:{line}: " if line else f"{file}: "
    code = f" (SQLSTATE {error.sqlstate})" if error.sqlstate else ""
    help = _HELP.get(error.sqlstate or "", "") or _connection_help(target, error)
    return MigrationFailed(f"{where}{_words(error)}{code}", help=help, log=_evidence(error))


def unreachable(target: PostgresDatabase, error: psycopg.Error) -> MigrationFailed:
    """Nobody answered, or we were not let in."""
    place = target.host or "the local socket"
    port = f":{target.port}" if target.port and not place.startswith("/") else ""
    help = _connection_help(target, error)
    return MigrationFailed(f"{target.name}: PostgreSQL at {place}{port}: {_words(error)}", help=help)


def _connection_help(target: PostgresDatabase, error: psycopg.Error) -> str:
    if error.sqlstate:
        return ""
    text = str(error)
    found = next((help for part, help in _BEFORE if part in text), "")
    return found.format(database=target.database)


def _words(error: psycopg.Error) -> str:
    if error.diag.message_primary:
        return error.diag.message_primary
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # With several addresses psycopg lists all attempts; the first line says what went wrong.
    return lines[0].removeprefix("connection failed: ") if lines else type(error).__name__


def _evidence(error: psycopg.Error) -> tuple[str, ...]:
    diag = error.diag
    parts = (("DETAIL", diag.message_detail), ("HINT", diag.message_hint), ("CONTEXT", diag.context))
    return tuple(f"{name}:  {text}" for name, text in parts if text)


def _position(error: psycopg.Error) -> int | None:
    position = error.diag.statement_position
    return int(position) if position else None
