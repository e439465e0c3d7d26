"""``conf-{stage}.yml`` as it is written: every key, its type, its default and its meaning.

These are the keys of the file; the values that the program works with are in
:mod:`mcc.model.conf`, and :mod:`mcc.core.conf.values` makes the one from the other.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mcc.core.conf import fields as f


def _named(value: object) -> object:
    """``[a, b]`` stands for ``{a: a, b: b}``."""
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return {name: name for name in value}
    return value


class ComponentFile(BaseModel):
    """One entry of ``COMPONENTS``."""

    model_config = ConfigDict(extra="forbid", field_title_generator=f.as_written, title="component")

    folder: f.PlainPath | None = Field(
        None, description="The folder in the site that holds the versions (the component's name)."
    )
    sources: dict[f.RelativePath, f.InnerPath] = Field(
        min_length=1,
        description="Folders of the output, and where each goes in the release (. for its content).",
    )
    links: dict[f.PlainName, f.InnerPath] | None = Field(
        None, description="Links in the site, and what each points to in the release (current-NAME: .)."
    )
    environment: f.Flag | None = Field(
        None,
        description="Whether the environment and the migrations are this release's (true for api, else the first).",
    )


class CronFile(BaseModel):
    """One entry of ``CRON_JOBS``."""

    model_config = ConfigDict(extra="forbid", field_title_generator=f.as_written, title="cron job")

    schedule: f.Schedule = Field(description="Five fields as in crontab(5), or a name such as @daily.")
    script: f.PlainPath = Field(description="A file below scripts/.")
    log: f.PlainPath | None = Field(None, description="A file below logs/ (the script's name with .log).")
    marker: f.Text | None = Field(
        None, description="The comment above the line, by which the job is known (the script's name)."
    )
    overlap: f.Flag = Field(
        True, description="Whether a run may begin while the one before goes on; if not, it is skipped."
    )
    environment: dict[f.Variable, f.VariableValue] = Field(
        default_factory=dict, description="Variables of the job; no secrets, everybody could read them."
    )


class EmbeddedFile(BaseModel):
    """One entry of ``EMBEDDED_SERVICES``."""

    model_config = ConfigDict(extra="forbid", field_title_generator=f.as_written, title="embedded service")

    command: f.Words = Field(min_length=1, description="The program and its arguments.")
    directory: f.SitePath = Field(".", description="The working directory, absolute or from REMOTE_BASE on.")
    listen: f.Listen | None = Field(
        None, description="An address that is held open over restarts; the command finds it as {SOCKET_FD}."
    )
    environment: dict[f.Variable, f.VariableValue] = Field(
        default_factory=dict, description="Variables of the process."
    )
    log: f.SitePath | None = Field(None, description="Where its output goes, absolute or from REMOTE_BASE on.")


SiteFiles = Annotated[dict[f.RelativePath, f.RelativePath], BeforeValidator(_named)]


def _told_of() -> list[f.NoticeKind]:
    return ["failure", "rollback", "stuck", "late-backup"]


class ConfFile(BaseModel):
    """The server, the services, the domains and the databases of one stage."""

    model_config = ConfigDict(
        extra="allow",
        field_title_generator=f.as_written,
        title="conf-{stage}.yml",
        json_schema_extra={"required": ["REMOTE_BASE"]},
    )

    # server
    REMOTE_BASE: f.Base | None = Field(
        None, description="The site: the folder on the server that everything is deployed to."
    )
    REMOTE_USER: f.UserName | None = Field(None, description="The user who deploys.")
    REMOTE_HOST: f.Address | None = Field(None, description="The server.")
    REMOTE_HOSTS: list[f.Address] = Field(default_factory=list, description="Several servers, instead of REMOTE_HOST.")
    REMOTE_PORT: f.Port = Field(22, description="The port of ssh.")

    # ownership
    OWNERSHIP: f.OwnershipMode = Field(
        "sudo", description="Who may do what with files: by sudo (chown and chmod), acl (access control lists), none."
    )
    DIR_USER: f.UserName | None = Field(
        None, description="The user who runs nginx and the services. Needed for OWNERSHIP: sudo and acl."
    )
    DIR_GROUP: f.UserName | None = Field(None, description="The group that owns the site. Needed for OWNERSHIP: sudo.")

    # components
    COMPONENTS: dict[f.PlainName, ComponentFile] | None = Field(
        None,
        description="Parts with a version folder and links of their own (found from what is in the output).",
    )
    SITE_FILES: SiteFiles = Field(
        default_factory=dict,
        description="Single files of the output, and where each is placed in the site.",
        json_schema_extra=f.or_names,
    )

    KEEP_ASSETS: f.Flag = Field(
        True, description="A new front end takes over files of older ones that have a hash in their names."
    )

    # environment
    UV_SYNC_ARGS: f.Words = Field(default_factory=list, description="Further arguments of uv sync --frozen.")
    PROBE: f.Module | None = Field(
        None, description="A module that is imported in the new environment before anything is switched."
    )

    # services
    SERVICE_NAME: f.Unit | None = Field(None, description="The service that is restarted.")
    SERVICES: list[f.Unit] = Field(default_factory=list, description="Several services, instead of SERVICE_NAME.")
    WORKER_SERVICE_NAME: f.Units = Field(
        default_factory=list, description="Services that answer no requests: one name, or a list."
    )
    SERVICE_MANAGER: f.Manager = Field(
        "systemd", description="What runs the services: systemd, embedded (mcc itself), none."
    )
    EMBEDDED_SERVICES: dict[str, EmbeddedFile] = Field(
        default_factory=dict, description="How mcc runs each service. Needed for SERVICE_MANAGER: embedded."
    )
    START_TIMEOUT: f.Seconds = Field(30.0, description="Seconds that a service has to become active and answer.")
    STABLE_FOR: f.SecondsOrNone = Field(
        3.0, description="Seconds that a service must stay active before the release counts as good."
    )
    DRAIN_TIMEOUT: f.SecondsOrNone = Field(30.0, description="Seconds that an old slot has to finish its requests.")

    # stage
    STAGE: f.Text | None = Field(None, description="The name of the stage, for the application.")
    API_PORT: f.Port | None = Field(None, description="The port that the application listens on.")
    WORKERS: f.Many | None = Field(None, description="How many worker processes the application starts.")
    PROTECTED: f.Flag = Field(False, description="A site that a clone overwrites only if its name is typed.")

    # domains
    DOMAINS: list[f.Domain] = Field(
        default_factory=list, description="The domains, each with a database (none: one tenant)."
    )
    DOMAIN: f.Domain | None = Field(None, description="One domain, instead of DOMAINS.")
    CLONE_DOMAINS: dict[f.Text, f.Text] = Field(
        default_factory=dict,
        description="Which domain of a clone's source becomes which one here (by position if not given).",
    )

    # database
    DATABASE: f.DatabaseKind | None = Field(
        None, description="sqlite, postgresql or none (found from what is in the output)."
    )
    DATABASE_URL: f.Text | None = Field(None, description="The address of a PostgreSQL database.")
    DB_HOST: f.Text | None = Field(None, description="The server of the database, or the folder of its socket.")
    DB_PORT: f.Port | None = Field(None, description="The port of the database.")
    DB_NAME: f.Text | None = Field(None, description="The name of the database.")
    DB_USER: f.Text | None = Field(None, description="The user of the database.")
    DB_PASSWORD: f.LongText | None = Field(None, description="The password of that user; never shown.")
    DATABASE_SCHEMA: f.Schemas = Field(
        default_factory=list, description="The schema that the tables belong to, or a list: one a tenant."
    )
    MIGRATION_TOOL: f.MigrationTool | None = Field(None, description="sql (files of SQL) or alembic.")
    MIGRATIONS_DIR: f.RelativePath | None = Field(None, description="The folder of the migrations in the release.")
    MIGRATION_TABLE: f.TrackingTable | None = Field(
        None, description="The table that holds what was applied, if it is the project's own: table(name, checksum)."
    )
    MIGRATE_OFFLINE: f.Flag = Field(
        False, description="Whether services and cron jobs stand still while databases are migrated."
    )
    SCHEMA_SQL: f.RelativePath | None = Field(None, description="A file of SQL that starts a new database.")
    ALWAYS_SQL: f.RelativePath | None = Field(None, description="A file of SQL that is run at every deploy.")

    # backup
    BACKUP_ENABLED: f.Flag = Field(False, description="Whether the job of BACKUP_SCHEDULE is installed.")
    BACKUP_PATH: f.SitePath = Field("{{REMOTE_BASE}}/backups", description="Where copies are kept.")
    BACKUP_RETENTION_DAILY: f.Kept = Field(7, description="How many daily copies are kept.")
    BACKUP_RETENTION_WEEKLY: f.Kept = Field(4, description="How many weekly copies are kept.")
    BACKUP_RETENTION_MONTHLY: f.Kept = Field(0, description="How many monthly copies are kept.")
    BACKUP_SCHEDULE: f.Schedule | None = Field(None, description="When copies are made, as in crontab(5).")

    # cron
    CRON_JOBS: list[CronFile] = Field(
        default_factory=list,
        description="The site's cron jobs: a list, or text with one crontab line a line.",
        json_schema_extra=f.or_text,
    )

    # units, which mcc provision writes
    APP: f.Text = Field("api.main:app", description="The application of the web unit: module:attribute.")
    APP_SERVER: f.AppServer = Field("uvicorn", description="What runs it: uvicorn, or gunicorn with uvicorn's workers.")
    APP_SERVER_ARGS: f.Words = Field(default_factory=list, description="Further arguments of uvicorn or gunicorn.")
    WORKER_COMMAND: f.Words = Field(
        default_factory=list, description="The program of WORKER_SERVICE_NAME and its arguments."
    )
    LOG_LEVEL: f.Text = Field("info", description="How much uvicorn or gunicorn logs; a variable of the units too.")
    DESCRIPTION: f.Text | None = Field(None, description="What the web unit is called (the site and its stage).")
    WORKER_DESCRIPTION: f.Text | None = Field(None, description="What a worker's unit is called.")

    # the site of nginx, which mcc provision writes
    NGINX_SITE: f.PlainName | None = Field(
        None, description="The name of the site's file (the last name of REMOTE_BASE)."
    )
    TLS: f.Tls = Field("certbot", description="Where certificates come from: certbot, files, or none for plain http.")
    TLS_CERTIFICATE: f.RootPath | None = Field(
        None, description="The certificate with its chain; {{DOMAIN}} is each domain. Needed for TLS: files."
    )
    TLS_KEY: f.RootPath | None = Field(
        None, description="The path of the key; {{DOMAIN}} is each domain. Needed for TLS: files."
    )
    CERTBOT_EMAIL: f.Mail | None = Field(None, description="Whom the authority writes to before a certificate ends.")
    API_PREFIX: f.Prefixes = Field(
        default_factory=lambda: ["/api/"], description="Which addresses are the application's: one prefix, or a list."
    )
    BODY_LIMIT: f.BodyLimit = Field("20m", description="The largest request that nginx takes.")
    RATE_LIMIT: f.RateLimit | None = Field(
        None, description="Requests of one address to the application, such as 20r/s; more are answered with 429."
    )

    # maintenance
    MAINTENANCE_PAGE: f.RelativePath | None = Field(
        None, description="A file of the output that visitors see while the site rests (a plain page of mcc's own)."
    )
    MAINTENANCE_RETRY_AFTER: f.Many = Field(
        120, description="Seconds after which a visitor's program is told to ask again."
    )
    MAINTENANCE_ALLOW: f.Networks = Field(
        default_factory=list, description="Addresses and networks that reach the site all the same."
    )

    # smoke
    HEALTH_PATH: f.HealthPath = Field(
        "/api/public/health/health", description="What is asked to see whether the application is well."
    )
    SMOKE_URLS: list[f.WebAddress] | None = Field(
        None,
        description="Asked after the cut-over (worked out from the domains); an empty list: no smoke test.",
    )
    SMOKE_TIMEOUT: f.Seconds = Field(10.0, description="Seconds that each address has to answer.")

    # notifications
    NOTIFY: f.NotifyAddresses = Field(
        default_factory=list, description="Who is told: mail:NAME@HOST or a URL of apprise, or a list of them."
    )
    NOTIFY_ON: f.NoticeKinds = Field(
        default_factory=_told_of,
        description="What they are told: failure, rollback, stuck, late-backup, success; one, or a list.",
    )


def known_keys() -> tuple[str, ...]:
    """Every key that a conf gives a meaning to."""
    return tuple(ConfFile.model_fields)


NESTED: dict[str, type[BaseModel]] = {
    "COMPONENTS": ComponentFile,
    "CRON_JOBS": CronFile,
    "EMBEDDED_SERVICES": EmbeddedFile,
}


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a conf."""
    return ConfFile.model_json_schema()
