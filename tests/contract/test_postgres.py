"""PostgreSQL, the real one: files and their rows are one transaction, and a second migrator does no harm."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mcc.core.pgpass import pgpass
from mcc.core.sql.postgres import problem_with, split
from mcc.errors import Interrupted, MigrationFailed
from mcc.host.postgres import lock as postgres_lock
from mcc.host.postgres.migrator import PostgresDatabases
from mcc.model.database import Applied, How, PostgresDatabase, Tracking
from mcc.model.migration import Migration
from mcc.model.problem import Problem
from postgres_cluster import Cluster, Fresh

MCC = PostgresDatabases()
OWN = Tracking()
QUICK = How(wait=0.3, lock_timeout=0.15, retries=2)


def migration(name: str, sql: str, **more: Any) -> Migration:
    checksum = hashlib.sha256(sql.encode()).hexdigest()
    return Migration(name, f"{name}.sql", split(sql).statements, checksum=checksum, **more)


ONE = migration("001_one", "CREATE TABLE one (id int PRIMARY KEY, body text);\nINSERT INTO one VALUES (1, '100%');")
TWO = migration('002 it\'s "two"', "CREATE TABLE two (id int)")
BROKEN = migration("003_broken", "CREATE TABLE three (id int);\n\nINSERT INTO three\n  (id,\n   nope)\nVALUES (1, 2);")


def failure(work: Callable[[], object]) -> MigrationFailed:
    with pytest.raises(MigrationFailed) as found:
        work()
    return found.value


# ---- looking


def test_an_empty_database_is_new_and_looking_makes_nothing(postgres: Fresh) -> None:
    found = MCC.look(postgres.target(), OWN)
    assert (found.exists, found.filled, found.tracked, found.applied, found.new) == (True, False, False, (), True)
    assert found.server.startswith("PostgreSQL ")
    assert postgres.run("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_a_schema_that_is_missing_has_had_nothing(postgres: Fresh) -> None:
    found = MCC.look(postgres.target("app-one"), OWN)
    assert (found.exists, found.new) == (False, True)
    assert postgres.run("SELECT count(*) FROM pg_namespace WHERE nspname = 'app-one'") == [(0,)]


def test_tables_without_tracking_rows_are_seen_but_not_those_of_an_extension(postgres: Fresh) -> None:
    postgres.run(
        "CREATE TABLE ours (id int); CREATE EXTENSION plpgsql_check" if False else "CREATE TABLE ours (id int)"
    )
    assert MCC.look(postgres.target(), OWN).filled
    postgres.run("ALTER EXTENSION plpgsql ADD TABLE ours")
    assert not MCC.look(postgres.target(), OWN).filled


@pytest.mark.parametrize("what", ["no database", "no server", "no role"])
def test_a_server_that_cannot_be_reached_is_said_in_words(postgres: Fresh, tmp_path: Path, what: str) -> None:
    target = {
        "no database": postgres.target(database="missing"),
        "no server": postgres.target(host=str(tmp_path)),
        "no role": postgres.target(user="nobody-here"),
    }[what]
    error = failure(lambda: MCC.look(target, OWN))
    assert error.message.startswith(f"{target.name}: PostgreSQL at ")
    assert error.help


def test_a_table_of_that_name_that_is_another_is_said(postgres: Fresh) -> None:
    postgres.run("CREATE TABLE migrations (version int)")
    error = failure(lambda: MCC.look(postgres.target(), OWN))
    assert "the table migrations has no column name" in error.message
    assert "MIGRATION_TABLE" in error.help


# ---- migrating


def test_files_run_in_order_with_their_rows(postgres: Fresh) -> None:
    assert MCC.migrate(postgres.target(), [ONE, TWO], QUICK) == (ONE.name, TWO.name)
    assert MCC.migrate(postgres.target(), [ONE, TWO], QUICK) == ()
    assert MCC.look(postgres.target(), OWN).applied == (
        Applied(ONE.name, ONE.checksum), Applied(TWO.name, TWO.checksum)
    )  # fmt: skip
    assert postgres.run("SELECT body FROM one") == [("100%",)]


def test_the_tracking_table_is_like_the_specifications(postgres: Fresh) -> None:
    """Its columns can be written without knowing of mcc's; a name comes once; the time is in seconds."""
    MCC.migrate(postgres.target(), [ONE], QUICK)
    postgres.run("INSERT INTO migrations (name) VALUES ('by_hand')")
    assert postgres.run("SELECT name FROM migrations ORDER BY id") == [("001_one",), ("by_hand",)]
    assert postgres.run("SELECT abs(applied_at - extract(epoch FROM now())) < 600 FROM migrations") == [(True,)] * 2
    with pytest.raises(Exception, match="unique"):
        postgres.run("INSERT INTO migrations (name) VALUES ('by_hand')")


