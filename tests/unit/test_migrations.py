"""Migration files: their order, their statements, and what cannot run."""

from __future__ import annotations

import hashlib
import sqlite3

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mcc.core.migrating.files import pending, read, read_one, refuse
from mcc.core.sql.cut import first_word, pragma, split
from mcc.errors import ConfigError
from mcc.model.migration import Migration, Statement

SQL = b"CREATE TABLE t (a);\n"


def problems(files: dict[str, bytes]) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        refuse(read(files, "migrations"))
    return [str(problem) for problem in raised.value.problems]


def one(text: bytes, name: str = "001_a.sql") -> Migration:
    return read({name: text})[0]


class TestOrder:
    def test_files_run_in_the_order_of_their_names(self) -> None:
        files = {"002_b.sql": SQL, "001_a.sql": SQL, "001_b.sql": SQL, "readme.md": b"", "zeta.sql": SQL}
        assert [migration.name for migration in read(files)] == ["001_a", "001_b", "002_b", "zeta"]
        refuse(read(files))

    def test_other_files_and_those_with_a_dot_in_front_are_left_out(self) -> None:
        assert read({"a.sql.bak": b"x", ".a.sql": b"\xff", "b.txt": b"", ".sql": b""}) == ()

    def test_names_with_quotes_spaces_and_dots_are_kept(self) -> None:
        names = ['001 it\'s "x"; DROP TABLE y', "002 ünï.v2"]
        assert [migration.name for migration in read({f"{name}.sql": SQL for name in names})] == names

    def test_what_a_database_has_had_is_not_pending(self) -> None:
        migrations = read({"1.sql": SQL, "2.sql": SQL, "3.sql": SQL})
        assert [migration.name for migration in pending(migrations, ["1", "2", "gone"])] == ["3"]
        assert pending(migrations, []) == migrations

    @pytest.mark.parametrize(
        "names",
        [
            ("2_a.sql", "10_b.sql"),
            ("1_a.sql", "10_b.sql"),
            ("1_a.sql", "02_b.sql"),
            ("99.sql", "100.sql"),
            ("0009_a.sql", "010_b.sql", "0011_c.sql"),
        ],
    )
    def test_numbers_of_mixed_width_that_sort_wrongly_are_refused(self, names: tuple[str, ...]) -> None:
        (found,) = problems(dict.fromkeys(names, SQL))
        assert "sort the other way round" in found

    def test_the_way_out_of_mixed_widths_is_said(self) -> None:
        (found,) = problems({"2_a.sql": SQL, "10_b.sql": SQL})
        assert found.startswith("migrations/10_b.sql: stands beside 2_a.sql: ")
        assert "number all files with as many digits (02_a.sql)" in found

    def test_numbers_that_sort_right_are_good_whatever_their_width(self) -> None:
        refuse(read(dict.fromkeys(["001_a.sql", "002_b.sql", "20260101_c.sql", "x10.sql", "x2.sql"], SQL)))

    def test_names_that_differ_only_in_capitals_are_refused(self) -> None:
        assert "only in capital letters" in problems({"001_a.sql": SQL, "001_A.sql": SQL})[0]
        assert "only in capital letters" in problems({"001_a.sql": SQL, "001_a.SQL": SQL})[0]

    def test_a_suffix_in_capitals_is_not_passed_over_in_silence(self) -> None:
        assert problems({"001_a.SQL": SQL}) == ["migrations/001_a.SQL: only files that end in .sql run (rename it)"]

    def test_a_name_that_cannot_be_shown_is_refused(self) -> None:
        assert "cannot be shown" in problems({"001\n_a.sql": SQL})[0]
        assert "cannot be shown" in problems({"001\udcff.sql": SQL})[0]

    def test_what_is_wrong_with_a_file_matters_only_while_it_is_pending(self) -> None:
        migrations = read({"001_a.sql": b"BEGIN; COMMIT;", "002_b.sql": SQL})
        refuse(pending(migrations, ["001_a"]))
        with pytest.raises(ConfigError):
            refuse(pending(migrations, []))


