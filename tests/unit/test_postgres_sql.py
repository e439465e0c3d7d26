"""PostgreSQL's SQL is cut as psql cuts it, and what cannot stand in a migration is named with its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcc.core.sql.postgres import is_concurrent, line_at, may_commit_inside, problem_with, split
from mcc.model.migration import Statement

WHOLE = [
    "SELECT 'a;''b;';",
    r"SELECT E'it\'s; \\', E'''';",
    'SELECT ";" AS "a"";b";',
    "SELECT $$ ; ' $q$ $$;",
    "SELECT $q$ ; $$ ; $Q$ ; $q$;",
    "SELECT $1;",
    "SELECT a$b$ FROM t;",
    "SELECT 1 /* ; /* ; */ ; */ + 1;",
    "SELECT 1 -- ; '\n + 1;",
    "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b);",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;",
    "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC DELETE FROM a; END;",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RETURN NEW; END; $f$;",
    "DO $$ BEGIN PERFORM 1; END $$;",
    "SELECT U&'d\\0061t;a', B'1', N'x';",
]


@pytest.mark.parametrize("sql", WHOLE)
def test_a_semicolon_inside_of_something_ends_nothing(sql: str) -> None:
    found = split(f"SELECT 0;\n{sql}\n;\n-- ;\nSELECT 9")
    assert [one.sql for one in found.statements] == ["SELECT 0;", sql, "SELECT 9"]
    assert [one.line for one in found.statements] == [1, 2, 5 + sql.count("\n")]
    assert found.unfinished is None


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("SELECT 1;\nSELECT 'a", "a ' without its '"),
        ("SELECT 1;\nSELECT 'a''", "a ' without its '"),
        ("SELECT 1;\nSELECT E'a\\'", "a ' without its '"),
        ('SELECT 1;\nSELECT "a', 'a " without its "'),
        ("SELECT 1;\n/* /* */", "a comment without its */"),
        ("SELECT 1;\n/*", "a comment without its */"),
        ("SELECT 1;\n$f$ $$ $F$", "a $f$ without its $f$"),
        ("SELECT 1;\n$$", "a $$ without its $$"),
        ("SELECT 1;\nCREATE FUNCTION f() BEGIN ATOMIC SELECT 1;", "a BEGIN ATOMIC without its END"),
    ],
)
def test_what_ends_nowhere_is_named_with_its_line(text: str, what: str) -> None:
    found = split(text)
    assert [one.sql for one in found.statements] == ["SELECT 1;"]
    assert found.unfinished is not None
    assert (found.unfinished.line, found.unfinished.what) == (2, what)


@given(st.lists(st.sampled_from(WHOLE), max_size=8))
def test_statements_one_behind_the_other_come_apart_again(parts: list[str]) -> None:
    assert [one.sql for one in split("\n".join(parts)).statements] == parts


@given(st.text(alphabet="a;'\"$\\/*-eE()\n ", max_size=40))
def test_nothing_is_lost_and_nothing_is_raised(text: str) -> None:
    for one in split(text).statements:
        assert one.sql in text
        assert one.sql == one.sql.strip()
        problem_with("x.sql", one)


def problem(sql: str, transaction: bool = True) -> str:
    (one,) = split(sql).statements
    found = problem_with("a.sql", one, transaction)
    return str(found) if found else ""


@pytest.mark.parametrize(
    "sql",
    [
        "BEGIN", "begin work", "START TRANSACTION", "COMMIT AND CHAIN", "END", "ROLLBACK TO x", "ABORT", "SAVEPOINT x",
        "RELEASE x", "PREPARE TRANSACTION 'x'", "/* why */ COMMIT", "CREATE DATABASE x", "DISCARD ALL",
    ],
)  # fmt: skip
@pytest.mark.parametrize("transaction", [True, False])
def test_transaction_commands_are_refused_with_their_line(sql: str, transaction: bool) -> None:
    (one,) = split(f"\n\n{sql};").statements
    found = problem_with("a.sql", one, transaction)
    assert found is not None
    assert (found.file, found.line) == ("a.sql", 3)
    assert "cannot stand in a migration" in found.message


@pytest.mark.parametrize(
    "sql",
    [
        "PREPARE q AS SELECT 1", "SELECT 'COMMIT'", "CREATE TABLE \"commit\" (x int)", "COPY t TO '/tmp/x'",
        "INSERT INTO t SELECT 1", "DO $$ BEGIN COMMIT; END $$",
        "SELECT 'CONCURRENTLY'",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_taken(sql: str) -> None:
    assert problem(sql) == ""


def test_copy_and_psql_commands_are_refused_with_their_line() -> None:
    text = "SELECT 1;\nCOPY t (a) FROM stdin;\n1\tx\n\\.\n\\connect other\nSELECT 2;\n"
    found = [str(found) for one in split(text).statements if (found := problem_with("a.sql", one))]
    assert found[0].startswith("a.sql:2: COPY from or to the client cannot stand in a migration")
    assert found[1].startswith("a.sql:4: \\. is a command of psql, not SQL")
    assert found[2].startswith("a.sql:5: \\connect is a command of psql, not SQL")


@pytest.mark.parametrize(
    "sql",
    ["CREATE INDEX CONCURRENTLY i ON t (x)", "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (x)",
     "DROP INDEX CONCURRENTLY i", "REINDEX TABLE CONCURRENTLY t", "ALTER TABLE t DETACH PARTITION p CONCURRENTLY"],
)  # fmt: skip
def test_concurrently_needs_a_file_without_a_transaction(sql: str) -> None:
    assert "cannot run in a transaction" in problem(sql)
    assert "-- mcc: no-transaction" in problem(sql)
    assert problem(sql, transaction=False) == ""
    assert is_concurrent(sql)


def test_vacuum_needs_a_file_without_a_transaction() -> None:
    assert "VACUUM cannot run in a transaction" in problem("VACUUM ANALYZE t")
    assert problem("VACUUM ANALYZE t", transaction=False) == ""


def test_the_line_of_an_error_is_worked_out_from_its_position() -> None:
    one = Statement("SELECT 1,\n  2,\n  x", 10)
    assert line_at(one, None) == 10
    assert line_at(one, 1) == 10
    assert line_at(one, one.sql.index("x") + 1) == 12


def test_a_comment_before_a_statement_accepts_it() -> None:
    first, second = split("-- mcc: accept, it is small\nDROP TABLE a;\nDROP TABLE b; -- mcc: accept").statements
    assert (first.accepted, second.accepted) == (True, False)


def test_call_and_do_may_have_committed_something() -> None:
    assert may_commit_inside("-- x\nCALL backfill()")
    assert may_commit_inside("do $$ begin end $$")
    assert not may_commit_inside("UPDATE t SET x = 1")


def test_the_lines_that_pg_dump_puts_around_a_dump_are_passed_over() -> None:
    text = "--\n\\restrict 3bVxS0m3T0k3n\n\nSET x = 1;\nSELECT 2;\n\\unrestrict 3bVxS0m3T0k3n\n"
    assert [(one.sql, one.line) for one in split(text).statements] == [("SET x = 1;", 4), ("SELECT 2;", 5)]
    (one,) = split("\\restricted area").statements
    assert problem_with("a.sql", one)
