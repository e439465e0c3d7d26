"""Files beside databases: what runs, what gets a row, what stands in the way."""

from __future__ import annotations

import hashlib

import pytest

from mcc.core.migrating.files import read, read_one
from mcc.core.migrating.rows import applied_from, is_known, is_same, stored_hash, stored_name
from mcc.core.migrating.state import Standing, refusals, some, stand, warnings
from mcc.core.migrating.work import groups, recorded, to_run
from mcc.model.database import Applied, Found, How, Tracking
from mcc.model.migration import Migration

PROJECT = Tracking("_deployment_log", "filename", "checksum")
NEW, HOW = Found(False), How()
BEFORE, AFTER = How(phases=("before",)), How(phases=("after",))


def files(**texts: str) -> tuple[Migration, ...]:
    return read({f"{name.lstrip('_')}.sql": text.encode() for name, text in texts.items()}, "m")


def had(*names: str, **checksums: str) -> Found:
    rows = [Applied(name) for name in names] + [Applied(name.lstrip("_"), text) for name, text in checksums.items()]
    return Found(True, True, True, tuple(sorted(rows, key=lambda row: row.name)))


def names(migrations: tuple[Migration, ...]) -> list[str]:
    return [each.name for each in migrations]


THREE = files(_1="SELECT 1", _2="-- mcc: phase=after\nSELECT 2", _3="SELECT 3")
SCHEMA = read_one(b"-- mcc: includes 1\n-- mcc: includes 2\nSELECT 0", "schema.sql", "schema")
ALWAYS = read_one(b"SELECT 9", "always.sql", "always")


class TestWork:
    def test_each_phase_gets_its_files(self) -> None:
        assert names(to_run(THREE, had("0"), BEFORE)) == ["1", "3"]
        assert names(to_run(THREE, had("0"), AFTER)) == ["2"]
        assert names(to_run(THREE, had("0"), HOW)) == ["1", "2", "3"]

    def test_a_new_database_gets_all_of_them_in_order_before_the_cut_over(self) -> None:
        assert names(to_run(THREE, NEW, BEFORE)) == ["1", "2", "3"]

    def test_a_schema_starts_a_new_database_and_stands_for_what_it_includes(self) -> None:
        everything = (SCHEMA, *THREE, ALWAYS)
        assert names(to_run(everything, NEW, BEFORE)) == ["schema", "3", "always"]
        assert names(to_run(everything, had("1"), HOW)) == ["2", "3", "always"]
        assert names(recorded(to_run(everything, NEW, BEFORE), everything)) == ["1", "2", "3"]

    def test_what_runs_always_runs_when_nothing_is_pending_but_not_behind_the_cut_over(self) -> None:
        done = had("1", "2", "3")
        assert names(to_run((*THREE, ALWAYS), done, BEFORE)) == ["always"]
        assert to_run((*THREE, ALWAYS), done, AFTER) == ()
        assert names(to_run((*THREE, ALWAYS), had("1", "3"), AFTER)) == ["2", "always"]

    def test_a_file_without_a_transaction_stands_alone(self) -> None:
        alone = "-- mcc: no-transaction\nVACUUM"
        found = groups(files(_1="SELECT 1", _2="SELECT 1", _3=alone, _4=alone, _5="SELECT 1"))
        assert [names(group) for group in found] == [["1", "2"], ["3"], ["4"], ["5"]]


class TestStanding:
    def test_a_file_with_another_text_than_was_applied_is_changed(self) -> None:
        first = THREE[0]
        assert stand(THREE, had("2", "3", _1=first.checksum), HOW) == Standing()
        assert stand(THREE, had("2", "3", _1="0" * 64), HOW).changed == (first,)

    def test_a_row_without_a_checksum_says_nothing(self) -> None:
        assert stand(THREE, had("1", "2", "3"), HOW).changed == ()

    def test_a_pending_file_that_sorts_before_an_applied_one_is_late(self) -> None:
        assert names(stand(THREE, had("3"), HOW).late) == ["1"], "the file for after the cut-over always runs later"
        assert stand(THREE, had("1"), HOW).late == ()

    def test_files_stand_in_the_order_in_which_they_run(self) -> None:
        both = files(**{"_1-b": "SELECT 1", "_1": "SELECT 2"})
        assert names(both) == ["1-b", "1"], "their names end in .sql"
        assert names(stand(both, had("1"), HOW).late) == ["1-b"]
        assert stand(both, had("1-b"), HOW).late == ()
        waits = files(**{"_1-b": "-- mcc: phase=after\nSELECT 1", "_1": "SELECT 2"})
        assert names(stand(waits, had("0"), HOW).overtaken) == ["1-b"]

    def test_applied_names_without_a_file_are_gone_and_make_nothing_late(self) -> None:
        standing = stand(THREE, had("1", "999_hotfix"), HOW)
        assert standing.gone == ("999_hotfix",)
        assert standing.late == ()

    def test_a_filled_database_without_rows_is_bare_if_anything_is_pending(self) -> None:
        assert stand(THREE, Found(True, filled=True), HOW).bare
        assert not stand((), Found(True, filled=True), HOW).bare
        assert not stand(THREE, Found(True), HOW).bare

    def test_a_file_that_waits_while_later_ones_run_is_overtaken(self) -> None:
        assert names(stand(THREE, had("1"), HOW).overtaken) == ["2"]
        assert stand(THREE, had("1", "3"), HOW).overtaken == ()
        assert stand(THREE, NEW, HOW).overtaken == ()