class TestText:
    def test_a_byte_order_mark_is_taken_off(self) -> None:
        assert one(b"\xef\xbb\xbfSELECT 1;").statements == (Statement("SELECT 1;", 1),)

    def test_a_byte_that_is_not_utf8_is_named_with_its_line(self) -> None:
        assert problems({"1.sql": b"-- a\n-- \xe9\n"}) == [
            "migrations/1.sql:2: the byte 0xe9 is not UTF-8 (save the file as UTF-8)"
        ]

    @pytest.mark.parametrize("text", [b"", b" \n\t", b"\xef\xbb\xbf"])
    def test_an_empty_file_is_refused(self, text: bytes) -> None:
        assert "the file is empty" in problems({"1.sql": text})[0]

    def test_a_file_of_comments_alone_is_allowed(self) -> None:
        migration = one(b"-- not needed any more\n/* ; */\n;\n")
        assert migration.statements == migration.problems == ()

    def test_a_nul_character_is_named_with_its_line(self) -> None:
        assert "migrations/1.sql:2: there is a NUL" in problems({"1.sql": b"SELECT 1;\nSELECT '\0';"})[0]

    @pytest.mark.parametrize("word", ["BEGIN IMMEDIATE", "commit", "End", "ROLLBACK TO x", "SAVEPOINT x", "RELEASE x"])
    def test_transaction_commands_are_refused_with_their_line(self, word: str) -> None:
        (found,) = problems({"1.sql": f"SELECT 1;\n\n-- now\n{word};\n".encode()})
        assert found.startswith(f"migrations/1.sql:4: {word.split()[0].upper()} cannot stand in a migration")
        assert "mcc opens and ends transactions itself" in found

    @pytest.mark.parametrize("word", ["ATTACH 'x' AS y", "DETACH y", "vacuum", "/* c */ VACUUM INTO 'x'"])
    def test_what_reaches_beyond_the_transaction_is_refused(self, word: str) -> None:
        assert "cannot stand in a migration" in problems({"1.sql": word.encode()})[0]

    def test_a_command_of_the_sqlite3_program_is_refused(self) -> None:
        assert "'.mode csv' is a command of the sqlite3 program" in problems({"1.sql": b".mode csv\nSELECT 1;"})[0]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (b"SELECT 1;\nSELECT 'a;\n", "migrations/1.sql:2: a ' without its '"),
            (b'SELECT 1;\n\n"', 'migrations/1.sql:3: a " without its "'),
            (b"SELECT [a\n", "migrations/1.sql:1: a [ without its ]"),
            (b"SELECT 1;\n/* a\n", "migrations/1.sql:2: a comment without its */"),
            (b"/*/", "migrations/1.sql:1: a comment without its */"),
            (b"\nCREATE TRIGGER a AFTER UPDATE ON t BEGIN\nSELECT 1;\n", "migrations/1.sql:2: a trigger without"),
        ],
    )
    def test_a_last_statement_without_an_end_is_named_with_its_line(self, text: bytes, reason: str) -> None:
        assert problems({"1.sql": text})[0].startswith(reason)

    def test_all_problems_of_all_files_come_at_once(self) -> None:
        assert len(problems({"1.sql": b"BEGIN;\nCOMMIT;", "2.sql": b"\xff", "3.sql": b""})) == 4


TRIGGER = """CREATE TEMP TRIGGER a AFTER INSERT ON t BEGIN
  UPDATE t SET a = CASE WHEN a > 1 THEN ';' ELSE 'END;' END; -- END;
  SELECT 1;
END;"""


class TestSplit:
    def test_triggers_cases_comments_and_strings_are_whole(self) -> None:
        text = f"-- one; two\nSELECT ';' /* ; */, \"a;\", [b;], `c;`;;\n{TRIGGER}\nSELECT 2"
        assert split(text).statements == (
            Statement("SELECT ';' /* ; */, \"a;\", [b;], `c;`;", 2),
            Statement(TRIGGER, 3),
            Statement("SELECT 2", 7),
        )

    def test_doubled_quotes_belong_to_the_string(self) -> None:
        assert len(split("SELECT 'it''s; fine';").statements) == 1

    def test_one_statement_of_many_lines_is_cut_in_no_time(self) -> None:
        """A dump's INSERT with a semicolon in each of its lines."""
        rows = ",\n".join("(';')" for _ in range(100_000))
        assert len(split(f"INSERT INTO t VALUES {rows};").statements) == 1


_WORDS = st.sampled_from(
    [
        *";;;'\"`[]().-/\n\v\f1",
        "/*",
        "*/",
        "--",
        "a",
        "é",
        "CREATE",
        "TEMP",
        "TEMPORARY",
        "TRIGGER",
        "BEGIN",
        "END",
        "EXPLAIN",
        "QUERY",
        "SELECT",
    ]
)


@given(st.lists(_WORDS).map(" ".join) | st.lists(_WORDS).map("".join))
@example(TRIGGER)
@example("EXPLAIN QUERY PLAN CREATE TRIGGER a BEGIN SELECT 1; END;")
@example("CREATE TRIGGER END;;END;")
def test_statements_end_where_sqlite_says_they_do(text: str) -> None:
    """Oracle: sqlite3_complete() of every beginning of the text that ends in a semicolon."""
    pieces, begin = [], 0
    for at, char in enumerate(text):
        if char == ";" and sqlite3.complete_statement(text[begin : at + 1]):
            pieces.append(text[begin : at + 1])
            begin = at + 1
    expected = [statement.sql for piece in pieces for statement in split(piece).statements]
    assert all(len(split(piece).statements) <= 1 and not split(piece).unfinished for piece in pieces)
    assert all(sql.endswith(";") for sql in expected)
    found = split(text).statements
    assert [statement.sql for statement in found][: len(expected)] == expected
    assert len(found) <= len(expected) + 1  # the rest, without its semicolon
    for statement in found:
        assert "\n".join(text.split("\n")[statement.line - 1 :]).find(statement.sql) >= 0


@given(st.binary())
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    assert one(data).name == "001_a"


