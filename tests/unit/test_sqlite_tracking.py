"""Tracking tables of real SQLite databases: mcc's own, a project's, checksums, rows without running."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from pathlib import Path

import pytest

from mcc.core.migrating.files import read, read_one
from mcc.errors import MigrationFailed
from mcc.host.sqlite.migrator import SqliteDatabases
from mcc.host.sqlite.session import Session
from mcc.model.database import Applied, Found, How, SqliteDatabase, Tracking
from mcc.model.migration import Migration

SPECIFICATIONS = (
    "CREATE TABLE IF NOT EXISTS migrations (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, "
    "applied_at INTEGER DEFAULT (strftime('%s', 'now')))"
)
PROJECT = Tracking("_deployment_log", "filename", "checksum")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "data.db"


def files(**texts: str) -> tuple[Migration, ...]:
    return read({f"{name.lstrip('_')}.sql": text.encode() for name, text in texts.items()})


def migrate(database: Path, migrations: tuple[Migration, ...], tracking: Tracking | None = None) -> tuple[str, ...]:
    how = How(tracking or Tracking(), wait=1)
    return SqliteDatabases().migrate(SqliteDatabase("one", database), migrations, how)


def record(database: Path, migrations: tuple[Migration, ...], tracking: Tracking | None = None) -> tuple[str, ...]:
    how = How(tracking or Tracking(), wait=1)
    return SqliteDatabases().record(SqliteDatabase("one", database), migrations, how)


def look(database: Path, tracking: Tracking | None = None) -> Found:
    return SqliteDatabases().look(SqliteDatabase("one", database), tracking or Tracking())


def ask(database: Path, *statements: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        return [connection.execute(sql).fetchall() for sql in statements][-1]


A, B = "CREATE TABLE a (x)", "CREATE TABLE b (x)"


class TestOwn:
    def test_rows_hold_the_checksum(self, database: Path) -> None:
        one = files(_1=A)
        migrate(database, one)
        assert look(database).applied == (Applied("1", one[0].checksum),)
        assert look(database) == Found(True, True, True, (Applied("1", one[0].checksum),))

    def test_a_table_without_the_column_gets_it_when_a_row_is_written_and_not_before(self, database: Path) -> None:
        ask(database, SPECIFICATIONS, A, "INSERT INTO migrations (name) VALUES ('1')")
        before = database.read_bytes()
        assert migrate(database, files(_1=A)) == ()
        assert look(database).applied == (Applied("1"),)
        assert database.read_bytes() == before
        both = files(_1=A, _2=B)
        assert migrate(database, both) == ("2",)
        assert [row.checksum for row in look(database).applied] == [each.checksum for each in both]

    def test_rows_of_the_specifications_script_are_adopted_with_the_next_row(self, database: Path) -> None:
        migrate(database, files(_1=A))
        ask(database, B, "INSERT INTO migrations (name) VALUES ('2')")
        three = files(_1=A, _2=B, _3="")
        assert migrate(database, files(_1=A, _2=B)) == ()
        assert look(database).applied[1].checksum is None
        migrate(database, files(_1=A, _2=B, _3="SELECT 1"))
        assert look(database).applied[1].checksum == three[1].checksum

    def test_a_row_that_has_a_checksum_keeps_it(self, database: Path) -> None:
        """A file that was changed must stay noticed whatever else is applied."""
        migrate(database, files(_1=A))
        old = look(database).applied[0].checksum
        migrate(database, files(_1=A + " -- changed", _2=B))
        assert look(database).applied[0].checksum == old

    def test_a_run_that_fails_adds_no_column(self, database: Path) -> None:
        ask(database, SPECIFICATIONS, A, "INSERT INTO migrations (name) VALUES ('1')")
        with pytest.raises(MigrationFailed):
            migrate(database, files(_1=A, _2="nonsense"))
        assert "checksum" not in str(ask(database, "SELECT sql FROM sqlite_master WHERE name = 'migrations'"))

    def test_text_that_is_no_utf8_is_read(self, database: Path) -> None:
        ask(database, SPECIFICATIONS, "INSERT INTO migrations (name) VALUES (CAST(x'31ff' AS TEXT))")
        assert look(database).names == ("1\udcff",)

    def test_what_is_in_a_database_is_told(self, database: Path) -> None:
        assert look(database) == Found(False)
        database.touch()
        assert look(database) == Found(True)
        ask(database, SPECIFICATIONS)
        assert look(database) == Found(True, tracked=True)
        ask(database, "CREATE TABLE sqlite (a)")
        assert look(database) == Found(True, filled=True, tracked=True)


class TestProjects:
    made = "CREATE TABLE _deployment_log (filename TEXT PRIMARY KEY, checksum TEXT NOT NULL, at TEXT DEFAULT 'x')"

    def test_names_and_hashes_are_written_as_the_project_does(self, database: Path) -> None:
        md5 = hashlib.md5(A.encode(), usedforsecurity=False).hexdigest()
        ask(database, self.made, A, f"INSERT INTO _deployment_log (filename, checksum) VALUES ('1.sql', '{md5}')")
        assert migrate(database, files(_1=A, _2=B), PROJECT) == ("2",)
        row = ask(database, "SELECT filename, checksum, at FROM _deployment_log WHERE filename LIKE '2%'")
        assert row == [("2.sql", hashlib.md5(B.encode(), usedforsecurity=False).hexdigest(), "x")]
        assert look(database, PROJECT).names == ("1", "2")

    def test_a_table_that_is_missing_is_made_behind_the_files(self, database: Path) -> None:
        assert migrate(database, files(_1=A), PROJECT) == ("1",)
        assert look(database, PROJECT).names == ("1",)
        assert ask(database, "SELECT filename FROM _deployment_log") == [("1.sql",)]

    def test_a_file_may_make_the_table_and_write_its_own_row(self, database: Path) -> None:
        text = f"{self.made}; INSERT INTO _deployment_log (filename, checksum) VALUES ('1.sql', 'own');"
        assert migrate(database, files(_1=text, _2=B), PROJECT) == ("1", "2")
        assert [row.name for row in look(database, PROJECT).applied] == ["1", "2"]

    def test_a_table_without_checksums_has_none(self, database: Path) -> None:
        plain = Tracking("schema_log", "version", None)
        assert migrate(database, files(_1=A, _2=B), plain) == ("1", "2")
        assert ask(database, "SELECT * FROM schema_log") == [("1",), ("2",)]
        assert record(database, files(_1=A), plain) == ()

    def test_a_column_that_is_not_there_is_named(self, database: Path) -> None:
        """A name in double quotes that is no column would be taken for a text."""
        ask(database, "CREATE TABLE _deployment_log (name TEXT)")
        with pytest.raises(MigrationFailed, match="its table _deployment_log has no such column: filename") as raised:
            look(database, PROJECT)
        assert "MIGRATION_TABLE" in raised.value.help

    def test_it_does_not_count_as_a_table_of_the_application(self, database: Path) -> None:
        ask(database, self.made)
        assert not look(database, PROJECT).filled


class TestRecord:
    def test_rows_are_written_and_nothing_runs(self, database: Path) -> None:
        ask(database, A, B)
        assert record(database, files(_1=A, _2=B)) == ("1", "2")
        assert record(database, files(_1=A, _2=B)) == ()
        assert migrate(database, files(_1=A, _2=B, _3="SELECT 1")) == ("3",)

    def test_a_file_that_was_changed_is_taken_as_it_is_now(self, database: Path) -> None:
        migrate(database, files(_1=A, _2=B))
        changed = files(_1=A + " -- why")
        assert record(database, changed) == ("1",)
        assert look(database).applied[0].checksum == changed[0].checksum

    def test_a_database_that_is_not_there_is_not_made(self, database: Path) -> None:
        with pytest.raises(MigrationFailed, match="is not there"):
            record(database, files(_1=A))
        assert not database.exists()

    def test_a_writer_that_holds_the_database_is_told(self, database: Path) -> None:
        ask(database, A)
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(MigrationFailed, match="held the database for more than 1 s"):
                record(database, files(_1=A))


class TestBesideTheFolder:
    schema = read_one(b"-- mcc: includes 1\nCREATE TABLE a (x, y)", "schema.sql", "schema")
    always = read_one(b"DROP VIEW IF EXISTS v; CREATE VIEW v AS SELECT x FROM a", "always.sql", "always")

    def test_a_schema_starts_a_new_database_and_what_it_includes_counts_as_applied(self, database: Path) -> None:
        assert migrate(database, (self.schema, *files(_1=A, _2=B), self.always)) == ("1", "2")
        assert ask(database, "SELECT count(*) FROM pragma_table_info('a')") == [(2,)]
        assert look(database).names == ("1", "2")

    def test_it_is_passed_over_where_something_is(self, database: Path) -> None:
        migrate(database, files(_1=A))
        assert migrate(database, (self.schema, *files(_1=A, _2=B))) == ("2",)
        assert ask(database, "SELECT count(*) FROM pragma_table_info('a')") == [(1,)]

    def test_what_runs_always_runs_again_and_has_no_row(self, database: Path) -> None:
        migrate(database, (*files(_1=A), self.always))
        ask(database, "DROP VIEW v")
        assert migrate(database, (*files(_1=A), self.always)) == ()
        assert ask(database, "SELECT count(*) FROM v") == [(0,)]
        assert look(database).names == ("1",)

    def test_what_runs_always_is_in_the_same_transaction(self, database: Path) -> None:
        broken = read_one(b"SELECT * FROM nowhere", "db/always.sql", "always")
        with pytest.raises(MigrationFailed, match=r"db/always\.sql:1: no such table: nowhere"):
            migrate(database, (*files(_1=A), broken))
        assert not database.exists()


class TestWithoutTransaction:
    alone = "-- mcc: no-transaction\n"

    def test_it_runs_what_cannot_run_in_one(self, database: Path) -> None:
        text = f"{self.alone}PRAGMA page_size=8192; PRAGMA journal_mode=DELETE; VACUUM; PRAGMA journal_mode=WAL;"
        assert migrate(database, files(_1=A, _2=text, _3=B)) == ("1", "2", "3")
        assert ask(database, "PRAGMA page_size") == [(8192,)]
        assert ask(database, "PRAGMA journal_mode") == [("wal",)]

    def test_a_failure_behind_it_keeps_what_was_committed_and_says_so(self, database: Path) -> None:
        with pytest.raises(MigrationFailed) as raised:
            migrate(database, files(_1=A, _2=f"{self.alone}VACUUM", _3="nonsense"))
        assert raised.value.message.endswith('3.sql:1: near "nonsense": syntax error (committed before it: 1, 2)')
        assert look(database).names == ("1", "2")

    def test_a_failure_inside_says_that_its_statements_stay(self, database: Path) -> None:
        text = f"{self.alone}CREATE TABLE IF NOT EXISTS c (x);\nnonsense;"
        with pytest.raises(MigrationFailed) as raised:
            migrate(database, files(_1=A, _2=text))
        assert "2.sql:3" in raised.value.message
        assert "the file runs without a transaction, so its statements before that one stay" in raised.value.message
        assert look(database).names == ("1",)
        assert migrate(database, files(_1=A, _2=text.replace("nonsense;", ""))) == ("2",)

    @pytest.mark.parametrize("sql", ["ATTACH ':memory:' AS x", "BEGIN", "SAVEPOINT a"])
    def test_what_reaches_elsewhere_is_denied_there_too(self, database: Path, sql: str) -> None:
        """Also if the reading of the file had let it through."""
        (migration,) = files(_1=self.alone + "SELECT 1")
        statement = type(migration.statements[0])(sql, 7)
        passed = type(migration)("1", "1.sql", (statement,), transaction=False)
        with pytest.raises(MigrationFailed, match=r"1.sql:7: .* cannot stand in a migration"):
            migrate(database, (passed,))

    def test_vacuum_does_not_open_the_door_for_others(self, database: Path) -> None:
        assert "cannot stand" in str(files(_1=f"{self.alone}VACUUM; ATTACH 'x' AS y;")[0].problems[0])


class TestPhases:
    def test_a_file_for_after_the_cut_over_waits(self, database: Path) -> None:
        both = files(_1=A, _2="-- mcc: phase=after\nDROP TABLE a;", _3=B)
        migrate(database, both[:1])
        target, sqlite = SqliteDatabase("one", database), SqliteDatabases()
        assert sqlite.migrate(target, both, How(phases=("before",))) == ("3",)
        assert sqlite.migrate(target, both, How(phases=("after",))) == ("2",)

    def test_a_new_database_gets_files_of_both_phases_also_behind_one_without_a_transaction(
        self, database: Path
    ) -> None:
        alone = "-- mcc: no-transaction\nVACUUM"
        later = "-- mcc: phase=after\nDROP TABLE a;"
        all_of_them = (*files(_1=A, _2=alone, _3=later, _4=alone), read_one(b"SELECT 1", "always.sql", "always"))
        how = How(phases=("before",))
        assert SqliteDatabases().migrate(SqliteDatabase("one", database), all_of_them, how) == ("1", "2", "3", "4")


@pytest.mark.parametrize("alone", ["", "-- mcc: no-transaction\n"])
def test_what_another_migrator_did_between_look_and_lock_is_not_done_again(
    database: Path, monkeypatch: pytest.MonkeyPatch, alone: str
) -> None:
    given = files(_1=A, _2=alone + B)
    real, others = Session.patiently, []

    def late(self: Session, sql: str, place: str = "") -> None:
        if sql == "BEGIN IMMEDIATE" and not others:
            others.append("here")
            others.append(migrate(database, given))
        real(self, sql, place)

    monkeypatch.setattr(Session, "patiently", late)
    assert migrate(database, given) == ()
    assert others == ["here", ("1", "2")]
