"""A deploy points out dangerous statements with the sizes of the tables that it finds."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import pytest

from mcc.cli.hands import RealHands
from mcc.core.conf.found_components import found_in
from mcc.deploy.databases import PlannedDatabases, plan_databases
from mcc.deploy.request import read_request
from mcc.runs.databases import site_databases

FIRST = "CREATE TABLE things (id INTEGER PRIMARY KEY, a TEXT);"


class Project:
    """An output folder and a site with real databases."""

    def __init__(self, top: Path, domains: tuple[str, ...]) -> None:
        self.output, self.base, self.domains = top / "output", top / "site", domains
        self.migrations = self.output / "shared" / "db" / "scripts" / "migrations"
        self.migrations.mkdir(parents=True)
        (self.output / "api").mkdir()
        (self.output / "config.yml").write_text("deploy:\n  prod:\n    parameters: {conf: conf.yml}\n")
        self.conf("")
        self.file("001_first", FIRST)

    def conf(self, more: str) -> None:
        text = f"REMOTE_BASE: {self.base}\nSERVICE_MANAGER: none\nOWNERSHIP: none\nDATABASE: sqlite\n"
        (self.output / "conf.yml").write_text(f"{text}DOMAINS: [{', '.join(self.domains)}]\n{more}")

    def file(self, name: str, sql: str) -> None:
        (self.migrations / f"{name}.sql").write_text(sql)

    def database(self, domain: str, highest: int) -> None:
        path = self.base / "domains" / domain / "data.db"
        path.parent.mkdir(parents=True)
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE migrations (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL)")
            connection.execute("INSERT INTO migrations (name) VALUES ('001_first')")
            connection.execute(FIRST)
            connection.execute("INSERT INTO things VALUES (?, ?)", (highest, "x" * highest))

    def plan(self) -> PlannedDatabases:
        request = read_request(self.output, "prod")
        host = RealHands(lambda _masker: lambda _event: None).host(request.site, request.conf.services)
        site = site_databases(request.conf, request.site, host, "run")
        planned = plan_databases(request, site, found_in([path.name for path in self.output.iterdir()]))
        assert planned is not None
        return planned

    def warnings(self) -> list[str]:
        return [problem.message for problem in self.plan().hazards()]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, ("one.example.com", "two.example.com", "new.example.com"))


def fill(project: Project, highest: Mapping[str, int]) -> None:
    for domain, count in highest.items():
        project.database(domain, count)


def test_the_largest_database_says_how_big_a_table_is(project: Project) -> None:
    fill(project, {"one.example.com": 400_000, "two.example.com": 3})
    project.file("002_index", "CREATE INDEX i ON things (a);")
    assert project.warnings() == ["the index on things (about 400,000 rows) is built while all writers wait"]


def test_a_lock_on_small_tables_is_not_worth_a_word(project: Project) -> None:
    fill(project, {"one.example.com": 4, "two.example.com": 3})
    project.file("002_index", "CREATE INDEX i ON things (a);")
    assert project.warnings() == []


def test_where_and_how_are_said_among_the_warnings(project: Project) -> None:
    fill(project, {"one.example.com": 4})
    project.file("002_drop", "\n\nDROP TABLE things;")
    (said,) = project.plan().warnings()
    assert "migrations/002_drop.sql:3: the table things is dropped while the live release may still use it" in said
    assert "-- mcc: phase=after" in said


def test_tenants_that_are_new_hide_nothing_from_the_others(project: Project) -> None:
    """For a new one all files are pending, and the table would be one that they make."""
    fill(project, {"one.example.com": 4})
    project.file("002_drop", "DROP TABLE things;")
    assert len(project.warnings()) == 1


def test_a_site_without_databases_has_nothing_to_hurt(project: Project) -> None:
    project.file("002_drop", "DROP TABLE things; DELETE FROM things; ALTER TABLE other DROP COLUMN a;")
    assert project.warnings() == []


def test_what_was_applied_is_not_warned_of(project: Project) -> None:
    fill(project, dict.fromkeys(project.domains, 1))
    project.file("001_first", FIRST + "DROP TABLE other;")
    assert project.warnings() == []


def test_a_site_that_stands_still_is_only_warned_of_what_is_gone(project: Project) -> None:
    fill(project, {"one.example.com": 400_000})
    project.file("002_all", "CREATE INDEX i ON things (a); DROP TABLE gone; DELETE FROM things;")
    assert len(project.warnings()) == 3
    (left,) = project.plan().hazards(offline=True)
    assert left.message == "all rows of things (about 400,000 rows) are deleted"
