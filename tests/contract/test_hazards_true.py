"""What is said of locks and rewrites, and what is passed over in silence, is what PostgreSQL and SQLite do."""

from __future__ import annotations

import sqlite3

import pytest

from mcc.core.hazards.find import hazards
from mcc.core.sql.words import Dialect
from mcc.model.migration import Migration, Statement
from postgres_cluster import Fresh

SETUP = """
CREATE TABLE u (id int PRIMARY KEY);
CREATE TABLE t (a int, c varchar(9), CONSTRAINT there CHECK (a > 0) NOT VALID);
CREATE INDEX t_a ON t (a);
CREATE UNIQUE INDEX t_unique ON t (a);
CREATE TABLE parts (a int) PARTITION BY LIST (a);
CREATE TABLE one PARTITION OF parts FOR VALUES IN (1);
CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;
INSERT INTO t SELECT n, 'x' FROM generate_series(1, 50) n;
INSERT INTO u SELECT generate_series(1, 50);
"""
_LOCKS = "SELECT mode FROM pg_locks WHERE relation = '{}'::regclass AND granted AND pid = pg_backend_pid()"
_FILES = "SELECT relfilenode FROM pg_class WHERE oid = '{}'::regclass"

REWRITES = [
    "ALTER TABLE t ADD b uuid DEFAULT gen_random_uuid()",
    "ALTER TABLE t ADD b timestamptz DEFAULT clock_timestamp()",
    "ALTER TABLE t ADD b bigserial",
    "ALTER TABLE t ADD b int GENERATED ALWAYS AS IDENTITY",
    "ALTER TABLE t ADD b int GENERATED ALWAYS AS (a + 1) STORED",
    "ALTER TABLE t ALTER a TYPE bigint",
    "ALTER TABLE t SET UNLOGGED",
    "CLUSTER t USING t_a",
    "TRUNCATE t",
]
READERS_WAIT = [
    *REWRITES,
    "ALTER TABLE t ADD b int UNIQUE",
    "ALTER TABLE t ADD UNIQUE (a)",
    "ALTER TABLE t ADD CHECK (a > 0)",
    "ALTER TABLE t ALTER a SET NOT NULL",
    "ALTER TABLE t ADD b int CHECK (b > 0)",
]
WRITERS_WAIT = [
    "CREATE INDEX i ON t (a)",
    "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u",
]
SILENT = [
    "ALTER TABLE t ADD b int",
    "ALTER TABLE t ADD b int NOT NULL DEFAULT 7",
    "ALTER TABLE t ADD b timestamptz NOT NULL DEFAULT now()",
    "ALTER TABLE t ADD b text DEFAULT lower('ABC')",
    "ALTER TABLE t ADD b jsonb NOT NULL DEFAULT '{}'::jsonb",
    "ALTER TABLE t ADD b numeric(10, 2) DEFAULT 0.5::numeric(10, 2)",
    "ALTER TABLE t ADD b text[] DEFAULT ARRAY['a', 'b']",
    "ALTER TABLE t ADD b date DEFAULT CURRENT_DATE",
    "ALTER TABLE t ALTER a SET DEFAULT random()",
    "ALTER TABLE t ALTER a DROP NOT NULL",
    "ALTER TABLE t ADD CONSTRAINT n CHECK (a > 0) NOT VALID",
    "ALTER TABLE t VALIDATE CONSTRAINT there",
    "ALTER TABLE t ADD CONSTRAINT n UNIQUE USING INDEX t_unique",
    "ALTER TABLE t DROP CONSTRAINT there",
]


def said(sql: str, dialect: Dialect = "postgresql") -> str:
    one = Migration("001_a", "001_a.sql", (Statement(sql, 1),))
    return " / ".join(problem.message for problem in hazards([one], dialect))


