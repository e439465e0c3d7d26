"""What every ``PostgresMigrator`` does: the fake one is as the real one is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fakes.host import FakeWorld
from mcc.core.sql.postgres import split
from mcc.errors import MigrationFailed
from mcc.host.database_ports import PostgresMigrator
from mcc.host.postgres.migrator import PostgresDatabases
from mcc.model.database import How, PostgresDatabase, Tracking
from mcc.model.migration import Migration

OWN = Tracking()
HOW = How(wait=0.3, lock_timeout=0.2, retries=1)


@dataclass(frozen=True)
class Case:
    port: PostgresMigrator
    target: PostgresDatabase

    def names(self) -> tuple[str, ...]:
        return self.port.look(self.target, OWN).names


def migration(name: str, sql: str = "") -> Migration:
    statements = split(sql or f"CREATE TABLE t{name[:3]} (id int)").statements
    return Migration(name, f"{name}.sql", statements, checksum=name)


ONE, TWO = migration("001_one"), migration('002 it\'s "two"')
BROKEN = migration("003_broken", "INSERT INTO nowhere VALUES (1)")


@pytest.fixture(params=["fake", "real"])
def case(request: pytest.FixtureRequest) -> Case:
    if request.param == "real":
        return Case(PostgresDatabases(), request.getfixturevalue("postgres").target("app-one"))
    world = FakeWorld()
    world.postgres.failing.add(BROKEN.name)
    return Case(world.host().postgres, PostgresDatabase("app-one", "shop", schema="app-one"))


def test_a_schema_that_is_missing_is_new(case: Case) -> None:
    found = case.port.look(case.target, OWN)
    assert (found.exists, found.filled, found.tracked, found.applied) == (False, False, False, ())
    assert found.server.startswith("PostgreSQL ")


def test_a_schema_is_made_and_brought_forward_once(case: Case) -> None:
    assert case.port.migrate(case.target, [ONE, TWO], HOW) == (ONE.name, TWO.name)
    assert case.port.migrate(case.target, [ONE, TWO], HOW) == ()
    found = case.port.look(case.target, OWN)
    assert (found.exists, found.filled, found.tracked, found.names) == (True, True, True, (ONE.name, TWO.name))


def test_without_files_the_table_is_there_afterwards(case: Case) -> None:
    assert case.port.migrate(case.target, [], HOW) == ()
    found = case.port.look(case.target, OWN)
    assert (found.exists, found.filled, found.tracked) == (True, False, True)


def test_a_failing_file_takes_the_others_of_its_run_with_it(case: Case) -> None:
    case.port.migrate(case.target, [ONE], HOW)
    with pytest.raises(MigrationFailed, match=r"app-one: 003_broken\.sql:1: "):
        case.port.migrate(case.target, [ONE, TWO, BROKEN], HOW)
    assert case.names() == (ONE.name,)


def test_what_was_committed_before_a_file_without_a_transaction_stays(case: Case) -> None:
    alone = replace(migration("002_alone"), transaction=False)
    with pytest.raises(MigrationFailed):
        case.port.migrate(case.target, [ONE, alone, BROKEN], HOW)
    assert case.names() == (ONE.name, alone.name)


def test_a_baseline_records_and_runs_nothing(case: Case) -> None:
    assert case.port.record(case.target, [ONE, BROKEN], HOW) == (ONE.name, BROKEN.name)
    assert case.port.record(case.target, [ONE, BROKEN], HOW) == ()
    assert case.port.migrate(case.target, [ONE, BROKEN], HOW) == ()


def test_a_schema_file_stands_for_what_it_includes(case: Case) -> None:
    schema = replace(migration("schema", "CREATE TABLE t001 (id int)"), role="schema", includes=(ONE.name,))
    assert case.port.migrate(case.target, [schema, ONE, TWO], HOW) == (ONE.name, TWO.name)
    assert set(case.names()) == {ONE.name, TWO.name}


def test_knowing_a_password_does_not_change_what_is_found(case: Case) -> None:
    file = Path("/nowhere/pgpass")
    known = case.port.knowing({file: "*:*:*:*:secret\n"})
    assert known.look(replace(case.target, password_file=file), OWN).exists is False
