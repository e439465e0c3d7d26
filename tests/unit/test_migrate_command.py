"""``mcc migrate`` on a real site: status, plan, apply, baseline, accept, late files, bad input."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

import mcc.cli.commands.deploy
import mcc.cli.commands.migrate  # noqa: F401 - both are patched
from mcc.cli import main as cli
from mcc.cli.hands import RealHands
from mcc.cli.screens.errors import show_error
from mcc.errors import MccError
from mcc.host.signals import Interrupts, NoInterrupts

COMMAND: Any = typer.main.get_command(cli.app)
DOMAINS = ("a.example.com", "b.example.com", "c.example.com")
ONE, TWO = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);\n", "ALTER TABLE notes ADD COLUMN at INTEGER;\n"


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Project:
    """An output folder and a site, without services."""

    def __init__(self, folder: Path) -> None:
        self.output = folder / "output"
        self.base = folder / "site"
        self.base.mkdir()
        self.folder = self.output / "shared" / "db" / "scripts" / "migrations"
        self.folder.mkdir(parents=True)
        (self.output / "config.yml").write_text("deploy:\n  prod:\n    parameters: {conf: conf.yml}\n")
        self.conf()

    def conf(self, *lines: str, domains: tuple[str, ...] = DOMAINS) -> None:
        head = ("SERVICE_MANAGER: none", "OWNERSHIP: none", "SMOKE_URLS: []", "DATABASE: sqlite")
        text = "\n".join((f"REMOTE_BASE: {self.base}", *head, f"DOMAINS: [{', '.join(domains)}]", *lines))
        (self.output / "conf.yml").write_text(text + "\n")

    def write(self, **texts: str | bytes) -> None:
        for name, text in texts.items():
            data = text if isinstance(text, bytes) else text.encode()
            (self.folder / f"{name.lstrip('_')}.sql").write_bytes(data)

    def mcc(self, *words: str, command: str = "migrate") -> Answer:
        """The command in this process: without guardian, and without a copy of mcc in the site."""
        out, err = io.StringIO(), io.StringIO()
        line = [command, "--stage", "prod", "--output", str(self.output), *words]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = COMMAND.main(line, standalone_mode=False)
            except MccError as error:
                show_error(error)
                code = error.exit_code
        return Answer(int(code or 0), out.getvalue(), err.getvalue())

    def real_mcc(self, *words: str) -> Answer:
        line = [sys.executable, "-m", "mcc", "migrate", "--stage", "prod", *words]
        done = subprocess.run(line, cwd=self.output, capture_output=True, text=True, check=False)
        return Answer(done.returncode, done.stdout, done.stderr)

    def database(self, domain: str) -> Path:
        return self.base / "domains" / domain / "data.db"

    def ask(self, domain: str, *statements: str) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(self.database(domain))) as connection, connection:
            return [connection.execute(sql).fetchall() for sql in statements][-1]

    def applied(self) -> dict[str, list[str]]:
        return {each["name"]: each["applied"] for each in self.mcc("--format", "json").json["databases"]}


class BareHands(RealHands):
    """Everything real, in one process."""

    def interrupts(self) -> Interrupts:
        return NoInterrupts()

    def guarded(self, run: str, work: Callable[[], int], rescue: Callable[[str], int]) -> int:
        return work()

    def install_tool(self, *_: object) -> None:
        return None


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("migrate", "deploy"):
        monkeypatch.setattr(f"mcc.cli.commands.{name}.RealHands", BareHands)
    made = Project(tmp_path)
    made.write(_001_notes=ONE, _002_at=TWO)
    return made


def test_status_changes_nothing_and_says_what_is_pending(project: Project) -> None:
    answer = project.mcc()
    assert answer.code == 0
    assert "all 3 databases\n  not there yet, 2 pending: 001_notes, 002_at\n" in answer.out
    assert list(project.base.iterdir()) == []


def test_plan_shows_the_sql_and_changes_nothing(project: Project) -> None:
    answer = project.mcc("--plan")
    assert answer.code == 0
    assert "BEGIN;\n-- shared/db/scripts/migrations/001_notes.sql\nCREATE TABLE notes" in answer.out
    assert list(project.base.iterdir()) == []
    (first, *_) = project.mcc("--plan", "--format", "json").json["databases"]
    assert first["files"][1]["statements"] == [{"line": 1, "sql": TWO.strip()}]


def test_apply_runs_what_is_pending_once_and_keeps_a_record_of_the_run(project: Project) -> None:
    answer = project.real_mcc("--apply", "--format", "jsonl")
    events = [json.loads(line) for line in answer.out.splitlines()]
    assert answer.code == 0
    assert (events[0]["action"], events[0]["release"]) == ("migrate", "")
    assert (events[-1]["result"], events[-1]["databases"]) == ("done", "2 migrations forward")
    assert set(map(tuple, project.applied().values())) == {("001_notes", "002_at")}
    assert project.mcc("--apply").out.splitlines()[-1].startswith("done in ")
    assert list((project.base / ".mcc" / "journal").iterdir()) == []
    assert len(list((project.base / ".mcc" / "runs").iterdir())) == 2


def test_the_copies_stay_if_a_file_without_a_transaction_stops_in_its_middle(project: Project) -> None:
    project.write(_001_notes=ONE)
    assert project.mcc("--apply").code == 0
    project.write(_002_x="-- mcc: no-transaction\nDROP TABLE notes;\nDROP TABLE nothing;\n")
    answer = project.mcc("--apply")
    assert answer.code == 1
    (kept,) = (project.base / "backups" / "before").iterdir()
    assert f"--from before/{kept.name}" in answer.out


def test_a_verified_copy_of_what_will_change_is_taken_before(project: Project) -> None:
    """As in a deploy: of databases that are there and have something pending."""
    project.mcc("--apply", "--database", DOMAINS[0], "--database", DOMAINS[1])
    assert not (project.base / "backups").exists()
    project.write(_003_x="CREATE TABLE x (a);")
    assert project.mcc("--apply").code == 0
    (kept,) = (project.base / "backups" / "before").iterdir()
    assert sorted(path.name for path in kept.iterdir() if path.suffix == ".gz") == [
        "a.example.com.db.gz",
        "b.example.com.db.gz",
    ]
    assert project.mcc("--apply").code == 0
    assert list((project.base / "backups" / "before").iterdir()) == [kept]


def test_a_failure_leaves_all_as_it_was_with_exit_code_1(project: Project) -> None:
    project.write(_003_bad="SELECT 1;\nSELECT * FROM nowhere;")
    answer = project.mcc("--apply")
    assert answer.code == 1
    assert "003_bad.sql:2: no such table: nowhere" in answer.out
    assert "databases: as before" in answer.out
    assert not (project.base / "domains").exists()


def test_a_file_that_fails_behind_the_cut_over_is_put_right_in_the_release(project: Project) -> None:
    assert project.mcc(command="deploy").code == 0
    project.write(_003_x="-- mcc: phase=after\nDROP TABLE nowhere;")
    answer = project.mcc(command="deploy")
    assert answer.code == 3
    file = project.base / "current-api" / "shared" / "db" / "scripts" / "migrations" / "003_x.sql"
    assert f"{file.resolve()}:2: no such table: nowhere" in answer.out
    assert "put the file right where it stands, in the release, or the database" in answer.out
    right = "-- mcc: phase=after\nALTER TABLE notes DROP COLUMN at;"
    project.write(_003_x=right)
    again = project.mcc(command="deploy")
    assert again.code == 3
    assert "put the file right where it stands" in again.err, "the output is not what has to be finished"
    file.write_text(right)
    assert project.mcc(command="deploy").code == 0
    assert project.applied()[DOMAINS[2]] == ["001_notes", "002_at", "003_x"]


def test_one_database_can_be_chosen(project: Project) -> None:
    assert project.mcc("--apply", "--database", DOMAINS[1]).code == 0
    assert {name: len(had) for name, had in project.applied().items()} == dict(zip(DOMAINS, (0, 2, 0), strict=True))
    answer = project.mcc("--database", "b.exmaple.com")
    assert answer.code == 2
    assert "knows no database 'b.exmaple.com'" in answer.err
    assert "did you mean b.example.com?" in answer.err


class TestChangedFiles:
    def test_one_that_was_changed_stops_a_run_and_a_deploy_until_it_is_accepted(self, project: Project) -> None:
        project.mcc("--apply")
        project.write(_001_notes=ONE + "-- a comment more\n", _003_x="CREATE TABLE x (a);")
        for command, words in (("migrate", ["--apply"]), ("migrate", ["--plan"]), ("deploy", ["--plan"])):
            answer = project.mcc(*words, command=command)
            assert answer.code == 2, command
            assert "001_notes.sql: was changed after it was applied to all 3 databases" in answer.err
            assert "mcc migrate --stage prod --accept 001_notes" in answer.err
        assert project.mcc("--accept", "001_notes.sql").code == 0
        assert project.mcc("--apply").code == 0
        assert project.applied()[DOMAINS[0]] == ["001_notes", "002_at", "003_x"]

    def test_line_ends_do_not_count_as_a_change(self, project: Project) -> None:
        project.mcc("--apply")
        project.write(_001_notes=b"\xef\xbb\xbf" + ONE.replace("\n", "\r\n").encode())
        assert project.mcc("--apply").code == 0

    def test_what_was_not_changed_cannot_be_accepted(self, project: Project) -> None:
        project.mcc("--apply")
        answer = project.mcc("--accept", "001_notes")
        assert answer.code == 2
        assert "every database that has had it had it as it is now" in answer.err
        assert "did you mean 001_notes?" in project.mcc("--accept", "001_note").err

    def test_one_that_is_pending_elsewhere_is_not_recorded_there(self, project: Project) -> None:
        project.mcc("--apply", "--database", DOMAINS[0])
        project.write(_003_x="CREATE TABLE x (a);")
        project.mcc("--apply", "--database", DOMAINS[1])
        project.write(_001_notes=ONE + "-- more\n", _003_x="CREATE TABLE x (a); -- more\n")
        assert project.mcc("--accept", "001_notes", "--accept", "003_x").code == 0
        assert project.applied()[DOMAINS[0]] == ["001_notes", "002_at"]
        assert project.mcc("--apply").code == 0
        assert project.ask(DOMAINS[0], "SELECT count(*) FROM x") == [(0,)]


class TestLateFiles:
    def test_one_that_sorts_before_an_applied_one_is_refused_unless_it_is_allowed(self, project: Project) -> None:
        project.mcc("--apply")
        project.write(_0015_x="CREATE TABLE x (a);")
        (project.folder / "0015_x.sql").rename(project.folder / "001_x.sql")
        answer = project.mcc("--apply")
        assert answer.code == 2
        assert "001_x.sql: is new, but sorts before files that were applied to all 3 databases" in answer.err
        assert project.mcc("--apply", "--allow-late", "001_x").code == 0
        assert project.applied()[DOMAINS[0]] == ["001_notes", "002_at", "001_x"]
        assert project.mcc("--apply").code == 0

    def test_names_that_do_not_sort_as_their_numbers_are_refused(self, project: Project) -> None:
        project.write(_10_b="SELECT 1;", _2_a="SELECT 1;")
        answer = project.mcc("--apply")
        assert answer.code == 2
        assert "10_b.sql: stands beside 2_a.sql" in answer.err


class TestBaseline:
    def test_a_filled_database_without_a_record_stops_a_deploy_and_is_adopted(self, project: Project) -> None:
        project.database(DOMAINS[0]).parent.mkdir(parents=True)
        project.ask(DOMAINS[0], ONE)
        for command, words in (("migrate", ["--apply"]), ("deploy", ["--plan"])):
            answer = project.mcc(*words, command=command)
            assert answer.code == 2
            assert "a.example.com: there are tables, but no record of which migrations made them" in answer.err
            assert "--baseline NAME" in answer.err
        assert not project.database(DOMAINS[1]).exists()
        assert project.mcc("--baseline", "001_notes").code == 0
        assert project.applied()[DOMAINS[0]] == ["001_notes"]
        assert not project.database(DOMAINS[1]).exists(), "a new one is not adopted"
        assert project.mcc("--apply").code == 0
        assert project.ask(DOMAINS[0], "SELECT count(*) FROM pragma_table_info('notes')") == [(3,)]

    def test_it_records_the_files_that_run_before_it_whatever_their_names(self, project: Project) -> None:
        (project.folder / "001_notes-first.sql").write_text("SELECT 1;")  # "-" sorts before "."
        project.database(DOMAINS[0]).parent.mkdir(parents=True)
        project.ask(DOMAINS[0], "CREATE TABLE x (a)")
        assert project.mcc("--baseline", "001_notes-first").code == 0
        assert project.applied()[DOMAINS[0]] == ["001_notes-first"]

    def test_without_such_a_database_it_is_refused(self, project: Project) -> None:
        project.mcc("--apply")
        answer = project.mcc("--baseline", "001_notes")
        assert answer.code == 2
        assert "no database that is filled and has no record" in answer.err


def test_files_of_the_conf_start_a_database_and_run_always(project: Project) -> None:
    db = project.output / "shared" / "db"
    (db / "schema.sql").write_text("-- mcc: includes 001_notes\nCREATE TABLE notes (text TEXT);")
    (db / "always.sql").write_text("DROP VIEW IF EXISTS v; CREATE VIEW v AS SELECT text FROM notes;")
    project.conf("SCHEMA_SQL: shared/db/schema.sql", "ALWAYS_SQL: shared/db/always.sql")
    assert "-- shared/db/schema.sql" in project.mcc("--plan").out
    assert project.mcc("--apply").code == 0
    assert project.ask(DOMAINS[2], "SELECT count(*) FROM v") == [(0,)]
    project.conf("SCHEMA_SQL: shared/db/nothing.sql")
    answer = project.mcc()
    assert answer.code == 2
    assert "conf.yml: SCHEMA_SQL: shared/db/nothing.sql is not in the output" in answer.err


def test_links_in_place_of_files_are_refused_and_not_passed_over(project: Project) -> None:
    (project.output / "x.txt").write_text("CREATE TABLE x (a);")
    (project.folder / "003_x.sql").symlink_to(project.output / "x.txt")
    answer = project.mcc("--apply")
    assert answer.code == 2
    assert "003_x.sql: is a symbolic link, and is not followed (put the file itself in its place)" in answer.err
    assert list(project.base.iterdir()) == []


def test_a_link_in_place_of_their_folder_is_refused_and_not_passed_over(project: Project) -> None:
    project.folder.rename(project.folder.with_name("elsewhere"))
    project.folder.symlink_to("elsewhere")
    for command, words in (("migrate", ["--apply"]), ("deploy", ["--plan"])):
        answer = project.mcc(*words, command=command)
        assert answer.code == 2, command
        assert "shared/db/scripts/migrations is a symbolic link" in answer.err


def test_all_databases_that_cannot_be_read_are_named(project: Project) -> None:
    project.mcc("--apply")
    for domain in DOMAINS[:2]:
        project.database(domain).write_bytes(b"no database" * 500)
    for command, words in (("migrate", []), ("migrate", ["--apply"]), ("deploy", ["--plan"])):
        answer = project.mcc(*words, command=command)
        assert answer.code != 0
        assert "2 of 3 databases could not be read" in answer.err
        assert all(str(project.database(domain)) in answer.err for domain in DOMAINS[:2])


def test_a_table_that_has_only_names_gets_no_other_column(project: Project) -> None:
    project.conf("MIGRATION_TABLE: migrations(name)")
    assert project.mcc("--apply").code == 0
    project.write(_003_x="CREATE TABLE x (a);")
    assert project.mcc("--apply").code == 0
    assert project.applied()[DOMAINS[0]] == ["001_notes", "002_at", "003_x"]
    assert project.ask(DOMAINS[0], "SELECT name FROM pragma_table_info('migrations')") == [("name",)]


def test_domains_that_left_the_conf_are_left_alone_and_listed(project: Project) -> None:
    project.mcc("--apply")
    project.write(_003_x="CREATE TABLE x (a);")
    project.conf(domains=DOMAINS[1:])
    answer = project.mcc("--apply")
    assert answer.code == 0
    assert "1 database of domains that the conf does not name, left alone: a.example.com" in answer.out
    assert project.ask(DOMAINS[0], "SELECT count(*) FROM migrations") == [(2,)]


def test_rows_without_a_file_are_a_warning(project: Project) -> None:
    project.mcc("--apply")
    (project.folder / "002_at.sql").unlink()
    answer = project.mcc()
    assert "warning: 002_at was applied to all 3 databases, and this release has no such file" in answer.out
    assert project.mcc("--apply").code == 0


class TestUsage:
    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            (("--plan", "--apply"), "--plan and --apply cannot be asked for together"),
            (("--apply", "--format", "json"), "--format json does not go with --apply"),
            (("--format", "jsonl"), "--format jsonl does not go with --status"),
            (("--status", "--allow-late", "x"), "--allow-late goes with --apply and --plan"),
            (("--apply", "--allow-late", "x"), "there is no migration 'x'"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, project: Project, words: tuple[str, ...], reason: str) -> None:
        answer = project.mcc(*words)
        assert answer.code == 2
        assert reason in answer.err

    def test_an_output_without_migrations_is_named(self, project: Project) -> None:
        project.conf("MIGRATIONS_DIR: shared/elsewhere")
        assert "brings no files of SQL for databases" in project.mcc().err


class TestBadInput:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("\n".join(["SELECT 1;"] * 39 + ["SELEC 1;"]), '003_x.sql:40: near "SELEC": syntax error'),
            ("", "003_x.sql: the file is empty"),
            (b"-- one\n-- caf\xe9\nSELECT 1;", "003_x.sql:2: the byte 0xe9 is not UTF-8"),
            ("SELECT 1;\nCOMMIT;", "003_x.sql:2: COMMIT cannot stand in a migration"),
            ("SELECT 1;\nATTACH 'x' AS y;", "003_x.sql:2: ATTACH cannot stand in a migration"),
            ("-- mcc: nonsense\nSELECT 1;", "003_x.sql:1: mcc does not know 'nonsense'"),
            ("SELECT 'a", "003_x.sql:1: a ' without its '"),
        ],
    )
    def test_a_bad_file_is_named_with_its_line_and_nothing_is_done(
        self, project: Project, text: str | bytes, reason: str
    ) -> None:
        project.mcc("--apply")
        before = {domain: project.database(domain).read_bytes() for domain in DOMAINS}
        project.write(_003_x=text)
        answer = project.mcc("--apply")
        assert answer.code in (1, 2)
        assert reason in answer.out + answer.err
        assert {domain: project.database(domain).read_bytes() for domain in DOMAINS} == before

    def test_a_name_with_quotes_and_spaces_works(self, project: Project) -> None:
        (project.folder / '003 it\'s "new"; DROP TABLE notes; --.sql').write_text("CREATE TABLE x (a);")
        assert project.mcc("--apply").code == 0
        assert project.applied()[DOMAINS[0]][-1] == '003 it\'s "new"; DROP TABLE notes; --'

    def test_a_database_that_is_none_stops_all_before_anything_runs(self, project: Project) -> None:
        project.database(DOMAINS[1]).parent.mkdir(parents=True)
        project.database(DOMAINS[1]).write_bytes(b"no database at all, " * 100)
        answer = project.mcc("--apply")
        assert answer.code == 2
        assert f"{project.database(DOMAINS[1])}: it is not an SQLite database" in answer.err
        assert not project.database(DOMAINS[0]).exists()
        assert project.database(DOMAINS[1]).read_bytes().startswith(b"no database")