class Effect:
    """What a statement does to a table in its transaction, before that ends."""

    def __init__(self, postgres: Fresh, sql: str, table: str = "t") -> None:
        connection = postgres.connect()
        connection.execute(SETUP)
        (before,) = connection.execute(_FILES.format(table)).fetchone()
        connection.execute("BEGIN")
        connection.execute(sql)
        self.locks = {mode for (mode,) in connection.execute(_LOCKS.format(table)).fetchall()}
        self.rewritten = connection.execute(_FILES.format(table)).fetchone() != (before,)
        connection.execute("ROLLBACK")


@pytest.mark.parametrize("sql", REWRITES)
def test_what_is_said_to_be_written_anew_is(postgres: Fresh, sql: str) -> None:
    effect = Effect(postgres, sql)
    assert effect.rewritten
    assert "AccessExclusiveLock" in effect.locks
    assert any(words in said(sql) for words in ("written anew", "readers and writers wait", "are deleted"))


@pytest.mark.parametrize("sql", READERS_WAIT)
def test_where_readers_are_said_to_wait_they_are_locked_out(postgres: Fresh, sql: str) -> None:
    assert "AccessExclusiveLock" in Effect(postgres, sql).locks
    assert "readers and writers wait" in said(sql) or "are deleted" in said(sql)


@pytest.mark.parametrize("sql", WRITERS_WAIT)
def test_where_only_writers_are_said_to_wait_readers_go_on(postgres: Fresh, sql: str) -> None:
    effect = Effect(postgres, sql)
    assert effect.locks & {"ShareLock", "ShareRowExclusiveLock"}
    assert "AccessExclusiveLock" not in effect.locks
    assert "writers" in said(sql)
    assert "readers" not in said(sql)


@pytest.mark.parametrize("sql", SILENT)
def test_what_is_passed_over_in_silence_writes_nothing_anew(postgres: Fresh, sql: str) -> None:
    assert not Effect(postgres, sql).rewritten
    assert said(sql) == ""


def test_a_validated_check_spares_set_not_null_its_scan(postgres: Fresh) -> None:
    """PostgreSQL says so in a debug message (ATExecSetNotNull, from version 12 on)."""
    connection = postgres.connect()
    notices: list[str] = []
    connection.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    connection.execute(SETUP + "SET client_min_messages = debug1;")
    connection.execute("ALTER TABLE t ADD CONSTRAINT n CHECK (a IS NOT NULL) NOT VALID")
    connection.execute("ALTER TABLE t VALIDATE CONSTRAINT n")
    connection.execute("ALTER TABLE t ALTER a SET NOT NULL")
    assert any("sufficient to prove" in notice for notice in notices)


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("REFRESH MATERIALIZED VIEW m", "m"),
        ("ALTER TABLE parts DETACH PARTITION one", "parts"),
        ("REINDEX TABLE u", "u_pkey"),
    ],
)
def test_what_has_a_concurrent_form_locks_readers_out_without_it(postgres: Fresh, sql: str, table: str) -> None:
    assert "AccessExclusiveLock" in Effect(postgres, sql, table).locks
    assert "readers and writers wait" in said(sql)


class TestSqlite:
    def test_a_not_null_column_without_a_default_is_refused_where_there_are_rows(self) -> None:
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (1)")
        sql = "ALTER TABLE t ADD b INT NOT NULL"
        assert "a table with rows refuses it" in said(sql, "sqlite")
        with pytest.raises(sqlite3.OperationalError, match="NOT NULL"):
            connection.execute(sql)
        connection.close()

    def test_adding_a_column_writes_no_row_and_dropping_one_writes_all(self, tmp_path: object) -> None:
        connection = sqlite3.connect(f"{tmp_path}/data.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (a, b, c DEFAULT 1)")
        connection.execute("WITH n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 20000) "
                           "INSERT INTO t SELECT x, x, x FROM n")  # fmt: skip

        def pages(sql: str) -> int:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute(sql)
            written: int = connection.execute("PRAGMA wal_checkpoint").fetchone()[1]
            return written

        assert pages("ALTER TABLE t ADD d INT NOT NULL DEFAULT 0") < 5
        assert pages("ALTER TABLE t RENAME b TO e") < 5
        assert pages("ALTER TABLE t DROP COLUMN c") > 50
        connection.close()