class TestRefusals:
    command = "mcc migrate --stage prod"

    def said(self, found: dict[str, Found], late: tuple[str, ...] = ()) -> list[str]:
        standings = {name: stand(THREE, one, HOW) for name, one in found.items()}
        return [str(problem) for problem in refusals(standings, late, self.command)]

    def test_a_changed_file_is_named_once_with_the_databases_and_the_ways_out(self) -> None:
        wrong = had("2", "3", _1="0" * 64)
        (said,) = self.said({"a": wrong, "b": wrong, "c": had("1", "2", "3")})
        assert said.startswith("m/1.sql: was changed after it was applied to a, b (")
        assert "mcc migrate --stage prod --accept 1" in said

    def test_a_late_file_is_refused_unless_it_is_allowed(self) -> None:
        (said,) = self.said({"a": had("3")})
        assert said.startswith("m/1.sql: is new, but sorts before files that were applied to a (rename it so")
        assert "--allow-late 1" in said
        assert self.said({"a": had("3")}, ("1",)) == []

    def test_a_filled_database_without_a_record_is_refused_with_its_way_out(self) -> None:
        (said,) = self.said({"a": Found(True, filled=True), "b": NEW})
        assert said.startswith("a: there are tables, but no record")
        assert "--baseline NAME (the newest is 3)" in said

    def test_names_are_quoted_for_the_shell(self) -> None:
        (file,) = read({"it's; rm -rf.sql": b"SELECT 1"})
        standings = {"a": Standing(changed=(file,))}
        (said,) = refusals(standings, (), self.command)
        assert said.help.endswith("""--accept 'it'"'"'s; rm -rf'""")

    def test_many_databases_are_counted(self) -> None:
        assert some(["a", "b", "c", "d"], 9) == "a, b, c and 1 more"
        assert some(["a", "b"], 2) == "all 2 databases"

    def test_what_stops_nothing_is_said(self) -> None:
        said = warnings({"a": stand(THREE, had("1", "old"), HOW)})
        assert said[0] == "old was applied to a, and this release has no such file"
        assert said[1].startswith("m/2.sql waits for the cut-over")


class TestRows:
    text = b"SELECT 1;\r\n"
    one = read({"1_a.sql": text})[0]

    def test_a_projects_table_may_hold_file_names(self) -> None:
        assert applied_from([("1_a.sql", "x"), ("2", None)], PROJECT) == (Applied("1_a", "x"), Applied("2"))
        assert applied_from([("1_a.sql", None)], Tracking()) == (Applied("1_a.sql"),)

    def test_a_new_row_looks_like_those_that_are_there(self) -> None:
        assert stored_name("2", ["1.sql"], PROJECT) == "2.sql"
        assert stored_name("2", ["1"], PROJECT) == "2"
        assert stored_name("2", [], PROJECT) == "2.sql", "the column is called so"
        assert stored_name("2", [], Tracking("t", "version", None)) == "2"
        assert stored_name("2", ["1.sql"], Tracking()) == "2"

    @pytest.mark.parametrize("kind", ["sha256", "sha1", "md5"])
    def test_hashes_of_other_tools_are_known_and_written_in_their_kind(self, kind: str) -> None:
        two = read({"2_b.sql": b"SELECT 2;\r\n"})[0]
        row = Applied("1_a", hashlib.new(kind, self.text).hexdigest().upper())
        assert is_same(self.one, row, own=False, known=True)
        assert is_known([self.one, two], [row])
        assert stored_hash(two, [self.one, two], [row]) == hashlib.new(kind, b"SELECT 2;\r\n").hexdigest()

    def test_a_checksum_of_unknown_kind_in_a_projects_table_is_not_judged(self) -> None:
        assert is_same(self.one, Applied("1_a", "v1:abc"), own=False, known=False)
        assert is_same(self.one, Applied("1_a", "0" * 64), own=False, known=False)
        assert not is_same(self.one, Applied("1_a", "0" * 64), own=False, known=True), "others are known"
        assert not is_same(self.one, Applied("1_a", "v1:abc"), own=True, known=True)
