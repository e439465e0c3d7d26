"""Statements that are right and may hurt all the same: what is pointed out, what is not, and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcc.core.hazards.find import hazards, tables
from mcc.core.hazards.scene import MANY
from mcc.core.sql.actions import actions
from mcc.core.sql.cut import split
from mcc.core.sql.words import Dialect, words
from mcc.model.migration import Migration, MigrationPhase, Statement

PG: Dialect = "postgresql"
LITE: Dialect = "sqlite"
BOTH: tuple[Dialect, ...] = (LITE, PG)


def file(sql: str, name: str = "002_b", phase: MigrationPhase = "before", transaction: bool = True) -> Migration:
    return Migration(name, f"migrations/{name}.sql", split(sql).statements, phase=phase, transaction=transaction)


def found(sql: str, dialect: Dialect, phase: MigrationPhase = "before", **rows: int) -> list[str]:
    """What is said of one file."""
    return [problem.message for problem in hazards([file(sql, phase=phase)], dialect, rows)]


def found_in(files: list[Migration], dialect: Dialect = PG) -> list[str]:
    return [str(problem) for problem in hazards(files, dialect)]


class TestWhatTheLiveReleaseMayUse:
    @pytest.mark.parametrize("dialect", BOTH)
    @pytest.mark.parametrize(
        ("sql", "said"),
        [
            ("DROP TABLE users", "the table users is dropped while the live release may still use it"),
            ("drop table if exists app.users", "the table app.users is dropped while"),
            ('DROP TABLE "Us ers"', "the table Us ers is dropped while"),
            ("DROP VIEW active", "the view active is dropped while"),
            ("ALTER TABLE users DROP COLUMN mail", "the column users.mail is dropped while"),
            ("ALTER TABLE users DROP mail", "the column users.mail is dropped while"),
            ("ALTER TABLE users RENAME TO people", "the table users becomes people: the live release knows only"),
            ("ALTER TABLE users RENAME COLUMN a TO b", "the column users.a becomes b: the live release knows only"),
            ("ALTER TABLE users RENAME a TO b", "the column users.a becomes b: the live release knows only"),
            ("ALTER TABLE users ADD COLUMN a INT NOT NULL", "the new column users.a is NOT NULL and has no default"),
            ("ALTER TABLE users ADD a INT NOT NULL DEFAULT NULL", "the new column users.a is NOT NULL"),
        ],
    )
    def test_it_is_pointed_out(self, sql: str, said: str, dialect: Dialect) -> None:
        (message,) = found(sql, dialect)
        assert message.startswith(said)

    @pytest.mark.parametrize(
        ("sql", "said"),
        [
            ("DROP TABLE a, b CASCADE", "the table b is dropped while"),
            ("ALTER TABLE IF EXISTS ONLY users ADD x int, DROP COLUMN IF EXISTS y", "the column users.y is dropped"),
            ("ALTER TABLE users SET SCHEMA old", "users moves to another schema while"),
            ("ALTER TABLE users ENABLE ROW LEVEL SECURITY", "row level security is switched on for users"),
            ("ALTER SCHEMA app RENAME TO old", "the schema app gets another name"),
            ("ALTER TYPE mood RENAME VALUE 'a' TO 'b'", "the type mood or a part of it gets another name"),
            ("ALTER TYPE pair ALTER ATTRIBUTE x TYPE bigint", "the type pair is changed"),
            ("ALTER VIEW active RENAME TO alive", "the table active becomes alive"),
            ("DROP TYPE mood", "the type mood is dropped"),
            ("DROP SCHEMA app CASCADE", "the schema app is dropped with all that is in it"),
            ("DROP DATABASE app", "the database app is dropped with all that is in it"),
        ],
    )
    def test_postgresql_has_more_of_it(self, sql: str, said: str) -> None:
        assert found(sql, PG)[-1].startswith(said)

    @pytest.mark.parametrize("dialect", BOTH)
    @pytest.mark.parametrize(
        "sql",
        [
            "ALTER TABLE users ADD COLUMN a INT",
            "ALTER TABLE users ADD COLUMN a INT NOT NULL DEFAULT 0",
            "CREATE TABLE t (a INT NOT NULL)",
            "INSERT INTO users VALUES (1, 'DROP TABLE users; DELETE FROM users')",
            "DELETE FROM users WHERE id = 1",
            "UPDATE users SET a = 1 WHERE id = 1",
            "CREATE VIEW v AS SELECT 1",
            "DROP TRIGGER x",
            "-- DROP TABLE users\nSELECT 1",
            "/* DROP TABLE users; */ SELECT 'DROP TABLE x'",
            'INSERT INTO "drop table" VALUES (1)',
            "",
        ],
    )
    def test_what_only_adds_is_not(self, sql: str, dialect: Dialect) -> None:
        assert found(sql, dialect) == []

    @pytest.mark.parametrize("dialect", BOTH)
    @pytest.mark.parametrize(
        "sql", ["DROP TABLE users", "ALTER TABLE users DROP COLUMN a", "DROP VIEW v", "DROP TABLE a; DROP TABLE b"]
    )
    def test_behind_the_cut_over_nothing_old_is_used_any_more(self, sql: str, dialect: Dialect) -> None:
        assert found(sql, dialect)
        assert found(sql, dialect, "after") == []

    @pytest.mark.parametrize("dialect", BOTH)
    def test_a_new_name_behind_the_cut_over_comes_too_late_for_the_new_release(self, dialect: Dialect) -> None:
        assert "the new release finds only the old name" in found("ALTER TABLE a RENAME TO b", dialect, "after")[0]
        assert "the new release finds only the old name" in found("ALTER TABLE a RENAME b TO c", dialect, "after")[0]

    def test_a_view_that_is_made_anew_is_not_gone(self) -> None:
        assert found("DROP VIEW v; CREATE VIEW v AS SELECT 1", LITE) == []
        assert found("CREATE OR REPLACE VIEW v AS SELECT 1", PG) == []

    def test_a_view_keeps_the_old_name_of_a_table_alive_in_postgresql(self) -> None:
        """In SQLite nothing can be written through it."""
        sql = "ALTER TABLE users RENAME TO people; CREATE VIEW users AS SELECT * FROM people"
        assert found(sql, PG) == []
        assert len(found(sql, LITE)) == 1

    @pytest.mark.parametrize("dialect", BOTH)
    def test_nothing_is_lost_for_a_release_that_does_not_run_meanwhile(self, dialect: Dialect) -> None:
        files = [file("DROP TABLE a; ALTER TABLE b DROP COLUMN c; CREATE INDEX i ON b (d); DELETE FROM e")]
        (left,) = hazards(files, dialect, {"b": MANY}, offline=True)
        assert left.message == "all rows of e are deleted"


class TestTablesOfTheSameFiles:
    @pytest.mark.parametrize("dialect", BOTH)
    @pytest.mark.parametrize(
        "made",
        [
            "CREATE TABLE t (a)",
            'create table if not exists "T" (a)',
            "CREATE TEMP TABLE t (a)",
            "CREATE TABLE t AS SELECT 1",
            "CREATE TABLE x (a); ALTER TABLE x RENAME TO t",
        ],
    )
    def test_they_are_nobodys_yet(self, made: str, dialect: Dialect) -> None:
        later = (
            "ALTER TABLE t ADD b INT NOT NULL; CREATE INDEX i ON t (a); DELETE FROM t; UPDATE t SET a = 1; "
            "ALTER TABLE t DROP COLUMN a; ALTER TABLE t RENAME a TO c; DROP TABLE t"
        )
        assert found_in([file(made, "001_a"), file(later)], dialect) == []

    def test_they_count_from_there_on_only(self) -> None:
        assert len(found("DELETE FROM t; CREATE TABLE t (a); DELETE FROM t", LITE)) == 1

    def test_a_table_of_another_schema_is_another_one(self) -> None:
        assert found("CREATE TABLE new.t (a int); DELETE FROM old.t", PG) == ["all rows of old.t are deleted"]
        assert found("CREATE TABLE new.t (a int); DELETE FROM t", PG) == []


REBUILDS = {
    "made, filled, exchanged": "CREATE TABLE t2 (a); INSERT INTO t2 SELECT a FROM t; DROP TABLE t; "
    "ALTER TABLE t2 RENAME TO t; CREATE INDEX i ON t (a); ",
    "put aside first": "ALTER TABLE t RENAME TO old; CREATE TABLE t (a); INSERT INTO t SELECT a FROM old; "
    "DROP TABLE old; CREATE INDEX i ON t (a); ",
}


class TestRebuild:
    @pytest.mark.parametrize("way", REBUILDS)
    def test_it_is_said_once_with_both_that_can_happen(self, way: str) -> None:
        (message,) = found(REBUILDS[way], LITE)
        assert message.startswith("t is made anew: all writers wait while its rows are copied, and what the new")

    @pytest.mark.parametrize("way", REBUILDS)
    def test_behind_the_cut_over_only_a_big_table_is_worth_a_word(self, way: str) -> None:
        assert found(REBUILDS[way], LITE, "after") == []
        assert found(REBUILDS[way], LITE, "after", t=MANY - 1) == []
        assert found(REBUILDS[way], LITE, "after", t=MANY) == [
            "t (about 100,000 rows) is made anew: all writers wait while its rows are copied"
        ]

    @pytest.mark.parametrize("way", REBUILDS)
    def test_a_table_that_was_rebuilt_is_still_one_that_is_used(self, way: str) -> None:
        assert found(REBUILDS[way] + "DELETE FROM t", LITE)[1:] == ["all rows of t are deleted"]


class TestAllRows:
    @pytest.mark.parametrize("dialect", BOTH)
    def test_delete_without_where(self, dialect: Dialect) -> None:
        assert found("DELETE FROM users", dialect, users=12) == ["all rows of users (about 12 rows) are deleted"]
        inner = "DELETE FROM users RETURNING (SELECT 1 FROM x WHERE y)"
        assert found(inner, dialect) == ["all rows of users are deleted"]

    def test_truncate(self) -> None:
        assert found("TRUNCATE TABLE a, ONLY b RESTART IDENTITY CASCADE", PG) == [
            "all rows of a are deleted",
            "all rows of b are deleted",
        ]

    def test_update_without_where_where_the_table_is_big(self) -> None:
        assert "are written anew" in found("UPDATE users SET a = 1", PG)[0]
        assert found("UPDATE users SET a = 1", PG, users=10) == []
        assert found("UPDATE users SET a = 1", LITE) == []
        assert "are written anew, and all writers wait" in found("UPDATE OR FAIL users SET a = 1", LITE, users=MANY)[0]


LOCKS = [
    (
        "CREATE INDEX i ON t (a)",
        "the index on t is built while its writers wait",
        "CREATE INDEX CONCURRENTLY in a file",
    ),
    ("CREATE UNIQUE INDEX ON ONLY t (a)", "the index on t is built", "CREATE UNIQUE INDEX CONCURRENTLY in a file"),
    ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", "the new CHECK constraint: all rows of t", "NOT VALID"),
    ("ALTER TABLE t ADD CHECK (a > 0)", "the new CHECK constraint: all rows of t", "NOT VALID"),
    ("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES b", "the new FOREIGN KEY constraint: all rows of t", "NOT VALID"),
    ("ALTER TABLE t ADD UNIQUE (a)", "the new UNIQUE constraint: its index on t", "UNIQUE USING INDEX"),
    ("ALTER TABLE t ADD CONSTRAINT p PRIMARY KEY (a)", "the new PRIMARY KEY constraint", "PRIMARY KEY USING INDEX"),
    ("ALTER TABLE t ADD CONSTRAINT e EXCLUDE USING gist (a WITH &&)", "the new EXCLUDE constraint", "quiet"),
    ("ALTER TABLE t ADD b uuid DEFAULT gen_random_uuid()", "t.b has the default gen_random_uuid()", "in parts"),
    ("ALTER TABLE t ADD b int DEFAULT 1 + (random() * 9)::int", "t.b has the default random()", "in parts"),
    ("ALTER TABLE t ADD b text NOT NULL DEFAULT app.made_up(1)", "t.b has the default made_up()", "in parts"),
    ("ALTER TABLE t ADD b bigserial", "t.b is bigserial: all of t is written anew", "in parts"),
    ("ALTER TABLE t ADD b int GENERATED ALWAYS AS IDENTITY", "t.b is generated: all of t is written anew", "parts"),
    ("ALTER TABLE t ADD b int GENERATED ALWAYS AS (a + 1) STORED", "t.b is generated", "in parts"),
    ("ALTER TABLE t ADD b int UNIQUE", "t.b is unique: its index is built", "CREATE UNIQUE INDEX CONCURRENTLY"),
    ("ALTER TABLE t ADD b int REFERENCES u (id)", "t.b brings a constraint: all rows of t", "NOT VALID"),
    ("ALTER TABLE t SET TABLESPACE fast", "SET TABLESPACE: all of t is written anew", "quiet"),
    ("ALTER TABLE t SET UNLOGGED", "SET UNLOGGED: all of t is written anew", "quiet"),
    ("ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1)", "the partition p joins t: all its rows", "CHECK"),
    ("VACUUM FULL t", "VACUUM FULL t: readers and writers wait", "plain VACUUM"),
    ("VACUUM (VERBOSE, FULL) t", "VACUUM FULL t: readers and writers wait", "plain VACUUM"),
    ("CLUSTER VERBOSE t USING i", "CLUSTER t: readers and writers wait", "pg_repack"),
    ("REINDEX TABLE t", "REINDEX t: readers and writers wait", "CONCURRENTLY in a file"),
    ("REFRESH MATERIALIZED VIEW t", "REFRESH MATERIALIZED VIEW t: readers", "VIEW CONCURRENTLY"),
]


class TestLocksOfPostgresql:
    @pytest.mark.parametrize(("sql", "said", "way"), LOCKS)
    def test_each_is_pointed_out_with_the_safe_way(self, sql: str, said: str, way: str) -> None:
        (problem,) = hazards([file(sql)], PG)
        assert problem.message.startswith(said)
        assert problem.message.endswith("; on a big table that is long")
        assert way in problem.help

    @pytest.mark.parametrize("sql", [sql for sql, *_ in LOCKS])
    def test_on_a_table_that_is_known_to_be_small_none_is(self, sql: str) -> None:
        assert found(sql, PG, t=MANY - 1, p=7) == []

    @pytest.mark.parametrize("sql", [sql for sql, said, _ in LOCKS if "ATTACH" not in sql])
    def test_on_a_big_one_the_rows_are_said_or_the_name(self, sql: str) -> None:
        (message,) = found(sql, PG, t=2_500_000)
        assert "t (about 2,500,000 rows)" in message or "t.b is unique" in message

    @pytest.mark.parametrize(
        "sql",
        [
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
            "ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i",
            "ALTER TABLE t VALIDATE CONSTRAINT c",
            "ALTER TABLE t DROP CONSTRAINT c",
            "ALTER TABLE t RENAME CONSTRAINT c TO d",
            "ALTER TABLE t ALTER COLUMN a SET DEFAULT random()",
            "ALTER TABLE t ALTER COLUMN a DROP NOT NULL",
            "ALTER TABLE t ADD b timestamptz NOT NULL DEFAULT now()",
            "ALTER TABLE t ADD b varchar(9) NOT NULL DEFAULT 'a'::varchar(20)",
            "ALTER TABLE t ADD b numeric(10, 2) DEFAULT 0.5 NOT NULL",
            "ALTER TABLE t ADD b jsonb DEFAULT jsonb_build_object('a', 1)",
            "ALTER TABLE t ADD b text DEFAULT E'it\\'s random()'",
            "ALTER TABLE t ADD b int GENERATED ALWAYS AS (a + 1) VIRTUAL",
            "VACUUM t",
            "DO $$ BEGIN DROP TABLE users; END $$",
            "CREATE FUNCTION f() RETURNS int AS $x$ DELETE FROM t; $x$ LANGUAGE sql",
            "DROP INDEX i",
            "DROP INDEX CONCURRENTLY i",
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)",
            "CREATE UNIQUE INDEX CONCURRENTLY ON t (a)",
            "REINDEX INDEX CONCURRENTLY i",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY t",
            "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
            "COMMENT ON TABLE t IS 'x'",
        ],
    )
    def test_the_safe_ways_are_not(self, sql: str) -> None:
        one = Migration("001_a", "001_a.sql", (Statement(sql, 1),))
        assert hazards([one], PG) == ()

    def test_a_lock_that_is_asked_for_is_always_said(self) -> None:
        assert "t is locked until the end of the transaction" in found("LOCK TABLE t IN SHARE MODE", PG, t=1)[0]
        assert "the partition p leaves t" in found("ALTER TABLE t DETACH PARTITION p", PG, t=1)[0]

    def test_a_type_is_a_rewrite_and_a_surprise(self) -> None:
        for sql in ("ALTER TABLE t ALTER a TYPE bigint", "ALTER TABLE t ALTER COLUMN a SET DATA TYPE bigint"):
            rewrite, surprise = found(sql, PG)
            assert rewrite.startswith("another type for t.a: as a rule all of t and its indexes are written anew")
            assert surprise == "t.a gets another type while the live release may still use the old one"
            assert found(sql, PG, "after", t=5) == []

    def test_set_not_null_is_a_scan_and_a_surprise(self) -> None:
        surprise, scan = found("ALTER TABLE t ALTER COLUMN a SET NOT NULL", PG)
        assert surprise == "t.a becomes NOT NULL while the live release may still leave it empty"
        assert scan.startswith("SET NOT NULL: all rows of t are read while readers and writers wait")

    def test_set_not_null_behind_a_validated_check_is_neither(self) -> None:
        sql = "ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER a SET NOT NULL; ALTER TABLE t DROP CONSTRAINT c"
        assert found(sql, PG) == []


class TestTransactionsOfPostgresql:
    ADD = "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID"
    VALIDATE = "ALTER TABLE t VALIDATE CONSTRAINT c"

    def test_all_files_are_one_so_that_the_lock_of_one_lasts_into_the_next(self) -> None:
        (said,) = found_in([file(self.ADD, "001_a"), file(self.VALIDATE)])
        assert said.startswith("migrations/002_b.sql:1: c is validated in the transaction that adds it")

    def test_a_file_of_its_own_ends_it(self) -> None:
        assert found_in([file(self.ADD, "001_a"), file(self.VALIDATE, transaction=False)]) == []
        between = file("SELECT 1", "002_b", transaction=False)
        assert found_in([file(self.ADD, "001_a"), between, file(self.VALIDATE, "003_c")]) == []

    def test_so_does_the_cut_over(self) -> None:
        assert found_in([file(self.ADD, "001_a"), file(self.VALIDATE, phase="after")]) == []
        between = file("SELECT 1", "002_b", phase="after")
        assert len(found_in([file(self.ADD, "001_a"), between, file(self.VALIDATE, "003_c")])) == 1


class TestSqlite:
    def test_an_index_on_a_big_table_keeps_writers_waiting(self) -> None:
        assert found("CREATE INDEX i ON t (a)", LITE) == []
        assert found("CREATE INDEX i ON t (a)", LITE, t=9) == []
        assert found("CREATE INDEX i ON t (a)", LITE, T=MANY) == [
            "the index on t (about 100,000 rows) is built while all writers wait"
        ]

    def test_dropping_a_column_writes_a_big_table_anew(self) -> None:
        used, rewritten = found("ALTER TABLE t DROP COLUMN a", LITE, t=MANY)
        assert used == "the column t.a is dropped while the live release may still use it"
        assert rewritten.startswith("to drop t.a, SQLite writes all of t (about 100,000 rows) anew")
        assert found("ALTER TABLE t DROP COLUMN a", LITE, "after", t=MANY) == [rewritten]

    def test_all_kinds_of_quotes_are_names(self) -> None:
        for name in ('"a b"', "`a b`", "[a b]", "'a b'"):
            assert found(f"DELETE FROM {name}", LITE) == ["all rows of a b are deleted"]


class TestWhereAndHow:
    def test_file_and_line_are_those_of_the_action(self) -> None:
        alter = "ALTER TABLE t\n  ADD a int,\n  /* two\n lines */ DROP COLUMN b,\n  DROP COLUMN c;"
        sql = f"SELECT 1;\n\n{alter}\nDROP TABLE u;"
        places = [str(problem).split(" ")[0] for problem in hazards([file(sql)], PG)]
        assert places == [f"migrations/002_b.sql:{line}:" for line in (6, 7, 8)]

    def test_the_way_out_is_said(self) -> None:
        (problem,) = hazards([file("DROP TABLE t")], LITE)
        assert "-- mcc: phase=after" in problem.help

    def test_each_is_said_once(self) -> None:
        one = file("DROP TABLE t")
        assert len(hazards([one, one], LITE)) == 1


class TestAccept:
    @pytest.mark.parametrize(
        "comment",
        [
            "-- mcc: accept\n",
            "--mcc:accept\n",
            "-- mcc: accept: nobody has read it since March\n",
            "-- MCC: Accept nobody reads it\n",
            "-- why\n-- mcc: accept\n-- more\n",
            "/* why */ -- mcc: accept\n",
        ],
    )
    def test_a_comment_before_a_statement_silences_that_one(self, comment: str) -> None:
        sql = f"{comment}DROP TABLE a;\nDROP TABLE b;"
        assert [message.split(" ")[2] for message in found(sql, LITE)] == ["b"]

    @pytest.mark.parametrize(
        "comment", ["-- mcc: acceptable\n", "-- accept\n", "'-- mcc: accept';\n", "-- not mcc: accept\n"]
    )
    def test_nothing_else_does(self, comment: str) -> None:
        assert len(found(f"{comment}DROP TABLE a", LITE)) == 1

    def test_it_is_not_for_the_statement_before_it_nor_for_one_that_it_stands_in(self) -> None:
        assert len(found("DROP TABLE a; -- mcc: accept\n", LITE)) == 1
        assert len(found("DROP TABLE -- mcc: accept\n a", LITE)) == 1


PAGE = Path(__file__).parents[2] / "docs" / "dangerous-statements.md"
ROWS = [
    [cell.strip() for cell in line.split("|")[1:4]] for line in PAGE.read_text().splitlines() if line.startswith("| `")
]


class TestThePage:
    @pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
    def test_what_it_says_of_each_statement_is_so(self, row: list[str]) -> None:
        statement, *said = row[0].strip("`"), row[1], row[2]
        for dialect, word in zip(BOTH, said, strict=True):
            big = dict.fromkeys("tuvp", MANY) if word == "big" else {}
            assert bool(found(statement, dialect, **big)) is bool(word), dialect
            assert not (word == "big" and found(statement, dialect)), dialect

    def test_there_are_rows(self) -> None:
        assert len(ROWS) > 35


WORDS = (
    *("alter", "table", "add", "drop", "column", "t", "not", "null", "default", "f", "(", ")", ",", "rename", "to"),
    *("type", "set", "constraint", "check", "create", "index", "on", "only", "vacuum", "full", "view", ";"),
)


class TestTablesWhoseSizeMatters:
    def test_they_are_those_that_are_changed_and_were_there(self) -> None:
        sql = (
            "CREATE TABLE new (a); ALTER TABLE Old ADD b; CREATE INDEX i ON s.big (a); CREATE INDEX j ON new (a); "
            "DROP VIEW v; DROP TABLE gone; INSERT INTO more VALUES (1); UPDATE Old SET b = 1; DROP TABLE new;"
        )
        assert tables([file(sql)], PG) == ("old", "s.big", "gone")

    def test_what_is_accepted_needs_no_size(self) -> None:
        assert tables([file("-- mcc: accept\nDROP TABLE t")], LITE) == ()


class TestAnyText:
    @given(st.text(alphabet="altertbdop ();,.'\"$-*/\n", max_size=80) | st.text(max_size=80), st.sampled_from(BOTH))
    def test_no_text_is_too_strange(self, sql: str, dialect: Dialect) -> None:
        actions(sql, dialect)

    @given(st.lists(st.sampled_from(WORDS), max_size=14), st.sampled_from(BOTH))
    def test_no_order_of_words_is_too_strange(self, parts: list[str], dialect: Dialect) -> None:
        hazards([file(" ".join(parts))], dialect)

    @given(st.text(alphabet="ab ();'\"$-*/\n", max_size=60))
    def test_parentheses_and_lines_are_counted(self, sql: str) -> None:
        assert all(word.line <= sql.count("\n") for word in words(sql, PG))
