"""``conf-{stage}.yml``: the server and the site of one stage, as frozen values.

The names here are the domain's; the keys in the file (``REMOTE_BASE``, ``DIR_USER``, …)
and what is allowed in them are written down in :mod:`mcc.core.conf.schema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mcc.model.database import Tracking

OwnershipMode = Literal["sudo", "acl", "none"]
Manager = Literal["systemd", "embedded", "none"]
DatabaseKind = Literal["sqlite", "postgresql", "none"]
MigrationTool = Literal["sql", "alembic"]
AppServer = Literal["uvicorn", "gunicorn"]
TlsSource = Literal["certbot", "files", "none"]
NoticeKind = Literal["failure", "rollback", "stuck", "late-backup", "success"]


@dataclass(frozen=True, slots=True)
class Server:
    """Where the site lives. ``base`` is ``REMOTE_BASE``, absolute."""

    base: Path
    user: str | None = None
    hosts: tuple[str, ...] = ()
    port: int = 22


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whom files belong to, and by which means."""

    mode: OwnershipMode = "sudo"
    user: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the application with its own version folder and links.

    ``folder`` holds the versions (``api`` -> ``api/vrs-…``). ``sources`` maps folders of the
    output to folders of the release (``"ui" -> "."``: its content). ``links`` maps names of
    links in the site to folders of the release (``current-api -> .``). ``environment``: the
    release folder gets a ``.venv`` link, and migrations are looked for in it.
    """

    name: str
    folder: str
    sources: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]
    environment: bool = False


@dataclass(frozen=True, slots=True)
class SiteFile:
    """A single file of the output, placed in the site at a path relative to its base."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class EmbeddedService:
    """A service that mcc's own manager runs where there is no systemd.

    ``listen`` (``127.0.0.1:8000``) is held open over restarts, as a ``.socket`` unit does; the
    command finds the descriptor's number in place of ``{SOCKET_FD}``.
    """

    name: str
    command: tuple[str, ...]
    directory: Path
    listen: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    log: Path | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """What is restarted. ``names`` are passed to the manager letter by letter."""

    manager: Manager = "systemd"
    names: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
    embedded: tuple[EmbeddedService, ...] = ()
    start_timeout: float = 30.0
    stable_for: float = 3.0
    drain_timeout: float = 30.0

    @property
    def all(self) -> tuple[str, ...]:
        """Web services first, then workers."""
        return self.names + self.workers


@dataclass(frozen=True, slots=True)
class CronJob:
    """One job: ``# MARKER``, then ``SCHEDULE cd SCRIPTS && ./SCRIPT >> LOGS/LOG 2>&1``.

    ``line`` is a whole crontab line of the project's own; script and log are empty then, and ``marker`` is the
    comment above it, if that is one word. Without ``overlap`` a run that would overlap the one before is skipped.
    """

    schedule: str
    script: str
    log: str
    marker: str
    line: str = ""
    overlap: bool = True
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Database:
    """How the databases of the site are found and brought forward.

    ``url`` and the ``DB_*`` parts are as written (a password is among the conf's secrets); ``schemas``
    are PostgreSQL's, one a tenant. ``schema_sql`` and ``always_sql`` are files of the release.
    ``offline``: services stand still while databases are migrated.
    """

    kind: DatabaseKind | None = None
    migrations_dir: str | None = None
    tool: MigrationTool | None = None
    tracking: Tracking = field(default_factory=Tracking)
    schema_sql: str | None = None
    always_sql: str | None = None
    offline: bool = False
    url: str | None = None
    host: str | None = None
    port: int | None = None
    name: str | None = None
    user: str | None = None
    password: str | None = None
    schemas: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Backup:
    """``BACKUP_*``: kept as read; counts are numbers of copies."""

    enabled: bool = False
    path: str | None = None
    daily: int = 7
    weekly: int = 4
    monthly: int = 0
    schedule: str | None = None


@dataclass(frozen=True, slots=True)
class Application:
    """What provisioned units run. ``name`` is ``module:attribute``; commands are lists of words."""

    name: str = "api.main:app"
    server: AppServer = "uvicorn"
    server_args: tuple[str, ...] = ()
    worker_command: tuple[str, ...] = ()
    log_level: str = "info"
    description: str | None = None
    worker_description: str | None = None


@dataclass(frozen=True, slots=True)
class Web:
    """The provisioned site of nginx. ``site`` is its file's name; None: the last name of the base.

    ``certificate`` and ``key`` are paths in which ``{{DOMAIN}}`` may stand. ``rate_limit`` is nginx's ``20r/s``.
    """

    site: str | None = None
    tls: TlsSource = "certbot"
    certificate: str | None = None
    key: str | None = None
    email: str | None = None
    prefixes: tuple[str, ...] = ("/api/",)
    body_limit: str = "20m"
    rate_limit: str | None = None


@dataclass(frozen=True, slots=True)
class Maintenance:
    """What visitors get while the site rests. ``page`` is a file of the output; None: mcc's own.

    ``retry_after`` is in seconds; ``allow`` are addresses and networks that reach the site all the same.
    """

    page: str | None = None
    retry_after: int = 120
    allow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Smoke:
    """What is asked after the cut-over. ``urls`` None: worked out; empty: no smoke test."""

    health_path: str = "/api/public/health/health"
    urls: tuple[str, ...] | None = None
    timeout: float = 10.0


@dataclass(frozen=True, slots=True)
class Notify:
    """Who is told what. ``addresses`` are apprise's URLs or ``mail:NAME@HOST``; they hold secrets."""

    addresses: tuple[str, ...] = field(default=(), repr=False)
    on: tuple[NoticeKind, ...] = ("failure", "rollback", "stuck", "late-backup")


@dataclass(frozen=True, slots=True)
class Environment:
    """How the Python environment is made. ``probe`` is a module to import, or None."""

    sync_args: tuple[str, ...] = ()
    probe: str | None = None


@dataclass(frozen=True, slots=True)
class Conf:
    """One stage's whole configuration.

    ``values`` holds every key of the file with its placeholders filled in, for a project's own
    code; ``secrets`` holds the values that must never be shown. ``warnings`` are for the reader.
    ``clone_domains`` says which database of a clone's source becomes which one here.
    """

    path: Path
    server: Server
    stage: str | None = None
    ownership: Ownership = Ownership()
    components: tuple[Component, ...] | None = None
    site_files: tuple[SiteFile, ...] = ()
    environment: Environment = Environment()
    services: Services = Services()
    api_port: int | None = None
    keep_assets: bool = True
    protected: bool = False
    domains: tuple[str, ...] = ()
    clone_domains: tuple[tuple[str, str], ...] = ()
    database: Database = Database()
    backup: Backup = Backup()
    cron: tuple[CronJob, ...] = ()
    application: Application = Application()
    web: Web = Web()
    maintenance: Maintenance = Maintenance()
    smoke: Smoke = Smoke()
    notify: Notify = Notify()
    values: Mapping[str, Any] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