def test_a_table_of_an_older_script_gets_its_checksums(postgres: Fresh) -> None:
    postgres.run("CREATE TABLE migrations (name text UNIQUE, applied_at timestamptz DEFAULT now())")
    postgres.run("INSERT INTO migrations VALUES ('001_one')")
    assert MCC.look(postgres.target(), OWN).applied == (Applied("001_one", None),)
    assert MCC.migrate(postgres.target(), [ONE, TWO], QUICK) == (TWO.name,)
    assert Applied("001_one", ONE.checksum) in MCC.look(postgres.target(), OWN).applied


def test_a_failing_file_takes_the_others_of_its_run_with_it(postgres: Fresh) -> None:
    """The message has database, file, line, the server's words and its code."""
    MCC.migrate(postgres.target(), [ONE], QUICK)
    error = failure(lambda: MCC.migrate(postgres.target(), [ONE, TWO, BROKEN], QUICK))
    expected = f'{postgres.name}: 003_broken.sql:5: column "nope" of relation "three" does not exist (SQLSTATE 42703)'
    assert error.message == expected
    assert MCC.look(postgres.target(), OWN).names == (ONE.name,)
    assert postgres.run("SELECT count(*) FROM pg_tables WHERE tablename IN ('two', 'three')") == [(0,)]


def test_a_new_schema_goes_away_with_what_failed_in_it(postgres: Fresh) -> None:
    failure(lambda: MCC.migrate(postgres.target("app"), [ONE, BROKEN], QUICK))
    assert not MCC.look(postgres.target("app"), OWN).exists


def test_the_syntax_error_in_the_40th_statement_is_found_by_its_line(postgres: Fresh) -> None:
    text = "".join(f"CREATE TABLE t{number} (id int);\n" for number in range(39)) + "CREATE TABEL t40 (id int);\n"
    error = failure(lambda: MCC.migrate(postgres.target(), [migration("001", text)], QUICK))
    assert "001.sql:40: syntax error at or near" in error.message
    assert MCC.look(postgres.target(), OWN).new


def test_a_detail_of_the_server_is_evidence(postgres: Fresh) -> None:
    twice = migration("002", "INSERT INTO one VALUES (1, 'again')")
    error = failure(lambda: MCC.migrate(postgres.target(), [ONE, twice], QUICK))
    assert any("already exists" in line for line in error.log)


def test_problems_of_a_file_stop_it_before_anything_runs(postgres: Fresh) -> None:
    wrong = replace(TWO, problems=(Problem("002.sql", 3, "", "COMMIT cannot stand in a migration"),))
    error = failure(lambda: MCC.migrate(postgres.target(), [ONE, wrong], QUICK))
    assert "002.sql:3: COMMIT" in error.message
    assert MCC.look(postgres.target(), OWN).new


def test_a_commit_hidden_in_a_block_is_refused_by_the_server(postgres: Fresh) -> None:
    hidden = migration("002", "DO $$ BEGIN COMMIT; END $$")
    error = failure(lambda: MCC.migrate(postgres.target(), [ONE, hidden], QUICK))
    assert "002.sql:1: invalid transaction termination" in error.message
    assert MCC.look(postgres.target(), OWN).new


def test_settings_of_a_file_end_with_it(postgres: Fresh) -> None:
    """As they do where each file has a psql of its own; pg_dump's files begin with some of these."""
    postgres.run("DO $$ BEGIN CREATE ROLE guest; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    unruly = migration(
        "001",
        "SELECT pg_catalog.set_config('search_path', '', false); SET lock_timeout = 0; SET ROLE guest;"
        "CREATE TEMP TABLE scratch (id int);",
    )
    after = migration("002", "CREATE TABLE two (id int); CREATE TEMP TABLE scratch (id int);")
    assert MCC.migrate(postgres.target(), [unruly, after], QUICK) == ("001", "002")
    assert postgres.run("SELECT tableowner FROM pg_tables WHERE tablename = 'two'") == [("postgres",)]


