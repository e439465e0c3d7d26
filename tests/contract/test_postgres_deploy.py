"""A whole deploy of a site on PostgreSQL: the command itself, a real server, no root and no services."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from postgres_cluster import Cluster, Fresh

pytestmark = pytest.mark.slow

PASSWORD = r"s3cr:et\pass wörd"


@dataclass(frozen=True)
class Project:
    """An output folder, and the site that it is deployed to."""

    output: Path
    base: Path
    database: Fresh

    def conf(self, *lines: str) -> None:
        text = (f"REMOTE_BASE: {self.base}", "OWNERSHIP: none", "SERVICE_MANAGER: none", "SMOKE_URLS: []", *lines)
        (self.output / "conf.yml").write_text("\n".join(text) + "\n")

    def migration(self, name: str, sql: str) -> None:
        folder = self.output / "migrations"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(sql)

    def mcc(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "DATABASE_", "DB_"))}
        command = [sys.executable, "-m", "mcc", *words]
        return subprocess.run(
            command, cwd=self.output, env={**clean, **variables}, capture_output=True, text=True, timeout=120
        )

    def deploy(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.mcc("deploy", "--stage", "prod", *words, **variables)

    def everything_written(self) -> str:
        """All text that the run left below the site, but for the conf itself, which nobody else can read."""
        found = [path for path in (self.base / ".mcc").rglob("*") if path.is_file() and "tool" not in path.parts]
        files = [path for path in found if path.parent.name != "conf"]
        assert {path.stat().st_mode & 0o077 for path in found if path not in files} <= {0}
        return "\n".join(path.read_text("utf-8", "replace") for path in files)


@pytest.fixture
def project(tmp_path: Path, postgres: Fresh) -> Project:
    output = tmp_path / "output"
    (output / "api").mkdir(parents=True)
    (output / "api" / "main.py").write_text("print('hello')\n")
    (output / "config.yml").write_text('deploy:\n  prod:\n    allow_branches: ".*"\n    auto_branches: "-"\n')
    made = Project(output, tmp_path / "site", postgres)
    made.migration("001_notes.sql", "CREATE TABLE notes (id int PRIMARY KEY, body text);\n")
    return made


def socket_lines(project: Project) -> tuple[str, ...]:
    cluster = project.database.cluster
    return (
        "DATABASE: postgresql",
        f"DB_HOST: {cluster.socket}",
        f"DB_PORT: {cluster.port}",
        f"DB_NAME: {project.database.name}",
        "DB_USER: postgres",
    )


def test_a_deploy_brings_the_database_forward(project: Project) -> None:
    project.conf(*socket_lines(project))
    done = project.deploy()
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.database.run("SELECT name FROM migrations") == [("001_notes",)]
    assert "PostgreSQL" in done.stdout + done.stderr
    again = project.deploy()
    assert again.returncode == 0, again.stdout + again.stderr
    assert "nothing pending" in again.stdout + again.stderr


def test_a_plan_changes_nothing_and_says_the_version(project: Project) -> None:
    project.conf(*socket_lines(project))
    done = project.deploy("--plan")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "(PostgreSQL " in done.stdout
    assert "1 pending" in done.stdout
    assert project.database.run("SELECT to_regclass('migrations')") == [(None,)]
    assert not project.base.exists()


def test_schemas_are_tenants(project: Project) -> None:
    project.conf(*socket_lines(project), "DATABASE_SCHEMA: [app-one, app-two]")
    done = project.deploy()
    assert done.returncode == 0, done.stdout + done.stderr
    found = project.database.run("SELECT schemaname FROM pg_tables WHERE tablename = 'notes' ORDER BY 1")
    assert found == [("app-one",), ("app-two",)]


@pytest.mark.parametrize("way", ["in the conf", "in the environment", "DATABASE_URL in the environment", "in .env"])
def test_a_password_is_used_and_stands_nowhere(project: Project, postgres_cluster: Cluster, way: str) -> None:
    if not _has_role(postgres_cluster):
        postgres_cluster.role("deployer", PASSWORD)
    project.database.run("GRANT ALL ON SCHEMA public TO deployer")
    lines = tuple(line for line in socket_lines(project) if not line.startswith("DB_USER"))
    variables: dict[str, str] = {}
    if way == "in the conf":
        project.conf(*lines, "DB_USER: deployer", f"DB_PASSWORD: {json.dumps(PASSWORD)}")
    elif way == "in the environment":
        project.conf(*lines, "DB_USER: deployer")
        variables = {"DB_PASSWORD": PASSWORD}
    else:
        project.conf("DATABASE: postgresql")
        url = postgres_cluster.url(project.database.name, "deployer", quote(PASSWORD, safe=""), "postgresql+psycopg")
        variables = {"DATABASE_URL": url}
    if way == "in .env":
        project.base.mkdir()
        (project.base / ".env").write_text(f"DATABASE_URL='{variables.pop('DATABASE_URL')}'\n")
    project.migration("002_who.sql", "CREATE TABLE who AS SELECT current_user::text AS name;\n")
    done = project.deploy("--format", "jsonl", **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.database.run("SELECT name FROM who") == [("deployer",)]
    for form in (PASSWORD, "s3cr%3Aet", json.dumps(PASSWORD)[1:-1], PASSWORD.replace(":", "\\:")):
        assert form not in done.stdout + done.stderr + project.everything_written()
    assert list((project.base / ".mcc" / "journal").iterdir()) == []


def _has_role(cluster: Cluster) -> bool:
    return bool(cluster.run("postgres", "SELECT 1 FROM pg_roles WHERE rolname = 'deployer'"))


def test_a_failing_migration_leaves_code_and_database_as_they_were(project: Project) -> None:
    project.conf(*socket_lines(project))
    assert project.deploy().returncode == 0
    live = os.readlink(project.base / "current-api")
    project.migration("002_broken.sql", "ALTER TABLE notes ADD more int;\nINSERT INTO nowhere VALUES (1);\n")
    done = project.deploy("--format", "jsonl")
    assert done.returncode == 1
    ended = json.loads(done.stdout.splitlines()[-1])
    assert ended["databases"] == "as before"
    assert '002_broken.sql:2: relation "nowhere" does not exist (SQLSTATE 42P01)' in ended["error"]
    assert os.readlink(project.base / "current-api") == live
    assert project.database.run("SELECT count(*) FROM migrations") == [(1,)]


def test_a_server_that_does_not_answer_ends_it_before_anything(project: Project, tmp_path: Path) -> None:
    project.conf("DATABASE: postgresql", f"DB_HOST: {tmp_path}", "DB_NAME: shop")
    done = project.deploy()
    assert done.returncode == 2
    assert "shop: PostgreSQL at" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.base / "api").exists()
    plan = project.deploy("--plan")
    assert plan.returncode == 2
    assert "Traceback" not in plan.stderr


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "which one is it? Set DATABASE_URL, or DB_NAME"),
        ("DATABASE_URL: postgresql://app@db.example.com:54x32/shop", "its port is no number"),
        ("DATABASE_URL: mysql://app@db.example.com/shop", "DATABASE_URL begins with 'mysql'"),
        ("DATABASE_URL: postgresql://app@db.example.com", "names no database"),
    ],
)
def test_an_address_that_is_none_is_said(project: Project, line: str, reason: str) -> None:
    project.conf("DATABASE: postgresql", line)
    done = project.deploy()
    assert done.returncode == 2
    assert reason in done.stderr


def test_psql_commands_are_refused_with_their_line(project: Project) -> None:
    project.conf(*socket_lines(project))
    project.migration("002_dump.sql", "SELECT 1;\n\\connect other\nCOPY notes FROM stdin;\n1\tx\n\\.\nCOMMIT;\n")
    done = project.deploy()
    assert done.returncode == 2
    for part in ("002_dump.sql:2: \\connect is a command of psql", "002_dump.sql:3: COPY", "002_dump.sql:6: COMMIT"):
        assert part in done.stderr


def test_an_invalid_index_is_refused_with_the_statement_to_use(project: Project) -> None:
    project.conf(*socket_lines(project))
    assert project.deploy().returncode == 0
    project.database.run("INSERT INTO notes VALUES (1, 'x'), (2, 'x')")
    project.migration("002_index.sql", "-- mcc: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY u ON notes (body);\n")
    done = project.deploy()
    assert done.returncode == 1
    assert "left an invalid index behind: public.u" in done.stdout + done.stderr
    again = project.deploy()
    assert again.returncode == 2
    assert "DROP INDEX CONCURRENTLY public.u;" in again.stderr
    project.database.run("DELETE FROM notes WHERE id = 2; DROP INDEX u")
    assert project.deploy().returncode == 0


def test_mcc_migrate_works_on_a_schema_by_itself(project: Project) -> None:
    project.conf(*socket_lines(project), "DATABASE_SCHEMA: app-one")
    status = project.mcc("migrate", "--stage", "prod", "--format", "json")
    assert status.returncode == 0, status.stderr
    assert "001_notes" in status.stdout
    done = project.mcc("migrate", "--stage", "prod", "--apply")
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.database.run('SELECT name FROM "app-one".migrations') == [("001_notes",)]
    (project.output / "migrations" / "001_notes.sql").write_text("CREATE TABLE notes (id int, more int);\n")
    changed = project.deploy()
    assert changed.returncode == 2
    assert "was changed after it was applied to app-one" in changed.stderr
    accepted = project.mcc("migrate", "--stage", "prod", "--accept", "001_notes")
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert project.deploy().returncode == 0


def test_a_filled_schema_without_record_stops_the_deploy_until_it_is_adopted(project: Project) -> None:
    project.conf(*socket_lines(project))
    project.database.run("CREATE TABLE notes (id int)")
    done = project.deploy()
    assert done.returncode == 2
    assert "--baseline" in done.stderr
    adopted = project.mcc("migrate", "--stage", "prod", "--baseline", "001_notes")
    assert adopted.returncode == 0, adopted.stdout + adopted.stderr
    assert project.deploy().returncode == 0
    assert project.database.run("SELECT name FROM migrations") == [("001_notes",)]


def test_a_deploy_that_was_killed_is_recovered_with_the_password_of_its_run(
    project: Project, postgres_cluster: Cluster
) -> None:
    """The recovery has neither the conf nor the environment of the deploy, and asks the database how far it is."""
    if not _has_role(postgres_cluster):
        postgres_cluster.role("deployer", PASSWORD)
    project.database.run("GRANT ALL ON SCHEMA public TO deployer")
    project.conf("DATABASE: postgresql")
    url = postgres_cluster.url(project.database.name, "deployer", quote(PASSWORD, safe=""))
    assert project.deploy(DATABASE_URL=url).returncode == 0
    live = os.readlink(project.base / "current-api")
    project.migration("002_slow.sql", "CREATE TABLE half (id int);\nSELECT pg_sleep(300);\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "mcc", "deploy", "--stage", "prod"], cwd=project.output, start_new_session=True,
        env={**os.environ, "DATABASE_URL": url}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    watch = project.database.connect()
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(300)%' AND state = 'active'"
    while watch.execute(running).fetchone() == (0,):
        assert process.poll() is None
        time.sleep(0.05)
    (kept,) = (project.base / ".mcc" / "journal").glob("*.kept")
    assert (kept / "pgpass").stat().st_mode & 0o777 == 0o600
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = project.mcc("recover", "--site", str(project.base))
    assert "databases: as before" in done.stdout + done.stderr
    assert os.readlink(project.base / "current-api") == live
    assert project.database.run("SELECT to_regclass('half')") == [(None,)]
    assert list((project.base / ".mcc" / "journal").iterdir()) == []
