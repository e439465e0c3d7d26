"""A whole deploy of a site whose migrations are alembic's: the command, real alembic, real databases.

The environment of the release is a venv that borrows this one's packages: no package index is needed.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from postgres_cluster import Cluster, Fresh

pytestmark = pytest.mark.slow

PASSWORD = r"s3cr:et\pass"
BASE_PYTHON = str(getattr(sys, "_base_executable", None) or sys.executable)
UV = f"""#!/bin/sh
set -e
[ "$1" = sync ] || {{ echo {BASE_PYTHON}; exit 0; }}
{BASE_PYTHON} -m venv --without-pip "$UV_PROJECT_ENVIRONMENT"
grep -q alembic pyproject.toml || exit 0
for place in "$UV_PROJECT_ENVIRONMENT"/lib/python*/site-packages; do
  echo {sysconfig.get_path("purelib")} > "$place/borrowed.pth"
done
"""
INI = """\
[alembic]
script_location = {location}
prepend_sys_path = {path}
"""
ENV = """\
import os
from alembic import context
from sqlalchemy import create_engine
from api import models

print("this is release", models.RELEASE)
engine = create_engine(os.environ["DATABASE_URL"])
with engine.connect() as connection:
    context.configure(connection=connection, transaction_per_migration={each})
    with context.begin_transaction():
        context.run_migrations()
"""
REVISION = """\
from alembic import op
revision = {name!r}
down_revision = {below!r}
def upgrade() -> None:
    op.execute({sql!r})
"""


@dataclass(frozen=True)
class Project:
    """An output folder, and the site that it is deployed to."""

    output: Path
    base: Path

    def conf(self, *lines: str) -> None:
        text = (f"REMOTE_BASE: {self.base}", "OWNERSHIP: none", "SERVICE_MANAGER: none", "SMOKE_URLS: []", *lines)
        (self.output / "conf.yml").write_text("\n".join(text) + "\n")

    def release(self, number: int) -> None:
        (self.output / "api" / "models.py").write_text(f"RELEASE = {number}\n")

    def ini(self, folder: Path, location: str, path: str) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "alembic.ini").write_text(INI.format(location=location, path=path))

    def environment(self, each: bool = False) -> None:
        (self.output / "migrations" / "env.py").write_text(ENV.format(each=each))

    def revision(self, name: str, below: str | Sequence[str] | None, sql: str) -> None:
        text = REVISION.format(name=name, below=below, sql=sql)
        (self.output / "migrations" / "versions" / f"{name}.py").write_text(text)

    def deploy(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        drop = ("PG", "DATABASE_", "DB_", "ALEMBIC")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(drop)}
        clean["PATH"] = f"{self.output.parent / 'bin'}:{clean['PATH']}"
        command = [sys.executable, "-m", "mcc", "deploy", "--stage", "prod", *words]
        return subprocess.run(
            command, cwd=self.output, env={**clean, **variables}, capture_output=True, text=True, timeout=300
        )

    def good_deploy(self, *words: str, **variables: str) -> str:
        done = self.deploy(*words, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    pytest.importorskip("alembic")
    output = tmp_path / "output"
    (output / "api").mkdir(parents=True)
    (output / "migrations" / "versions").mkdir(parents=True)
    (output / "config.yml").write_text('deploy:\n  prod:\n    allow_branches: ".*"\n    auto_branches: "-"\n')
    (output / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\ndependencies = ["alembic"]\n')
    (output / "uv.lock").write_text("version = 1\n")
    shim = tmp_path / "bin" / "uv"
    shim.parent.mkdir()
    shim.write_text(UV)
    shim.chmod(0o755)
    made = Project(output, tmp_path / "site")
    made.release(1)
    made.environment()
    made.revision("a1", None, "CREATE TABLE notes (id int)")
    return made


def postgres_lines(fresh: Fresh, *lines: str) -> tuple[str, ...]:
    url = fresh.cluster.url(fresh.name, scheme="postgresql+psycopg")
    return ("DATABASE: postgresql", f"DATABASE_URL: {url}", *lines)


def version(fresh: Fresh, schema: str = "public") -> list[str]:
    return [name for (name,) in fresh.run(f'SELECT version_num FROM "{schema}".alembic_version')]


def test_the_new_releases_migrations_run_before_the_cut_over(project: Project, postgres: Fresh) -> None:
    """alembic.ini of the output, with paths as they are there. MIGRATION_TOOL need not be said."""
    project.ini(project.output, "migrations", ".")
    project.conf(*postgres_lines(postgres))
    plan = project.good_deploy("--plan")
    assert "alembic upgrade head, 1 pending" in plan
    assert "PostgreSQL " in plan
    assert postgres.run("SELECT to_regclass('notes')") == [(None,)]
    project.good_deploy()
    assert version(postgres) == ["a1"]
    project.release(2)
    project.revision("b2", "a1", "ALTER TABLE notes ADD body text")
    said = project.good_deploy("--format", "jsonl")
    assert version(postgres) == ["b2"]
    ended = json.loads(said.strip().splitlines()[-1])
    assert ended["databases"] == f"{postgres.name} at b2 (was at a1), forward"
    assert "nothing pending" in project.good_deploy("--plan")
    assert list((project.base / ".mcc" / "journal").iterdir()) == []


def test_paths_that_are_written_for_the_site_lead_to_the_new_release(project: Project, postgres: Fresh) -> None:
    """alembic.ini of REMOTE_BASE, as the specification's own script uses it; the link is still the old one then."""
    project.ini(project.base, "current-api/migrations", "current-api")
    project.conf(*postgres_lines(postgres))
    project.good_deploy()
    project.release(2)
    project.revision("b2", "a1", "CREATE TABLE more (id int)")
    assert "alembic upgrade head, 1 pending" in project.good_deploy("--plan")
    project.good_deploy()
    assert version(postgres) == ["b2"]