def test_a_deferred_constraint_is_checked_at_the_end_of_its_file(postgres: Fresh) -> None:
    """And stays deferred in the next one."""
    make = migration(
        "001",
        "CREATE TABLE a (id int PRIMARY KEY);"
        "CREATE TABLE b (a int REFERENCES a DEFERRABLE INITIALLY DEFERRED);"
        "INSERT INTO b VALUES (1); INSERT INTO a VALUES (1);",
    )
    broken = migration("002", "INSERT INTO b VALUES (3);")
    later = migration("003", "CREATE TABLE c (id int);")
    error = failure(lambda: MCC.migrate(postgres.target(), [make, broken, later], QUICK))
    assert "002.sql: insert or update on table" in error.message
    flushed = migration("002", "INSERT INTO b VALUES (2); INSERT INTO a VALUES (2);")
    alter = migration("003", "ALTER TABLE b ADD x int; INSERT INTO b VALUES (4); INSERT INTO a VALUES (4);")
    assert MCC.migrate(postgres.target(), [make, flushed, alter], QUICK) == ("001", "002", "003")


# ---- schemas


def test_schemas_are_tenants_whatever_their_names(postgres: Fresh) -> None:
    names = ["app-one", 'we"ird', "Übung", "select"]
    for name in names:
        assert MCC.migrate(postgres.target(name), [ONE, TWO], QUICK) == (ONE.name, TWO.name)
    for name in names:
        assert MCC.look(postgres.target(name), OWN).names == (ONE.name, TWO.name)
    found = postgres.run("SELECT schemaname FROM pg_tables WHERE tablename = 'one' ORDER BY 1")
    assert sorted(name for (name,) in found) == sorted(names)


def test_a_schema_sees_no_other(postgres: Fresh) -> None:
    MCC.migrate(postgres.target(), [ONE], QUICK)
    drop = migration("002", "DROP TABLE two")
    postgres.run("CREATE TABLE two (id int)")
    assert "does not exist" in failure(lambda: MCC.migrate(postgres.target("app"), [ONE, drop], QUICK)).message


def test_a_user_who_may_not_make_the_schema_is_told(postgres: Fresh, postgres_cluster: Cluster) -> None:
    role(postgres_cluster, "modest", "secret")
    target = postgres.target("new", user="modest", password_file=Path("/run/x/pgpass"))
    error = failure(lambda: PostgresDatabases({Path("/run/x/pgpass"): pgpass("secret")}).migrate(target, [ONE], QUICK))
    assert "permission denied for database" in error.message
    assert "SQLSTATE 42501" in error.message
    assert error.help


# ---- locks


def test_a_second_migrator_waits_up_to_the_limit_that_it_says(postgres: Fresh) -> None:
    holder = postgres.connect(application_name="the first one")
    holder.execute("SELECT pg_advisory_lock(%s)", (postgres_lock.key(postgres.target(), OWN),))
    error = failure(lambda: MCC.migrate(postgres.target(), [ONE], QUICK))
    assert "another migrator has held this database for more than 0.3 s" in error.message
    assert "the first one" in error.message
    holder.close()
    assert MCC.migrate(postgres.target(), [ONE], QUICK) == (ONE.name,)


def test_the_lock_is_one_for_each_schema_and_table(postgres: Fresh) -> None:
    keys = {
        postgres_lock.key(postgres.target(schema), tracking)
        for schema in (None, "a", "b") for tracking in (OWN, Tracking("log"))
    }  # fmt: skip
    assert len(keys) == 6


def test_migrators_at_once_do_no_harm(postgres: Fresh) -> None:
    """Every file is applied once; all of them end well."""
    files = [migration(f"{number:03}", f"CREATE TABLE t{number} (id int)") for number in range(12)]
    results: list[object] = []

    def work() -> None:
        try:
            results.append(MCC.migrate(postgres.target("shared"), files, How(wait=30)))
        except MigrationFailed as error:
            results.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(len, results)) == [0, 0, 0, 12]  # type: ignore[arg-type]
    assert len(MCC.look(postgres.target("shared"), OWN).applied) == 12


