"""The files that a project lacks, as text: stages, conf, deploy script, build script."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mcc.init.build_script import build_script
from mcc.model.project import Answers, NewFile, Project

_DEFAULT_SOURCES = frozenset({"api", "shared", "worker", "migrations"})
STAGE = "prod"
CONF = f"conf-{STAGE}.yml"

DEPLOY_SCRIPT = '''\
# /// script
# requires-python = ">=3.11"
# dependencies = ["mcc-deploy"]
# ///
"""Deploy this application: `uv run mcc_deploy.py --stage prod`, in the output folder on the server."""

from mcc import App

app = App()

if __name__ == "__main__":
    app()
'''


def new_files(project: Project, answers: Answers, config_name: str = "config.yml") -> tuple[NewFile, ...]:
    """All files of a project that has none of them."""
    return (
        NewFile(config_name, config_text(project, answers)),
        NewFile(CONF, conf_text(project, answers)),
        NewFile("mcc_deploy.py", DEPLOY_SCRIPT),
        NewFile("mcc_build.sh", build_script(project, config_name), executable=True),
    )


def config_text(project: Project, answers: Answers) -> str:
    """``config.yml``: one stage, which takes the branch that git is on."""
    link = [f"    link: {_quoted(f'https://{answers.domains[0]}')}"] if answers.domains else []
    lines = [
        "deploy:",
        f"  {STAGE}:",
        f"    allow_branches: {_quoted(_exactly(project.branch))}",
        f"    auto_branches: {_quoted(_exactly(project.branch))}",
        *link,
        "    parameters:",
        f"      conf: {CONF}",
        "      keep_builds: 10",
    ]
    return "\n".join(lines) + "\n"


def _exactly(branch: str) -> str:
    special = set("\\^$.|?*+()[]{}")
    return "^" + "".join(f"\\{each}" if each in special else each for each in branch) + "$"


def conf_text(project: Project, answers: Answers) -> str:
    """``conf-prod.yml``."""
    groups = (
        _server(answers),
        _ownership(answers),
        _components(project),
        _services(project, answers),
        _stage(project),
        _domains(answers),
        _database(project, answers),
        _backup(answers),
        _smoke(project, answers),
    )
    return "\n".join("\n".join(group) + "\n" for group in map(list, groups) if group)


def _server(answers: Answers) -> Iterator[str]:
    yield "# Server"
    yield f"REMOTE_USER: {answers.user}"
    yield f"REMOTE_HOST: {answers.host}"
    yield f"REMOTE_BASE: {answers.base}/{answers.name}-{STAGE}"


def _ownership(answers: Answers) -> Iterator[str]:
    yield "# File ownership: `mcc provision` makes the folders so that a deploy needs no chown"
    yield "OWNERSHIP: acl"
    yield "DIR_USER: www-data # runs nginx and the services"
    yield f"DIR_GROUP: {answers.user}"


def _components(project: Project) -> Iterator[str]:
    usual = set(project.sources) <= _DEFAULT_SOURCES and not project.loose
    if not project.app or usual:
        return
    yield "# Which folders of the output become which releases"
    yield "COMPONENTS:"
    yield "  api:"
    yield "    sources:"
    if project.loose:
        yield "      modules: ."
    for name in project.sources:
        yield f"      {name}: {name}"
    if project.front:
        yield "  ui:"
        yield "    sources:"
        yield "      ui: ."


def _services(project: Project, answers: Answers) -> Iterator[str]:
    if not project.app:
        yield "# Pages alone: nothing is restarted"
        yield "SERVICE_MANAGER: none"
        return
    yield "# Services, and what they run"
    yield f"SERVICE_NAME: {answers.name}-{STAGE}@.service # two slots: the new release starts beside the old one"
    yield f"APP: {project.app}"
    if project.server != "uvicorn":
        yield f"APP_SERVER: {project.server}"
    if project.worker:
        yield f"WORKER_SERVICE_NAME: {answers.name}-{STAGE}-worker.service"
        yield f"WORKER_COMMAND: python -m {project.worker}"


def _stage(project: Project) -> Iterator[str]:
    yield "# Stage"
    yield f"STAGE: {STAGE}"
    if project.app:
        yield "WORKERS: 1"


def _domains(answers: Answers) -> Iterator[str]:
    if answers.domains:
        yield "# Domains" + (", each with a database of its own" if answers.database == "sqlite" else "")
        yield "DOMAINS:"
        for domain in answers.domains:
            yield f"  - {domain}"


def _database(project: Project, answers: Answers) -> Iterator[str]:
    yield "# Database"
    yield f"DATABASE: {answers.database}"
    if answers.database == "postgresql":
        yield 'DATABASE_URL: "{{env:DATABASE_URL}}" # on the server: mcc env set DATABASE_URL --site DIR'
    found = project.migrations
    if found is None or answers.database == "none":
        return
    if found.tool == "alembic":
        yield "MIGRATION_TOOL: alembic"
        yield "SITE_FILES: [alembic.ini]"
    if found.folder != ("shared/db/scripts/migrations" if answers.domains else "migrations"):
        yield f"MIGRATIONS_DIR: {found.folder}"


def _backup(answers: Answers) -> Iterator[str]:
    if answers.database == "none":
        return
    yield "# Backups"
    yield "BACKUP_ENABLED: true"
    yield 'BACKUP_SCHEDULE: "15 2 * * *"'
    yield 'BACKUP_PATH: "{{REMOTE_BASE}}/backups"'
    yield "BACKUP_RETENTION_DAILY: 7"
    yield "BACKUP_RETENTION_WEEKLY: 4"


def _smoke(project: Project, answers: Answers) -> Iterator[str]:
    if not project.app:
        return
    yield "# What says whether the application is well"
    if project.health:
        yield f"HEALTH_PATH: {_quoted(project.health)}"
        return
    yield "# HEALTH_PATH: /api/health   no such route was found; name one that answers 200"
    front = [f"https://{domain}/" for domain in answers.domains] if project.front else []
    yield f"SMOKE_URLS: [{', '.join(map(_quoted, front))}]"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