def test_the_configuration_may_stand_in_pyproject(project: Project, postgres: Fresh) -> None:
    """That of the new release, although the site still has the old one."""
    text = (project.output / "pyproject.toml").read_text()
    tool = '[tool.alembic]\nscript_location = "%(here)s/migrations"\nprepend_sys_path = ["."]\n'
    (project.output / "pyproject.toml").write_text(text + tool)
    project.conf(*postgres_lines(postgres, "MIGRATION_TOOL: alembic"))
    project.good_deploy()
    assert version(postgres) == ["a1"]


def test_a_folder_elsewhere_is_found_by_alembic_ini(project: Project, postgres: Fresh) -> None:
    (project.output / "shared" / "db").mkdir(parents=True)
    (project.output / "migrations").rename(project.output / "shared" / "db" / "alembic")
    project.ini(project.output, "%(here)s/shared/db/alembic", ".")
    project.conf(*postgres_lines(postgres, "DOMAINS: [a.example.com]"))
    assert "alembic upgrade head, 1 pending" in project.good_deploy("--plan")
    project.good_deploy()
    assert version(postgres) == ["a1"]


def test_a_password_reaches_alembic_and_stands_nowhere(
    project: Project, postgres: Fresh, postgres_cluster: Cluster
) -> None:
    if not postgres_cluster.run("postgres", "SELECT 1 FROM pg_roles WHERE rolname = 'alembicer'"):
        postgres_cluster.role("alembicer", PASSWORD)
    postgres.run("GRANT ALL ON SCHEMA public TO alembicer")
    project.ini(project.output, "migrations", ".")
    project.conf("DATABASE: postgresql")
    env = project.output / "migrations" / "env.py"
    env.write_text(env.read_text() + "\nprint('URL', os.environ['DATABASE_URL'])\n")
    url = postgres_cluster.url(postgres.name, "alembicer", quote(PASSWORD, safe=""), "postgresql+psycopg")
    project.revision("b2", "a1", "SELECT * FROM missing")
    done = project.deploy("--format", "jsonl", DATABASE_URL=url)
    assert done.returncode == 1, done.stdout + done.stderr
    project.revision("b2", "a1", "CREATE TABLE who AS SELECT current_user::text AS name")
    good = project.good_deploy("--format", "jsonl", DATABASE_URL=url)
    assert postgres.run("SELECT name FROM who") == [("alembicer",)]
    kept = [path for path in (project.base / ".mcc").rglob("*") if path.is_file() and "tool" not in path.parts]
    text = "\n".join(path.read_text("utf-8", "replace") for path in kept) + done.stdout + done.stderr + good
    for form in (PASSWORD, quote(PASSWORD, safe=""), json.dumps(PASSWORD)[1:-1]):
        assert form not in text


def test_what_alembic_said_is_the_evidence_and_nothing_is_changed(project: Project, postgres: Fresh) -> None:
    """PostgreSQL takes back what all pending revisions did: they are one transaction."""
    project.ini(project.output, "migrations", ".")
    project.conf(*postgres_lines(postgres))
    project.good_deploy()
    live = os.readlink(project.base / "current-api")
    project.revision("b2", "a1", "CREATE TABLE more (id int)")
    project.revision("c3", "b2", "INSERT INTO nowhere VALUES (1)")
    done = project.deploy("--format", "jsonl")
    assert done.returncode == 1
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["databases"] == "as before"
    assert f"{postgres.name}: alembic upgrade head failed" in events[-1]["error"]
    assert any('relation "nowhere" does not exist' in line for event in events for line in event.get("log", ()))
    assert version(postgres) == ["a1"]
    assert os.readlink(project.base / "current-api") == live


def test_what_was_committed_before_a_failure_is_said(project: Project, postgres: Fresh) -> None:
    """With ``transaction_per_migration`` each revision is its own transaction."""
    project.ini(project.output, "migrations", ".")
    project.environment(each=True)
    project.conf(*postgres_lines(postgres))
    project.good_deploy()
    project.revision("b2", "a1", "CREATE TABLE more (id int)")
    project.revision("c3", "b2", "INSERT INTO nowhere VALUES (1)")
    done = project.deploy("--format", "jsonl")
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["databases"] == f"{postgres.name} at b2 (was at a1), ahead"
    assert version(postgres) == ["b2"]