def test_nothing_pending_needs_no_lock(postgres: Fresh) -> None:
    MCC.migrate(postgres.target(), [ONE], QUICK)
    holder = postgres.connect()
    holder.execute("SELECT pg_advisory_lock(%s)", (postgres_lock.key(postgres.target(), OWN),))
    assert MCC.migrate(postgres.target(), [ONE], QUICK) == ()


def test_a_table_that_is_held_is_tried_again_and_given_up_with_who_holds_it(postgres: Fresh) -> None:
    MCC.migrate(postgres.target(), [ONE], QUICK)
    holder = postgres.connect(application_name="reporting")
    holder.execute("BEGIN")
    holder.execute("SELECT * FROM one")
    alter = migration("002", "ALTER TABLE one ADD more int")
    error = failure(lambda: MCC.migrate(postgres.target(), [ONE, alter], QUICK))
    assert "002.sql:1: canceling statement due to lock timeout (SQLSTATE 55P03), after 2 tries" in error.message
    assert any("reporting" in line for line in error.log)
    assert MCC.look(postgres.target(), OWN).names == (ONE.name,)


def test_after_a_lock_timeout_the_whole_transaction_runs_again(
    postgres: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    MCC.migrate(postgres.target(), [ONE], QUICK)
    holder = postgres.connect()
    holder.execute("BEGIN")
    holder.execute("LOCK TABLE one IN ACCESS SHARE MODE")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        holder.execute("ROLLBACK")

    monkeypatch.setattr("mcc.host.postgres.run.time.sleep", pause)
    alter = migration("003", "ALTER TABLE one ADD more int")
    assert MCC.migrate(postgres.target(), [ONE, TWO, alter], QUICK) == (TWO.name, "003")
    assert len(pauses) == 1


def test_a_reader_behind_a_waiting_alter_gets_on_when_the_alter_gives_up(postgres: Fresh) -> None:
    """The ALTER waits for an old reader, the new reader queues behind it; lock_timeout lets the new one go.

    Without the limit the new reader would wait for the old one, which this test never lets go.
    """
    MCC.migrate(postgres.target(), [ONE], QUICK)
    old, new, watch = postgres.connect(), postgres.connect(), postgres.connect()
    new.execute("SET statement_timeout = '60 s'")  # a failure here ends, too
    old.execute("BEGIN")
    old.execute("SELECT * FROM one")
    errors: list[MigrationFailed] = []
    how = How(wait=5, lock_timeout=0.5, retries=1)
    alter = [ONE, migration("002", "ALTER TABLE one ADD more int")]
    migrator = threading.Thread(
        target=lambda: errors.append(failure(lambda: MCC.migrate(postgres.target(), alter, how)))
    )
    migrator.start()
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
    while watch.execute(waiting).fetchone() == (0,) and migrator.is_alive():
        time.sleep(0.005)
    assert new.execute("SELECT id FROM one").fetchall() == [(1,)]
    assert old.info.transaction_status.name == "INTRANS", "the old reader has been there all the time"
    migrator.join()
    assert "lock timeout" in errors[0].message


def test_a_statement_that_takes_too_long_is_ended(postgres: Fresh) -> None:
    slow = migration("001", "SELECT pg_sleep(60)")
    error = failure(lambda: MCC.migrate(postgres.target(), [slow], How(statement_timeout=0.1)))
    assert "001.sql:1: canceling statement due to statement timeout (SQLSTATE 57014)" in error.message


def test_what_runs_when_a_signal_comes_is_ended_on_the_server(postgres: Fresh) -> None:
    slow = migration("001", "SELECT pg_sleep(60)")
    watch = postgres.connect()
    running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"

    def interrupt() -> None:
        while watch.execute(running).fetchone() == (0,):
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGUSR1)

    def handle(number: int, frame: object) -> None:
        raise Interrupted("interrupted by Ctrl-C")

    before = signal.signal(signal.SIGUSR1, handle)
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(Interrupted):
            MCC.migrate(postgres.target(), [slow], How())
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, before)
    for _ in range(1000):
        if watch.execute(running).fetchone() == (0,):
            return
    raise AssertionError("the statement goes on")


# ---- files without a transaction

INDEX = migration("002_index", "CREATE INDEX CONCURRENTLY one_body ON one (body);", transaction=False)


def test_an_index_is_made_concurrently(postgres: Fresh) -> None:
    assert MCC.migrate(postgres.target("app"), [ONE, INDEX, TWO], QUICK) == (ONE.name, INDEX.name, TWO.name)
    assert MCC.look(postgres.target("app"), OWN).names == (ONE.name, INDEX.name, TWO.name)
    assert postgres.run("SELECT indisvalid FROM pg_index WHERE indexrelid = 'app.one_body'::regclass") == [(True,)]


