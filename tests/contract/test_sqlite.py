"""What every ``SqliteMigrator`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.host import FakeWorld
from mcc.errors import MigrationFailed
from mcc.host.database_ports import SqliteMigrator
from mcc.host.files import RealFiles
from mcc.host.ports import Files
from mcc.model.database import Found, How, SqliteDatabase, Tracking
from mcc.model.migration import Migration, Statement

real = pytest.importorskip("mcc.host.sqlite.migrator")


@dataclass(frozen=True)
class Case:
    sqlite: SqliteMigrator
    files: Files
    top: Path

    @property
    def database(self) -> Path:
        return self.top / "domains" / "a b's.example" / "data.db"

    def applied(self, database: Path | None = None) -> tuple[str, ...]:
        return self.sqlite.look(SqliteDatabase("one", database or self.database), Tracking()).names

    def migrate(self, migrations: Sequence[Migration]) -> tuple[str, ...]:
        return self.sqlite.migrate(SqliteDatabase("one", self.database), migrations, How(wait=1.0))


def migration(name: str, sql: str = "") -> Migration:
    return Migration(name, f"{name}.sql", (Statement(sql or f'CREATE TABLE "{name}" (id INTEGER)', 1),))


ONE, TWO, THREE = migration("001_one"), migration("002_two"), migration('003 it\'s "three"', "CREATE TABLE t (x)")
BROKEN = migration("004_broken", "INSERT INTO no_such_table VALUES (1)")


@pytest.fixture(params=["fake", "real"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    if request.param == "real":
        return Case(real.SqliteDatabases(), RealFiles(), tmp_path)
    world = FakeWorld()
    world.plant({"/srv/site": None})
    world.sqlite.failing.add(BROKEN.name)
    return Case(world.host().sqlite, world.host().files, Path("/srv/site"))


def test_a_database_that_is_missing_has_had_nothing(case: Case) -> None:
    assert case.applied() == ()
    assert case.files.names(case.top) == [], "looking makes nothing"


def test_the_database_and_its_folder_are_made(case: Case) -> None:
    assert case.migrate([ONE, TWO]) == ("001_one", "002_two")
    assert case.files.kind(case.database) == "file"
    assert case.applied() == ("001_one", "002_two")


def test_only_what_is_pending_is_applied(case: Case) -> None:
    case.migrate([ONE])
    assert case.migrate([ONE, TWO, THREE]) == (TWO.name, THREE.name)
    assert case.migrate([ONE, TWO, THREE]) == ()
    assert case.applied() == (ONE.name, TWO.name, THREE.name)


def test_a_failing_migration_takes_the_others_of_its_run_with_it(case: Case) -> None:
    """All or nothing; the message names the file."""
    case.migrate([ONE])
    with pytest.raises(MigrationFailed, match=r"004_broken\.sql"):
        case.migrate([ONE, TWO, BROKEN])
    assert case.applied() == (ONE.name,)
    assert case.migrate([ONE, TWO]) == (TWO.name,)


def test_a_failure_leaves_nothing_of_what_it_made(case: Case) -> None:
    with pytest.raises(MigrationFailed):
        case.migrate([ONE, BROKEN])
    assert case.files.names(case.top) == []


def test_a_failure_leaves_what_others_put_there(case: Case) -> None:
    case.files.make_folder(case.database.parent)
    case.files.write(case.database.parent / "logo.png", b"x")
    with pytest.raises(MigrationFailed):
        case.migrate([BROKEN])
    assert case.files.names(case.database.parent) == ["logo.png"]


def test_an_empty_file_is_an_empty_database(case: Case) -> None:
    case.files.make_folder(case.database.parent)
    case.files.write(case.database, b"")
    assert case.applied() == ()
    assert case.migrate([ONE]) == (ONE.name,)


def test_the_file_stays_itself(case: Case) -> None:
    """Mode and other names of the file are kept: the application has it open."""
    case.migrate([ONE])
    case.files.chmod(case.database, 0o660)
    case.files.hard_link(case.database, case.top / "again")
    case.migrate([ONE, TWO])
    modes = {entry.path: entry.mode for entry in case.files.walk(case.top) if entry.kind == "file"}
    assert modes["again"] == 0o660
    assert case.applied(case.top / "again") == (ONE.name, TWO.name)


def test_a_file_that_is_no_database(case: Case) -> None:
    case.files.make_folder(case.database.parent)
    case.files.write(case.database, b"this is no database at all, " * 50)
    with pytest.raises(MigrationFailed, match="database"):
        case.applied()
    with pytest.raises(MigrationFailed, match="database"):
        case.migrate([ONE])
    assert case.files.read(case.database).startswith(b"this is no database")


def test_a_folder_in_its_place(case: Case) -> None:
    case.files.make_folder(case.database)
    with pytest.raises(MigrationFailed):
        case.applied()
    with pytest.raises(MigrationFailed):
        case.migrate([ONE])


AFTER = Migration("005_after", "005_after.sql", (Statement("CREATE TABLE later (id)", 1),), phase="after")
SCHEMA = Migration("schema", "schema.sql", (Statement("CREATE TABLE s (id)", 1),), role="schema", includes=(ONE.name,))


def test_what_a_database_is_shows_in_the_look(case: Case) -> None:
    target = SqliteDatabase("one", case.database)
    assert case.sqlite.look(target, Tracking()) == Found(False)
    assert case.sqlite.look(target, Tracking()).new
    case.migrate([ONE])
    found = case.sqlite.look(target, Tracking())
    assert (found.exists, found.filled, found.tracked, found.new) == (True, True, True, False)


def test_files_of_another_phase_wait_but_not_on_a_new_database(case: Case) -> None:
    target, before = SqliteDatabase("one", case.database), How(phases=("before",), wait=1.0)
    assert case.sqlite.migrate(target, [ONE, AFTER], before) == (ONE.name, AFTER.name)
    again = SqliteDatabase("two", case.top / "two" / "data.db")
    case.sqlite.migrate(again, [ONE], before)
    assert case.sqlite.migrate(again, [ONE, AFTER, TWO], before) == (TWO.name,)
    assert case.sqlite.migrate(again, [ONE, AFTER, TWO], How(phases=("after",), wait=1.0)) == (AFTER.name,)


def test_a_schema_starts_a_new_database_and_stands_for_what_it_includes(case: Case) -> None:
    assert case.migrate([SCHEMA, ONE, TWO]) == (ONE.name, TWO.name)
    assert case.migrate([SCHEMA, ONE, TWO]) == ()


def test_rows_are_written_without_running_anything(case: Case) -> None:
    target = SqliteDatabase("one", case.database)
    with pytest.raises(MigrationFailed, match="is not there"):
        case.sqlite.record(target, [ONE], How(wait=1.0))
    case.migrate([ONE])
    assert case.sqlite.record(target, [TWO, BROKEN], How(wait=1.0)) == (TWO.name, BROKEN.name)
    assert case.migrate([ONE, TWO, BROKEN]) == ()


def test_one_that_fails_among_many_does_not_stop_the_others(case: Case) -> None:
    targets = [SqliteDatabase(name, case.top / name / "data.db") for name in ("a", "b", "c", "d", "e")]
    case.files.make_folder(case.top / "c" / "data.db")
    answers: dict[str, object] = {}
    case.sqlite.migrate_all(
        targets, [ONE], How(wait=1.0), None, lambda target, answer: answers.update({target.name: answer})
    )
    assert isinstance(answers.pop("c"), MigrationFailed)
    assert answers == dict.fromkeys("abde", (ONE.name,))


def test_a_rehearsal_leaves_nothing_and_fails_as_the_real_thing(case: Case) -> None:
    target, scratch = SqliteDatabase("one", case.database), case.top / "scratch"
    case.migrate([ONE])
    case.sqlite.rehearse(target, [ONE, TWO], How(wait=1.0), scratch)
    with pytest.raises(MigrationFailed, match=r"data\.db: 004_broken\.sql"):
        case.sqlite.rehearse(target, [ONE, BROKEN], How(wait=1.0), scratch)
    assert case.applied() == (ONE.name,)
    assert case.files.kind(scratch) == "absent"