def test_schemas_are_tenants(project: Project, postgres: Fresh) -> None:
    postgres.run('CREATE SCHEMA "app-one"; CREATE SCHEMA "app two"')
    project.ini(project.output, "migrations", ".")
    project.conf(*postgres_lines(postgres, 'DATABASE_SCHEMA: ["app-one", "app two"]'))
    done = project.deploy()
    if "DATABASE_SCHEMA" in done.stderr:  # names with blanks are not allowed there
        project.conf(*postgres_lines(postgres, "DATABASE_SCHEMA: [app-one]"))
        project.good_deploy()
    assert version(postgres, "app-one") == ["a1"]
    assert postgres.run("SELECT to_regclass('public.notes')") == [(None,)]


def test_more_than_one_head_ends_it_before_anything(project: Project, postgres: Fresh) -> None:
    project.ini(project.output, "migrations", ".")
    project.conf(*postgres_lines(postgres))
    project.revision("b2", "a1", "SELECT 1")
    project.revision("b3", "a1", "SELECT 1")
    done = project.deploy()
    assert done.returncode == 2
    assert "alembic has more than one head: b2, b3" in done.stderr
    assert "alembic merge heads" in done.stderr
    assert not (project.base / "api").exists()
    project.revision("c4", ("b2", "b3"), "SELECT 1")
    project.good_deploy()
    assert version(postgres) == ["c4"]


def test_more_than_one_head_that_only_alembic_sees_ends_it_before_the_cut_over(
    project: Project, postgres: Fresh
) -> None:
    project.ini(project.output, "migrations", ".")
    project.conf(*postgres_lines(postgres))
    project.revision("b2", "a1", "SELECT 1")
    project.revision("b3", "a1", "SELECT 1")
    path = project.output / "migrations" / "versions" / "b3.py"
    path.write_text(path.read_text().replace("revision = 'b3'", "revision = 'b' + str(3)", 1))
    assert "what is pending shows when it runs" in project.good_deploy("--plan")
    done = project.deploy()
    assert done.returncode == 1
    assert "alembic has more than one head: b2, b3" in done.stdout + done.stderr
    assert postgres.run("SELECT to_regclass('notes')") == [(None,)]


def test_a_revision_that_the_release_does_not_have_ends_it_before_anything(project: Project, postgres: Fresh) -> None:
    project.ini(project.output, "migrations", ".")
    project.conf(*postgres_lines(postgres))
    project.good_deploy()
    postgres.run("UPDATE alembic_version SET version_num = 'zz9'")
    done = project.deploy()
    assert done.returncode == 2
    assert "is at alembic's revision zz9, which this release does not have" in done.stderr


@pytest.mark.parametrize("url", ["", "sqlite:///data.db", "sqlite:///data/app.db"])
def test_sqlite_works_too_with_paths_as_on_the_site(project: Project, url: str) -> None:
    project.ini(project.output, "migrations", ".")
    lines = (f"DATABASE_URL: {url}",) if url else ()
    project.conf("DATABASE: sqlite", "MIGRATION_TOOL: alembic", *lines)
    if "data/" in url:
        (project.base / "data").mkdir(parents=True)
    project.good_deploy()
    database = project.base / (url.removeprefix("sqlite:///") or "data.db")
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("a1",)]
    connection.close()
    assert not database.is_symlink()
    project.revision("b2", "a1", "ALTER TABLE notes ADD body text")
    assert "1 pending" in project.good_deploy("--plan")
    project.good_deploy()
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("b2",)]
    connection.close()


def test_domains_have_a_database_each(project: Project) -> None:
    project.ini(project.output, "migrations", ".")
    project.conf("DATABASE: sqlite", "MIGRATION_TOOL: alembic", "DOMAINS: [a.example.com, b.example.com]")
    project.good_deploy()
    for domain in ("a.example.com", "b.example.com"):
        with sqlite3.connect(project.base / "domains" / domain / "data.db") as connection:
            assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("a1",)]
        connection.close()


def test_an_environment_without_alembic_is_said(project: Project, postgres: Fresh) -> None:
    project.ini(project.output, "migrations", ".")
    project.conf(*postgres_lines(postgres))
    (project.output / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\n')
    done = project.deploy()
    assert done.returncode == 1
    assert "the release's environment has no alembic" in done.stdout + done.stderr


@pytest.mark.parametrize("missing", ["alembic.ini", "uv.lock"])
def test_what_alembic_needs_is_missed_before_anything(project: Project, postgres: Fresh, missing: str) -> None:
    project.ini(project.output, "migrations", ".")
    project.conf(*postgres_lines(postgres, "MIGRATION_TOOL: alembic"))
    (project.output / missing).unlink()
    if missing == "uv.lock":
        (project.output / "pyproject.toml").unlink()
    done = project.deploy()
    assert done.returncode == 2
    assert ("there is no alembic.ini" if missing == "alembic.ini" else "this output brings none") in done.stderr


def test_without_the_line_that_says_which_database_it_is_asked_for(project: Project) -> None:
    project.ini(project.output, "migrations", ".")
    project.conf()
    done = project.deploy()
    assert done.returncode == 2
    assert "add the line DATABASE: postgresql (alembic runs by itself then)" in done.stderr