def test_settings_of_a_file_last_behind_an_index_that_is_made_concurrently(postgres: Fresh) -> None:
    postgres.run("CREATE TABLE one (id int)")
    settings = "SELECT current_user::text AS a, current_setting('work_mem') AS b, current_setting('lock_timeout') AS c"
    file = migration(
        "001",
        "DO $$ BEGIN CREATE ROLE maker SUPERUSER; EXCEPTION WHEN duplicate_object THEN NULL; END $$;"
        "SET ROLE maker; SET work_mem = '9MB'; CREATE INDEX CONCURRENTLY by_id ON one (id);"
        f"CREATE TABLE seen AS {settings};",
        transaction=False,
    )
    MCC.migrate(postgres.target(), [file], QUICK)
    assert postgres.run("SELECT * FROM seen") == [("maker", "9MB", "150ms")]


def test_an_invalid_index_that_is_left_behind_is_said_found_and_refused(postgres: Fresh) -> None:
    unique = migration(
        "002_index", 'CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "one-body" ON one (body);', transaction=False
    )
    more = replace(ONE, statements=(*ONE.statements, *split("INSERT INTO one VALUES (2, '100%')").statements))
    error = failure(lambda: MCC.migrate(postgres.target("app"), [more, unique], QUICK))
    assert "002_index.sql:1: could not create unique index" in error.message
    assert 'it left an invalid index behind: app."one-body"' in error.message
    assert "001_one stays applied" in error.message
    assert 'DROP INDEX CONCURRENTLY app."one-body";' in error.help
    found = MCC.look(postgres.target("app"), OWN)
    assert (found.names, found.invalid) == ((ONE.name,), ('app."one-body"',))
    again = failure(lambda: MCC.migrate(postgres.target("app"), [more, unique], QUICK))
    assert 'app."one-body" is invalid' in again.message
    assert 'DROP INDEX CONCURRENTLY app."one-body";' in again.help
    postgres.run('DELETE FROM app.one WHERE id = 2; DROP INDEX app."one-body"')
    assert MCC.migrate(postgres.target("app"), [more, unique], QUICK) == (unique.name,)


def test_an_index_that_waits_for_its_partitions_is_not_invalid(postgres: Fresh) -> None:
    postgres.run("CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p DEFAULT")
    postgres.run("CREATE INDEX waiting ON ONLY p (id)")
    assert MCC.look(postgres.target(), OWN).invalid == ()


def test_concurrently_waits_for_older_transactions_longer_than_lock_timeout(postgres: Fresh) -> None:
    """A limit would leave an invalid index, and nobody is held up meanwhile."""
    MCC.migrate(postgres.target(), [ONE], QUICK)
    old, watch = postgres.connect(), postgres.connect()
    old.execute("BEGIN")
    old.execute("INSERT INTO one VALUES (7, 'x')")
    names: list[object] = []
    how = How(lock_timeout=0.05, retries=1)
    thread = threading.Thread(target=lambda: names.append(MCC.migrate(postgres.target(), [ONE, INDEX], how)))
    thread.start()
    waits = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX%' AND wait_event_type = 'Lock' "
        "AND now() - query_start > interval '0.3 s'"
    )
    while watch.execute(waits).fetchone() == (0,) and thread.is_alive():
        time.sleep(0.005)
    old.execute("COMMIT")
    thread.join()
    assert names == [(INDEX.name,)]


def test_what_a_file_without_a_transaction_had_done_stays_and_is_said(postgres: Fresh) -> None:
    half = migration("001", "CREATE TABLE a (id int);\nSELECT nope;", transaction=False)
    error = failure(lambda: MCC.migrate(postgres.target(), [half], QUICK))
    assert "001.sql:2:" in error.message
    assert "what 001.sql had done before this statement stays" in error.message
    found = MCC.look(postgres.target(), OWN)
    assert (found.filled, found.names) == (True, ())


