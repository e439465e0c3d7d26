"""From the keys of a conf to the values that the program works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mcc.core.conf.checks import TRACKING_TABLE
from mcc.core.conf.components import component_problems, to_components
from mcc.core.conf.notify import MAIL
from mcc.core.conf.placeholders import Filled
from mcc.core.conf.rules import Given, rules
from mcc.core.conf.schema import NESTED, ConfFile, EmbeddedFile, known_keys
from mcc.core.conf.validation import validated, without_doubles
from mcc.core.cron.jobs import job_problems, to_jobs
from mcc.core.document import Document
from mcc.core.masking import Masker
from mcc.core.nearest import near_miss
from mcc.errors import ConfigError
from mcc.model import conf as m
from mcc.model.database import ALEMBIC, Tracking
from mcc.model.problem import Problem


def to_conf(document: Document, filled: Filled, path: Path) -> m.Conf:
    """The values of a conf. Raises ConfigError with all that is wrong; no secret is in it."""
    # A key without a value is one that is not there.
    data = {key: value for key, value in filled.data.items() if value is not None}
    cron_text = data.pop("CRON_JOBS") if isinstance(data.get("CRON_JOBS"), str) else None
    file, wrong_values, wrong_keys = validated(ConfFile, data, document, NESTED, filled.failed)
    assert file is not None  # no key is required by the model itself
    given = Given(document, file, frozenset(data), wrong_keys, filled, cron_text)
    problems = without_doubles([*document.bare_words(), *filled.problems], wrong_values)
    for rule in (*rules(), component_problems, job_problems):
        problems += rule(given)
    if problems:
        raise ConfigError(_in_order(problems, filled))
    return _conf(given, path)


def _in_order(problems: list[Problem], filled: Filled) -> list[Problem]:
    mask = Masker(filled.secrets).mask
    # A secret that is part of a key or a file name cannot be hidden; values can.
    hidden = [replace(problem, message=mask(problem.message), help=mask(problem.help)) for problem in problems]
    return sorted(dict.fromkeys(hidden), key=lambda problem: problem.line)


def _conf(given: Given, path: Path) -> m.Conf:
    file = given.file
    base = Path(file.REMOTE_BASE or "/")
    return m.Conf(
        path=path,
        server=_server(file, base),
        stage=file.STAGE,
        ownership=m.Ownership(file.OWNERSHIP, file.DIR_USER, file.DIR_GROUP),
        components=to_components(file.COMPONENTS) if file.COMPONENTS is not None else None,
        site_files=tuple(m.SiteFile(source, target) for source, target in file.SITE_FILES.items()),
        environment=m.Environment(tuple(file.UV_SYNC_ARGS), file.PROBE),
        services=_services(file, base),
        api_port=file.API_PORT,
        keep_assets=file.KEEP_ASSETS,
        protected=file.PROTECTED,
        domains=tuple([file.DOMAIN] if file.DOMAIN else file.DOMAINS),
        clone_domains=tuple(file.CLONE_DOMAINS.items()),
        database=_database(file),
        backup=_backup(file, base),
        cron=to_jobs(given),
        application=_application(file),
        web=_web(file),
        maintenance=_maintenance(file),
        smoke=_smoke(file),
        notify=m.Notify(tuple(file.NOTIFY), tuple(file.NOTIFY_ON)),
        values=given.filled.data,
        secrets=given.filled.secrets.union(each for each in file.NOTIFY if not each.startswith(MAIL)),
        warnings=tuple(str(problem) for problem in _warnings(given)),
    )


def _server(file: ConfFile, base: Path) -> m.Server:
    hosts = tuple([file.REMOTE_HOST] if file.REMOTE_HOST else file.REMOTE_HOSTS)
    return m.Server(base, file.REMOTE_USER, hosts, file.REMOTE_PORT)


def _services(file: ConfFile, base: Path) -> m.Services:
    return m.Services(
        manager=file.SERVICE_MANAGER,
        names=tuple([file.SERVICE_NAME] if file.SERVICE_NAME else file.SERVICES),
        workers=tuple(file.WORKER_SERVICE_NAME),
        embedded=tuple(_embedded(name, service, base) for name, service in file.EMBEDDED_SERVICES.items()),
        start_timeout=file.START_TIMEOUT,
        stable_for=file.STABLE_FOR,
        drain_timeout=file.DRAIN_TIMEOUT,
    )


def _embedded(name: str, service: EmbeddedFile, base: Path) -> m.EmbeddedService:
    return m.EmbeddedService(
        name=name,
        command=tuple(service.command),
        directory=base / service.directory,
        listen=service.listen,
        environment=tuple(service.environment.items()),
        log=base / service.log if service.log else None,
    )


def _database(file: ConfFile) -> m.Database:
    return m.Database(
        kind=file.DATABASE,
        migrations_dir=file.MIGRATIONS_DIR,
        tool=file.MIGRATION_TOOL,
        tracking=_tracking(file),
        schema_sql=file.SCHEMA_SQL,
        always_sql=file.ALWAYS_SQL,
        offline=file.MIGRATE_OFFLINE,
        url=file.DATABASE_URL,
        host=file.DB_HOST,
        port=file.DB_PORT,
        name=file.DB_NAME,
        user=file.DB_USER,
        password=file.DB_PASSWORD,
        schemas=tuple(file.DATABASE_SCHEMA),
    )


def _tracking(file: ConfFile) -> Tracking:
    if file.MIGRATION_TOOL == "alembic" and not file.MIGRATION_TABLE:
        return ALEMBIC
    match = TRACKING_TABLE.fullmatch(file.MIGRATION_TABLE or "")
    if match is None or (match[1] == "migrations" and match[2] is None):
        return Tracking()
    return Tracking(match[1], match[2] or "name", match[3])


def _backup(file: ConfFile, base: Path) -> m.Backup:
    written = "BACKUP_PATH" in file.model_fields_set
    return m.Backup(
        enabled=file.BACKUP_ENABLED,
        path=str(base / (file.BACKUP_PATH if written else "backups")),
        daily=file.BACKUP_RETENTION_DAILY,
        weekly=file.BACKUP_RETENTION_WEEKLY,
        monthly=file.BACKUP_RETENTION_MONTHLY,
        schedule=file.BACKUP_SCHEDULE,
    )


def _application(file: ConfFile) -> m.Application:
    return m.Application(
        name=file.APP,
        server=file.APP_SERVER,
        server_args=tuple(file.APP_SERVER_ARGS),
        worker_command=tuple(file.WORKER_COMMAND),
        log_level=file.LOG_LEVEL,
        description=file.DESCRIPTION,
        worker_description=file.WORKER_DESCRIPTION,
    )


def _web(file: ConfFile) -> m.Web:
    return m.Web(
        site=file.NGINX_SITE,
        tls=file.TLS,
        certificate=file.TLS_CERTIFICATE,
        key=file.TLS_KEY,
        email=file.CERTBOT_EMAIL,
        prefixes=tuple(file.API_PREFIX),
        body_limit=file.BODY_LIMIT,
        rate_limit=file.RATE_LIMIT,
    )


def _maintenance(file: ConfFile) -> m.Maintenance:
    return m.Maintenance(file.MAINTENANCE_PAGE, file.MAINTENANCE_RETRY_AFTER, tuple(file.MAINTENANCE_ALLOW))


def _smoke(file: ConfFile) -> m.Smoke:
    urls = None if file.SMOKE_URLS is None else tuple(file.SMOKE_URLS)
    return m.Smoke(file.HEALTH_PATH, urls, file.SMOKE_TIMEOUT)


def _warnings(given: Given) -> list[Problem]:
    found: list[Problem] = []
    for warn in _WARNINGS:
        found += warn(given)
    return found


def _typing_errors(given: Given) -> list[Problem]:
    """A key like a known one; not if the known one stands there too."""
    missing = [key for key in known_keys() if key not in given.keys]
    return [
        given.document.problem(
            (key,), "is not a key that mcc knows; it is kept for your own use", f"did you mean {near}?"
        )
        for key in given.document.data
        if key not in ConfFile.model_fields and (near := near_miss(key, missing))
    ]


def _spaces(given: Given) -> list[Problem]:
    if " " not in (given.file.REMOTE_BASE or ""):
        return []
    return [given.document.problem(("REMOTE_BASE",), "holds a space, which units and scripts must quote")]


def _idle_services(given: Given) -> list[Problem]:
    """An embedded service that no key names would never be started."""
    file = given.file
    if file.SERVICE_MANAGER != "embedded":
        return []
    known = {*given.service_names}
    names = [name for name in file.EMBEDDED_SERVICES if name not in known]
    message = "is not among SERVICE_NAME, SERVICES, WORKER_SERVICE_NAME and is never started"
    return [given.document.problem(("EMBEDDED_SERVICES", name), message) for name in names]


_WARNINGS: tuple[Callable[[Given], list[Problem]], ...] = (_typing_errors, _spaces, _idle_services)
