"""Which databases a site has, by its conf."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from mcc.core.layout import Site
from mcc.core.masking import is_secret_name, url_passwords
from mcc.model.conf import Conf, Database
from mcc.model.database import PostgresDatabase, SqliteDatabase, Target

_SCHEME = re.compile(r"postgres(ql)?(\+\w+)?")  # with the driver that SQLAlchemy is to use
_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///([^?]+)(?:\?.*)?")  # as SQLAlchemy has it: /// relative, //// absolute
_PLACED = ("host", "port", "user", "dbname", "password", "passfile")


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
    return (_single(conf, site),)


def files_of(targets: Iterable[Target]) -> tuple[Path, ...]:
    """The files of those that are SQLite's."""
    return tuple(target.path for target in targets if isinstance(target, SqliteDatabase))


def _single(conf: Conf, site: Site) -> SqliteDatabase:
    """``data.db``; where alembic migrates, the file that its own address names, from the site on."""
    database = conf.database
    match = _SQLITE.fullmatch(database.url or "") if database.tool == "alembic" else None
    if match is None:
        shared = conf.ownership.mode == "acl"
        return SqliteDatabase("data.db", site.shared_database if shared else site.single_database)
    return SqliteDatabase(match[1], site.base / match[1])


def completed(conf: Conf, variable: Callable[[str], str | None]) -> Conf:
    """The conf with what the environment says of the database where the conf itself does not.

    DATABASE_URL counts if the conf has neither an address nor DB_NAME, DB_PASSWORD if there is no password yet.
    """
    database = conf.database
    if database.kind != "postgresql" and database.tool != "alembic":
        return conf
    url = database.url or (None if database.name else variable("DATABASE_URL"))
    found = replace(database, url=url)
    if _password(found) is None:
        found = replace(found, password=variable("DB_PASSWORD"))
    secrets = {*conf.secrets, *url_passwords(url or ""), *filter(None, (_password(found),))}
    return replace(conf, database=found, secrets=frozenset(secrets))


def _password(database: Database) -> str | None:
    try:
        return password(database, {})
    except ValueError:
        return database.password  # the address is complained about where it is needed


def with_password_file(found: tuple[Target, ...], file: Path) -> tuple[Target, ...]:
    """The same databases, with their password in that file."""
    return tuple(replace(each, password_file=file) if each.kind == "postgresql" else each for each in found)


def _postgres(database: Database, environment: Mapping[str, str]) -> tuple[PostgresDatabase, ...]:
    base = postgres_database(database, environment.get("DATABASE_URL"))
    if not database.schemas:
        return (base,)
    return tuple(replace(base, name=schema, schema=schema) for schema in database.schemas)


def postgres_database(database: Database, url: str | None) -> PostgresDatabase:
    """The database that ``DATABASE_URL`` or ``DB_*`` name; the keys of the conf win over the environment's URL."""
    given = database.url or (None if database.name else url)
    if given:
        return _from_url(given)
    if not database.name:
        raise ValueError("DATABASE: postgresql: which one is it? Set DATABASE_URL, or DB_NAME with DB_HOST and DB_USER")
    return PostgresDatabase(database.name, database.name, database.host or "", database.port, database.user or "")


def password(database: Database, environment: Mapping[str, str]) -> str | None:
    """The password that conf or environment know; None: libpq looks for one by itself."""
    given = database.url or (None if database.name else environment.get("DATABASE_URL"))
    return (_url_password(given) if given else None) or database.password or environment.get("DB_PASSWORD")


def _url_password(url: str) -> str | None:
    parts = _split(url)
    return unquote(parts.password) if parts.password else dict(parse_qsl(parts.query)).get("password")


def _from_url(url: str) -> PostgresDatabase:
    parts = _split(url)
    if not _SCHEME.fullmatch(parts.scheme):
        raise ValueError(f"DATABASE_URL begins with {parts.scheme!r}; allowed: postgresql://user@host:port/database")
    query = dict(parse_qsl(parts.query))
    name = unquote(parts.path.lstrip("/")) or query.get("dbname", "")
    if not name:
        raise ValueError("DATABASE_URL names no database; allowed: postgresql://user@host:port/database")
    port = parts.port or (int(query["port"]) if query.get("port", "").isdecimal() else None)
    # What has a place of its own stays out of the parameters; a password must: they stand in journals.
    rest = tuple((key, value) for key, value in query.items() if key not in _PLACED)
    hidden = next((key for key, _ in rest if is_secret_name(key)), None)
    if hidden:
        raise ValueError(f"DATABASE_URL: {hidden} cannot stand in the address; use a key that needs no password")
    return PostgresDatabase(
        name, name, unquote(parts.hostname or "") or query.get("host", ""), port,
        unquote(parts.username or "") or query.get("user", ""), None, rest,
        Path(query["passfile"]) if "passfile" in query else None,
    )  # fmt: skip


def _split(url: str) -> SplitResult:
    """An address in its parts. The reason is not passed on: it quotes what may be part of a password."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(
            "DATABASE_URL cannot be read: its port is no number; in a password, / : @ # ? % [ ] are written as "
            "%2F %3A %40 %23 %3F %25 %5B %5D"
        ) from None
    return parts


def url_of(target: PostgresDatabase, secret: str | None) -> str:
    """``DATABASE_URL`` as an application reads it (alembic does), with its password. For environments only."""
    user = quote(target.user, safe="")
    account = f"{user}:{quote(secret, safe='')}@" if secret else f"{user}@" if user else ""
    socket = target.host.startswith("/")
    place = "" if socket else target.host + (f":{target.port}" if target.port else "")
    query = [("host", target.host)] if socket else []
    query += [("port", str(target.port))] if socket and target.port else []
    query += target.options
    # libpq takes a + for what it is, and not for a space.
    tail = f"?{urlencode(query, quote_via=quote)}" if query else ""
    return f"postgresql://{account}{place}/{quote(target.database, safe='')}{tail}"


def side_files(path: Path) -> tuple[Path, ...]:
    """What SQLite keeps beside a database (https://www.sqlite.org/tempfiles.html)."""
    return tuple(path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal"))