def test_a_procedure_may_commit_in_a_file_without_a_transaction(postgres: Fresh) -> None:
    fill = migration(
        "002", "DO $$ BEGIN FOR i IN 10..12 LOOP INSERT INTO one VALUES (i); COMMIT; END LOOP; END $$;",
        transaction=False,
    )  # fmt: skip
    assert MCC.migrate(postgres.target(), [ONE, fill], QUICK) == (ONE.name, "002")
    assert postgres.run("SELECT count(*) FROM one") == [(4,)]


# ---- a new database's schema, what runs always, phases, a baseline, tables of others


def test_a_schema_file_starts_a_new_database_and_stands_for_what_it_includes(postgres: Fresh) -> None:
    schema = migration("schema", "CREATE TABLE one (id int, body text)", role="schema", includes=(ONE.name,))
    always = migration("always", "CREATE OR REPLACE VIEW v AS SELECT id FROM one", role="always")
    files = [schema, ONE, TWO, always]
    assert MCC.migrate(postgres.target(), files, QUICK) == (ONE.name, TWO.name), "all that got a row"
    assert set(MCC.look(postgres.target(), OWN).names) == {ONE.name, TWO.name}
    postgres.run("DROP VIEW v")
    assert MCC.migrate(postgres.target(), files, QUICK) == ()
    assert postgres.run("SELECT count(*) FROM v") == [(0,)]


def test_a_dump_of_pg_dump_may_start_a_new_database(postgres: Fresh, postgres_cluster: Cluster) -> None:
    """Without COPY and owners; it empties the search path, and puts lines for psql around itself."""
    source = postgres_cluster.new_database()
    text = "CREATE TABLE one (id serial PRIMARY KEY, body text DEFAULT $$a;b$$); INSERT INTO one (body) VALUES ('x;y')"
    postgres_cluster.run(source, f"{text}; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1; SELECT 2'")
    words = [str(postgres_cluster.programs / "pg_dump"), "--inserts", "--no-owner", "-U", "postgres"]
    words += ["-h", str(postgres_cluster.socket), "-p", str(postgres_cluster.port), source]
    dump = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    postgres_cluster.drop_database(source)
    schema = migration("schema", dump, role="schema", includes=(ONE.name,))
    assert [one for one in schema.statements if problem_with("schema.sql", one)] == []
    assert MCC.migrate(postgres.target(), [schema, ONE, TWO], QUICK) == (ONE.name, TWO.name)
    assert postgres.run("SELECT body, f() FROM one") == [("x;y", 2)]


def test_what_comes_after_the_cut_over_waits_for_it(postgres: Fresh) -> None:
    MCC.migrate(postgres.target(), [ONE], QUICK)
    late = migration("003", "ALTER TABLE one DROP body", phase="after")
    assert MCC.migrate(postgres.target(), [ONE, TWO, late], How(phases=("before",))) == (TWO.name,)
    assert MCC.migrate(postgres.target(), [ONE, TWO, late], How(phases=("after",))) == ("003",)


def test_a_baseline_records_without_running(postgres: Fresh) -> None:
    postgres.run("CREATE TABLE one (id int)")
    assert MCC.record(postgres.target(), [ONE, TWO], QUICK) == (ONE.name, TWO.name)
    assert MCC.migrate(postgres.target(), [ONE, TWO], QUICK) == ()
    assert postgres.run("SELECT to_regclass('two')") == [(None,)]


def test_a_changed_file_is_accepted_by_its_new_checksum(postgres: Fresh) -> None:
    MCC.migrate(postgres.target(), [ONE, TWO], QUICK)
    changed = replace(ONE, checksum="f" * 64)
    assert MCC.record(postgres.target(), [changed, TWO], QUICK) == (ONE.name,)
    assert MCC.look(postgres.target(), OWN).applied[0] == Applied(ONE.name, "f" * 64)


def test_a_table_of_the_projects_own_is_kept_in_its_own_manner(postgres: Fresh) -> None:
    log = Tracking("_deployment_log", "filename", "checksum")
    md5 = hashlib.md5(b"whatever").hexdigest()
    first = replace(ONE, others=("a" * 64, "b" * 40, md5))
    second = replace(TWO, others=("c" * 64, "d" * 40, "e" * 32))
    postgres.run("CREATE TABLE _deployment_log (filename text PRIMARY KEY, checksum text NOT NULL, by text)")
    postgres.run(f"INSERT INTO _deployment_log VALUES ('001_one.sql', '{md5}', 'hand')")
    assert MCC.look(postgres.target(), log).applied == (Applied("001_one", md5),)
    assert MCC.migrate(postgres.target(), [first, second], How(tracking=log)) == (TWO.name,)
    rows = postgres.run("SELECT filename, checksum FROM _deployment_log ORDER BY filename")
    assert rows == [("001_one.sql", md5), (f"{TWO.name}.sql", "e" * 32)]


