"""About how many rows tables have is known without reading them, and nothing is made on the way."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from mcc.host.postgres.migrator import PostgresDatabases
from mcc.host.sqlite.migrator import SqliteDatabases
from mcc.model.database import SqliteDatabase
from postgres_cluster import Fresh

BIG = 'it\'s "big"'
QUOTED = '"it\'s ""big"""'


def make(path: Path, mode: str) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute(f"CREATE TABLE {QUOTED} (a)")
        numbers = "WITH n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 500)"
        connection.execute(f"{numbers} INSERT INTO {QUOTED} SELECT x FROM n")
        connection.execute("CREATE TABLE empty (a)")
        connection.execute("CREATE TABLE keyed (a TEXT PRIMARY KEY) WITHOUT ROWID")
        connection.execute("CREATE VIEW v AS SELECT 1")


class TestSqlite:
    def test_the_highest_row_number_stands_for_the_rows(self, tmp_path: Path) -> None:
        """What has none, or is not there, is left out."""
        for mode in ("wal", "delete"):
            target = SqliteDatabase("one", tmp_path / f"{mode}.db")
            make(target.path, mode)
            before = sorted(tmp_path.iterdir())
            found = SqliteDatabases().sizes(target, [BIG, "main.empty", "keyed", "v", "gone"])
            assert found == {BIG: 500, "main.empty": 0}
            assert sorted(tmp_path.iterdir()) == before

    def test_a_service_that_writes_is_not_disturbed(self, tmp_path: Path) -> None:
        target = SqliteDatabase("one", tmp_path / "data.db")
        make(target.path, "wal")
        with contextlib.closing(sqlite3.connect(target.path, isolation_level=None)) as service:
            service.execute("BEGIN IMMEDIATE")
            service.execute(f"INSERT INTO {QUOTED} VALUES (1)")
            assert SqliteDatabases().sizes(target, [BIG]) == {BIG: 500}
            service.execute("COMMIT")
            assert SqliteDatabases().sizes(target, [BIG]) == {BIG: 501}

    def test_nothing_is_known_of_one_that_is_not_there_is_none_or_is_held(self, tmp_path: Path) -> None:
        target = SqliteDatabase("one", tmp_path / "data.db")
        assert SqliteDatabases().sizes(target, ["t"]) == {}
        target.path.write_bytes(b"not a database" * 100)
        assert SqliteDatabases().sizes(target, ["t"]) == {}


class TestPostgresql:
    def test_what_the_planner_estimates_stands_for_the_rows(self, postgres: Fresh) -> None:
        postgres.run("CREATE TABLE counted (a int)")
        postgres.run("INSERT INTO counted SELECT generate_series(1, 5000)")
        postgres.run("ANALYZE counted")
        postgres.run("CREATE TABLE guessed (a text)")
        postgres.run("INSERT INTO guessed SELECT repeat('x', 90) FROM generate_series(1, 5000)")
        postgres.run("CREATE VIEW v AS SELECT 1")
        found = PostgresDatabases().sizes(postgres.target(), ["counted", "guessed", "v", "gone", "no.schema"])
        assert set(found) == {"counted", "guessed"}
        assert found["counted"] == 5000
        assert 2500 < found["guessed"] < 15_000

    def test_names_are_looked_for_in_the_schema_of_the_target(self, postgres: Fresh) -> None:
        postgres.run('CREATE SCHEMA "app-one"')
        postgres.run('CREATE TABLE "app-one"."T x" (a int)')
        postgres.run('INSERT INTO "app-one"."T x" SELECT generate_series(1, 300)')
        postgres.run('ANALYZE "app-one"."T x"')
        assert PostgresDatabases().sizes(postgres.target("app-one"), ["T x"]) == {"T x": 300}
        assert PostgresDatabases().sizes(postgres.target(), ["app-one.T x", "T x"]) == {"app-one.T x": 300}
