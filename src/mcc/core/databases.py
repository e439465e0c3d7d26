"""Which databases a site has, by its conf."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from mcc.core.layout import Site
from mcc.model.conf import Conf, Database
from mcc.model.database import PostgresDatabase, SqliteDatabase, Target

_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg")


def targets(conf: Conf, site: Site, environment: Mapping[str, str] | None = None) -> tuple[Target, ...]:
    """The databases in the order of the conf; none for ``DATABASE: none``.

    ``environment`` may name DATABASE_URL where the conf does not. Raises ValueError for a URL that is none.
    """
    if conf.database.kind == "none":
        return ()
    if conf.database.kind == "postgresql":
        return _postgres(conf.database, environment or {})
    if conf.domains:
        return tuple(SqliteDatabase(domain, site.database(domain)) for domain in conf.domains)
    return (SqliteDatabase("data.db", site.single_database),)


def _postgres(database: Database, environment: Mapping[str, str]) -> tuple[PostgresDatabase, ...]:
    base = postgres_database(database, environment.get("DATABASE_URL"))
    if not database.schemas:
        return (base,)
    return tuple(
        PostgresDatabase(schema, base.database, base.host, base.port, base.user, schema, base.options)
        for schema in database.schemas
    )


def postgres_database(database: Database, url: str | None) -> PostgresDatabase:
    """The database that ``DATABASE_URL`` or ``DB_*`` name; the keys of the conf win over the environment's URL."""
    given = database.url or (None if database.name else url)
    if given:
        return _from_url(given)
    name = database.name or ""
    return PostgresDatabase(name or "postgresql", name, database.host or "", database.port, database.user or "")


def password(database: Database, environment: Mapping[str, str]) -> str | None:
    """The password that conf or environment know; None: libpq looks for one by itself."""
    given = database.url or (None if database.name else environment.get("DATABASE_URL"))
    if given:
        found = urlsplit(given).password
        return unquote(found) if found else environment.get("DB_PASSWORD")
    return database.password or environment.get("DB_PASSWORD")


def _from_url(url: str) -> PostgresDatabase:
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"DATABASE_URL begins with {parts.scheme!r}; allowed: postgresql://user@host:port/database")
    name = unquote(parts.path.lstrip("/"))
    options = tuple(parse_qsl(parts.query))
    host = unquote(parts.hostname or "") or dict(options).get("host", "")
    rest = tuple((key, value) for key, value in options if key != "host")
    return PostgresDatabase(name or "postgresql", name, host, parts.port, unquote(parts.username or ""), None, rest)


def url_of(target: PostgresDatabase, secret: str | None) -> str:
    """``DATABASE_URL`` as an application reads it (alembic does), with its password. For environments only."""
    user = quote(target.user, safe="")
    account = f"{user}:{quote(secret, safe='')}@" if secret else f"{user}@" if user else ""
    socket = target.host.startswith("/")
    place = "" if socket else target.host + (f":{target.port}" if target.port else "")
    query = [("host", target.host)] if socket else []
    query += [("port", str(target.port))] if socket and target.port else []
    query += target.options
    tail = f"?{urlencode(query)}" if query else ""
    return f"postgresql://{account}{place}/{quote(target.database, safe='')}{tail}"


def side_files(path: Path) -> tuple[Path, ...]:
    """What SQLite keeps beside a database (https://www.sqlite.org/tempfiles.html)."""
    return tuple(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal"))