def test_a_table_of_the_projects_own_is_made_where_it_is_missing(postgres: Fresh) -> None:
    log = Tracking("_deployment_log", "filename", "checksum")
    assert MCC.migrate(postgres.target("new"), [ONE], How(tracking=log)) == (ONE.name,)
    assert MCC.look(postgres.target("new"), log).names == (ONE.name,)


def test_a_file_may_write_its_own_row(postgres: Fresh) -> None:
    log = Tracking("_log", "name", None)
    own = migration("001", "CREATE TABLE _log (name text PRIMARY KEY); INSERT INTO _log VALUES ('001')")
    assert MCC.migrate(postgres.target(), [own], How(tracking=log)) == ("001",)
    assert MCC.look(postgres.target(), log).names == ("001",)


# ---- passwords


def role(cluster: Cluster, name: str, password: str) -> str:
    cluster.run("postgres", f'DROP ROLE IF EXISTS "{name}"')
    return cluster.role(name, password)


PASSWORD = r"p:a\s's 100% {x}"


@pytest.mark.parametrize("way", ["a file", "known before the file is written"])
@pytest.mark.parametrize("place", ["socket", "tcp"])
def test_a_password_comes_from_a_file(
    postgres: Fresh, postgres_cluster: Cluster, tmp_path: Path, way: str, place: str
) -> None:
    role(postgres_cluster, "careful", PASSWORD)
    file = tmp_path / "pgpass"
    host = str(postgres_cluster.socket) if place == "socket" else "127.0.0.1"
    target = postgres.target(user="careful", host=host, password_file=file)
    assert "password" in failure(lambda: MCC.look(target, OWN)).message
    if way == "a file":
        file.touch(0o600)
        file.write_text(pgpass(PASSWORD))
        known = MCC
    else:
        known = PostgresDatabases({file: pgpass(PASSWORD)})
    assert known.look(target, OWN).exists
    assert PASSWORD not in repr(known)
    assert PASSWORD not in repr(target)


def test_a_wrong_password_is_said_without_showing_it(
    postgres: Fresh, postgres_cluster: Cluster, tmp_path: Path
) -> None:
    role(postgres_cluster, "careful", PASSWORD)
    target = postgres.target(user="careful", password_file=tmp_path / "pgpass")
    error = failure(lambda: PostgresDatabases({tmp_path / "pgpass": pgpass("wrong-secret")}).look(target, OWN))
    assert "password authentication failed" in error.message
    assert "DB_PASSWORD" in error.help
    assert "wrong-secret" not in f"{error.message}{error.help}{error.log}"


def test_parameters_of_the_url_reach_the_server(postgres: Fresh) -> None:
    target = replace(postgres.target(), options=(("application_name", "mine"), ("sslmode", "prefer")))
    who = migration("001", "CREATE TABLE who AS SELECT current_setting('application_name') AS name")
    MCC.migrate(target, [who], QUICK)
    assert postgres.run("SELECT name FROM who") == [("mine",)]
    for name in ("async_fallback", "autocommit", "context"):
        wrong = replace(postgres.target(), options=((name, "true"),))
        error = failure(lambda: MCC.look(wrong, OWN))  # noqa: B023 - called at once
        assert f'invalid connection option "{name}"' in error.message
        assert "parameters of libpq" in error.help


def test_without_the_extra_one_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    error = failure(lambda: MCC.look(PostgresDatabase("x", "x"), OWN))
    assert error.help == 'pip install "mcc-deploy[postgres]"'


# ---- death