def test_words_and_pragmas_are_recognised() -> None:
    assert first_word("pragma x") == "PRAGMA"
    assert first_word("(") == first_word("") == ""
    assert pragma("PRAGMA main.journal_mode = 'WAL';") == ("journal_mode", "wal")
    assert pragma("pragma Journal_Mode(delete)") == ("journal_mode", "delete")
    assert pragma("PRAGMA foreign_keys;") == ("foreign_keys", "")
    assert pragma("SELECT 1") is None


class TestDirectives:
    def test_without_any_a_file_runs_in_the_transaction_before_the_cut_over(self) -> None:
        assert (one(SQL).phase, one(SQL).transaction) == ("before", True)

    @pytest.mark.parametrize("line", [b"-- mcc: phase=after", b"--mcc:phase=after ", b"--  MCC: Phase=After\r"])
    def test_a_file_may_wait_for_the_cut_over(self, line: bytes) -> None:
        assert one(b"-- what it is for\n" + line + b"\n/* more */\n" + SQL).phase == "after"

    def test_a_file_may_run_outside_of_a_transaction(self) -> None:
        migration = one(b"-- mcc: no-transaction\nVACUUM;")
        assert not migration.transaction
        assert migration.problems == ()

    def test_vacuum_in_the_transaction_is_refused_with_the_way_out(self) -> None:
        assert "-- mcc: no-transaction at the top" in problems({"1.sql": b"SELECT 1;\nVACUUM;"})[0]

    def test_vacuum_into_another_file_is_refused_everywhere(self) -> None:
        assert "VACUUM INTO cannot" in problems({"1.sql": b"-- mcc: no-transaction\nVACUUM main INTO 'x';"})[0]

    def test_transaction_commands_are_refused_there_too(self) -> None:
        assert "COMMIT cannot stand" in problems({"1.sql": b"-- mcc: no-transaction\nSELECT 1;\nCOMMIT;"})[0]

    def test_one_that_is_not_known_is_named_with_its_line_and_the_nearest(self) -> None:
        assert problems({"1.sql": b"-- one\n-- mcc: no-transactoin\nSELECT 1;"}) == [
            "migrations/1.sql:2: mcc does not know 'no-transactoin' (allowed: no-transaction, phase=after, "
            "phase=before, accept; did you mean no-transaction?)"
        ]

    def test_one_behind_a_statement_is_not_passed_over_in_silence(self) -> None:
        (found,) = problems({"1.sql": b"SELECT 1;\n-- mcc: phase=after\n"})
        assert found == "migrations/1.sql:2: 'phase=after' stands behind a statement (move it to the top)"

    def test_what_looks_like_one_in_a_string_or_a_sentence_is_none(self) -> None:
        migration = one(b"SELECT '\n-- mcc: phase=after\n';\n-- the mcc: phase=after of old\n/* -- mcc: nonsense */")
        assert (migration.phase, migration.problems) == ("before", ())

    def test_an_accepted_statement_is_no_directive_of_the_file(self) -> None:
        migration = one(b"-- mcc: accept it is small\nDROP TABLE t;\n-- mcc: accept\nDROP TABLE u;")
        assert migration.problems == ()
        assert [statement.accepted for statement in migration.statements] == [True, True]

    def test_a_schema_says_what_it_includes_and_nothing_else(self) -> None:
        schema = read_one(b"-- mcc: includes 001_a\n-- mcc: includes 002 b.sql\n" + SQL, "db/schema.sql", "schema")
        assert schema.includes == ("001_a", "002 b")
        assert schema.problems == ()
        wrong = read_one(b"-- mcc: phase=after\n" + SQL, "db/schema.sql", "schema").problems
        assert "allowed: includes NAME, accept" in str(wrong[0])


class TestChecksum:
    def test_line_ends_and_a_byte_order_mark_do_not_count(self) -> None:
        texts = [b"SELECT 1;\nSELECT 2;\n", b"SELECT 1;\r\nSELECT 2;\r\n", b"\xef\xbb\xbfSELECT 1;\rSELECT 2;\n"]
        assert len({one(text).checksum for text in texts}) == 1
        assert one(texts[0]).checksum == hashlib.sha256(texts[0]).hexdigest()

    def test_everything_else_counts(self) -> None:
        assert one(b"SELECT 1;\n").checksum != one(b"SELECT 1; \n").checksum

    def test_a_file_that_is_not_utf8_has_one_too(self) -> None:
        """A file that ran years ago by other means may be anything."""
        assert one(b"-- \xe9\n").checksum == hashlib.sha256(b"-- \xe9\n").hexdigest()

    def test_hashes_of_other_tools_are_of_the_bytes_as_they_are(self) -> None:
        text = b"SELECT 1;\r\n"
        assert one(text).others == tuple(hashlib.new(kind, text).hexdigest() for kind in ("sha256", "sha1", "md5"))


def test_postgresqls_text_is_cut_as_postgresql_has_it() -> None:
    text = b"CREATE FUNCTION f() RETURNS int AS $$ SELECT 1; SELECT 2; $$ LANGUAGE sql;\nSELECT 3;"
    (migration,) = read({"1.sql": text}, dialect="postgresql")
    assert [statement.line for statement in migration.statements] == [1, 2]
