"""A reset of a site on a real PostgreSQL: schemas are emptied in one transaction, and come back if the run fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.test_postgres_deploy import Project, project, socket_lines
from contract.test_postgres_replace import make
from mcc.errors import CopyFailed
from mcc.host.commands import RealCommands
from mcc.host.copies.cloning import RealClones
from postgres_cluster import Fresh

__all__ = ["project"]


@pytest.mark.parametrize("schema", ["tenant-a", None])
def test_emptied_it_has_nothing_and_is_still_there(postgres: Fresh, tmp_path: Path, schema: str | None) -> None:
    make(postgres, "tenant-a")
    make(postgres, "tenant-b", "CREATE TABLE theirs (id int)")
    clones = RealClones(RealCommands())
    for _ in range(2):  # again it is no different
        clones.empty(postgres.target(schema), 5.0, tmp_path)
    left = postgres.run("SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname LIKE 'tenant%'")
    assert left == ([("tenant-b.theirs",)] if schema else [])
    names = postgres.run("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tenant%' ORDER BY 1")
    assert names == ([("tenant-a",), ("tenant-b",)] if schema else [])
    make(postgres, schema)  # nothing of the old is in the way
    assert not list(tmp_path.iterdir())


def test_a_schema_that_is_not_there_is_empty(postgres: Fresh, tmp_path: Path) -> None:
    RealClones(RealCommands()).empty(postgres.target("nobody"), 5.0, tmp_path)
    assert postgres.run("SELECT 1 FROM pg_namespace WHERE nspname = 'nobody'") == []


def test_what_another_schema_needs_is_not_taken_away(postgres: Fresh, tmp_path: Path) -> None:
    make(postgres, "tenant-a", "CREATE TABLE notes (id int)")
    postgres.run('CREATE VIEW public.all_notes AS SELECT * FROM "tenant-a".notes')
    with pytest.raises(CopyFailed, match=r"could not be emptied: .*these depend on it: .*all_notes.*it is as it was"):
        RealClones(RealCommands()).empty(postgres.target("tenant-a"), 5.0, tmp_path)
    assert postgres.run('SELECT count(*) FROM "tenant-a".notes') == [(0,)]


@pytest.mark.slow
def test_a_reset_empties_its_schemas_or_leaves_them_as_they_were(project: Project) -> None:
    text = "deploy:\n  prod: {}\n  reset-dev: {}\n"
    (project.output / "config.yml").write_text(text)
    project.conf(*socket_lines(project), "DATABASE_SCHEMA: [app-one, app-two]")
    assert project.deploy().returncode == 0
    for schema in ("app-one", "app-two"):
        project.database.run(f"INSERT INTO \"{schema}\".notes VALUES (1, 'of a user')")
    (project.base / "data").mkdir()
    (project.base / "data" / "upload").write_text("of a user")

    project.migration("002_bad.sql", "CREATE TABLE notes (again int);\n")
    failed = project.mcc("deploy", "--stage", "reset-dev")
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert "databases: as before" in failed.stdout
    assert counts(project) == [1, 1]
    assert (project.base / "data" / "upload").read_text() == "of a user"

    project.migration("002_bad.sql", "CREATE TABLE more (id int);\n")
    done = project.mcc("deploy", "--stage", "reset-dev")
    assert done.returncode == 0, done.stdout + done.stderr
    assert counts(project) == [0, 0]
    assert project.database.run('SELECT name FROM "app-two".migrations ORDER BY 1') == [("001_notes",), ("002_bad",)]
    assert not list((project.base / "data").iterdir())


def counts(project: Project) -> list[int]:
    schemas = ("app-one", "app-two")
    return [project.database.run(f'SELECT count(*) FROM "{schema}".notes')[0][0] for schema in schemas]