@pytest.mark.slow
def test_killed_in_the_middle_it_holds_nothing_and_nothing_is_changed(postgres: Fresh, tmp_path: Path) -> None:
    """Neither lock nor transaction outlives the process, although its statement would run for minutes."""
    program = tmp_path / "migrate.py"
    program.write_text(
        "import sys\n"
        "from mcc.core.sql.postgres import problem_with, split\n"
        "from mcc.host.postgres.migrator import PostgresDatabases\n"
        "from mcc.model.database import How, PostgresDatabase\n"
        "from mcc.model.migration import Migration\n"
        "database, host, port = sys.argv[1:]\n"
        "target = PostgresDatabase(database, database, host, int(port), 'postgres')\n"
        "sql = 'CREATE TABLE half (id int); SELECT pg_sleep(300)'\n"
        "PostgresDatabases().migrate(target, [Migration('001', '001.sql', split(sql).statements)], How())\n"
    )
    target = postgres.target()
    words = [sys.executable, str(program), target.database, target.host, str(target.port)]
    watch = postgres.connect()
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(300)%' AND state = 'active'"
    process = subprocess.Popen(words)
    while watch.execute(running).fetchone() == (0,):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert MCC.migrate(target, [ONE], How(wait=60)) == (ONE.name,)
    assert postgres.run("SELECT to_regclass('half')") == [(None,)]


@pytest.mark.parametrize("transaction", [True, False])
def test_a_server_that_ends_the_connection_is_said_and_nothing_is_half_done(postgres: Fresh, transaction: bool) -> None:
    slow = migration("001", "CREATE TABLE half (id int);\nSELECT pg_sleep(60)", transaction=transaction)
    watch = postgres.connect()
    end = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE query LIKE 'SELECT pg_sleep(60)%' AND state = 'active'"
    )
    errors: list[MigrationFailed] = []
    thread = threading.Thread(
        target=lambda: errors.append(failure(lambda: MCC.migrate(postgres.target(), [slow], QUICK)))
    )
    thread.start()
    while watch.execute(end).fetchone() == (0,):
        time.sleep(0.005)
    thread.join()
    assert "001.sql:2: terminating connection due to administrator command (SQLSTATE 57P01)" in errors[0].message
    assert postgres.run("SELECT to_regclass('half') IS NULL") == [(transaction,)]
    assert ("what 001.sql had done before this statement stays" in errors[0].message) is not transaction
    assert MCC.look(postgres.target(), OWN).names == ()


def test_a_server_that_takes_no_writes_is_said(postgres: Fresh) -> None:
    """A standby, or a database that was made read-only."""
    postgres.run(f'ALTER DATABASE "{postgres.name}" SET default_transaction_read_only = on')
    error = failure(lambda: MCC.migrate(postgres.target(), [ONE], QUICK))
    postgres.connect(options="-c default_transaction_read_only=off").execute(
        f'ALTER DATABASE "{postgres.name}" RESET default_transaction_read_only'
    )
    assert "in a read-only transaction (SQLSTATE 25006)" in error.message
    assert "name the primary" in error.help
    assert MCC.look(postgres.target(), OWN).new


def test_a_table_that_another_owns_is_said(postgres: Fresh, postgres_cluster: Cluster) -> None:
    role(postgres_cluster, "tenant", "secret")
    MCC.migrate(postgres.target(), [ONE], QUICK)
    postgres.run("GRANT ALL ON SCHEMA public TO tenant; GRANT ALL ON migrations TO tenant")
    file = Path("/run/x/pgpass")
    target = postgres.target(user="tenant", password_file=file)
    alter = migration("002", "ALTER TABLE one ADD more int")
    error = failure(lambda: MCC.knowing({file: pgpass("secret")}).migrate(target, [ONE, alter], QUICK))
    assert "002.sql:1: must be owner of table one (SQLSTATE 42501)" in error.message
    assert "owner of the tables" in error.help


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk")
def test_a_full_disk_is_said_and_everything_is_as_it_was(postgres: Fresh, postgres_cluster: Cluster) -> None:
    place = postgres_cluster.socket / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        place.rmdir()
        pytest.skip("this machine cannot mount a disk in memory")
    try:
        shutil.chown(place, pwd.getpwuid(postgres_cluster.socket.stat().st_uid).pw_name)
        postgres.run(f"CREATE TABLESPACE small LOCATION '{place}'")
        big = migration(
            "002", "CREATE TABLE big (t text) TABLESPACE small;\nINSERT INTO big SELECT repeat('x', 2000) FROM "
            "generate_series(1, 5000);",
        )  # fmt: skip
        error = failure(lambda: MCC.migrate(postgres.target(), [ONE, big], QUICK))
        assert "002.sql:2: could not extend file" in error.message
        assert "(SQLSTATE 53100)" in error.message
        assert "make room" in error.help
        assert MCC.look(postgres.target(), OWN).new
        postgres.run("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
