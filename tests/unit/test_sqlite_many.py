"""Many real SQLite databases: at once, by a template, rehearsed; and the step that does it in a deploy."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from fakes.host import FakeWorld
from fakes.listener import RecordingListener
from mcc.core.migrating.files import read
from mcc.engine.codec import decode, encode
from mcc.errors import Interrupted, MigrationFailed
from mcc.host.files import RealFiles
from mcc.host.ports import Host
from mcc.host.sqlite.migrator import SqliteDatabases
from mcc.host.sqlite.scratch import template
from mcc.model.database import How, PostgresDatabase, SqliteDatabase, Tracking
from mcc.model.migration import Migration
from mcc.model.plan import PlannedStep
from mcc.runs.kinds import step_kinds
from mcc.steps.migrate import MigrateDatabases
from mcc.steps.record_migrations import RecordMigrations

NOTES = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO notes (text) VALUES ('one');"
SLOW = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c;"
HOW = How(wait=2)


def files(**texts: str) -> tuple[Migration, ...]:
    return read({f"{name.lstrip('_')}.sql": text.encode() for name, text in texts.items()})


class Site:
    """A folder of tenants and a folder of migrations."""

    def __init__(self, base: Path, count: int) -> None:
        self.base = base
        self.folder = base / "migrations"
        self.folder.mkdir()
        self.scratch = base / "scratch"
        names = [f"t{number:02}.example.com" for number in range(count)]
        self.targets = tuple(SqliteDatabase(name, base / "domains" / name / "data.db") for name in names)
        self.listener = RecordingListener()

    def write(self, **texts: str) -> None:
        for name, text in texts.items():
            (self.folder / f"{name.lstrip('_')}.sql").write_text(text)

    @property
    def host(self) -> Host:
        world = FakeWorld().host()
        return dataclasses.replace(world, files=RealFiles(), sqlite=SqliteDatabases(), listener=self.listener)

    def step(self, targets: Sequence[SqliteDatabase] | None = None, how: How = HOW) -> MigrateDatabases:
        return MigrateDatabases(self.folder, tuple(targets or self.targets), how, scratch=self.scratch)

    def run(self, targets: Sequence[SqliteDatabase] | None = None) -> object:
        step = self.step(targets)
        return step.do(self.host, step.look(self.host))

    def fails(self) -> MigrationFailed:
        with pytest.raises(MigrationFailed) as raised:
            self.run()
        return raised.value

    def versions(self) -> dict[str, int]:
        sqlite = SqliteDatabases()
        return {each.name: len(sqlite.look(each, Tracking()).applied) for each in self.targets}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, 12)


def ask(path: Path, *statements: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        return [connection.execute(sql).fetchall() for sql in statements][-1]


def all_at_once(site: Site, wait: float = 2, scratch: Path | None = None, **texts: str) -> dict[str, object]:
    """What became of each."""
    answers: dict[str, object] = {}

    def each(target: SqliteDatabase, answer: object) -> None:
        answers[target.name] = answer

    SqliteDatabases().migrate_all(site.targets, files(**texts), How(wait=wait), scratch, each)
    return answers


@contextlib.contextmanager
def signalled(after: float) -> Iterator[None]:
    def handler(number: int, frame: object) -> None:
        raise Interrupted("interrupted by Ctrl-C")

    previous = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


class TestStep:
    def test_all_are_brought_forward_and_a_second_run_finds_nothing(self, site: Site) -> None:
        site.write(_1=NOTES)
        assert site.run() == {"databases": "1 migration forward"}
        assert set(site.versions().values()) == {1}
        site.write(_2="CREATE TABLE b (x)")
        site.listener.said.clear()
        assert site.run() == {"databases": "1 migration forward"}
        assert site.listener.said[0] == "rehearsed on a copy of t00.example.com"
        site.listener.said.clear()
        assert site.run() == {"databases": "as before"}
        assert site.listener.said == []
        assert not site.scratch.exists()

    def test_what_does_not_run_on_a_copy_touches_no_database(self, site: Site) -> None:
        site.write(_1=NOTES)
        site.run()
        before = {each.name: each.path.read_bytes() for each in site.targets}
        site.write(_2="DELETE FROM notes;\nnonsense;")
        error = site.fails()
        path = site.targets[0].path
        assert error.message.startswith(f"on a copy, before any database was touched: {path}: ")
        assert '2.sql:2: near "nonsense": syntax error' in error.message
        assert {each.name: each.path.read_bytes() for each in site.targets} == before
        assert not site.scratch.exists()

    def test_the_first_one_that_fails_keeps_the_others_from_harm(self, site: Site) -> None:
        """New databases are not rehearsed."""
        site.write(_1="nonsense")
        error = site.fails()
        assert error.message.endswith("it was the first, the other 11 databases were not touched")
        assert not (site.base / "domains").exists()

    def test_every_one_that_fails_is_named_with_its_reason_and_the_others_stay(self, site: Site) -> None:
        site.write(_1=NOTES)
        site.run()
        for number in (3, 7):
            ask(site.targets[number].path, "CREATE TABLE b (x)")
        site.targets[9].path.write_bytes(b"no database at all " * 100)
        site.write(_2="CREATE TABLE b (x)")
        with pytest.raises(MigrationFailed, match=r"t09.*not an SQLite database"):
            site.run()  # looking finds this one
        site.targets[9].path.unlink()
        error = site.fails()
        assert error.message.startswith("2 of 12 databases could not be migrated: ")
        assert sorted(line.split("/domains/")[1] for line in error.log) == [
            "t03.example.com/data.db: " + f"{site.folder}/2.sql:1: table b already exists",
            "t07.example.com/data.db: " + f"{site.folder}/2.sql:1: table b already exists",
        ]
        assert [number for number, name in enumerate(site.versions()) if site.versions()[name] == 1] == [3, 7]
        ask(site.targets[3].path, "DROP TABLE b")
        ask(site.targets[7].path, "DROP TABLE b")
        site.listener.said.clear()
        site.run()
        assert sorted(text[:3] for text in site.listener.said) == ["reh", "t03", "t07"], "only what is left"
        assert set(site.versions().values()) == {2}

    def test_progress_counts_every_database_once(self, site: Site) -> None:
        site.write(_1=NOTES)
        site.run()
        assert [done for done, _, _ in site.listener.progressed] == list(range(1, 13))

    def test_one_database_alone_is_not_rehearsed(self, site: Site) -> None:
        site.write(_1=NOTES)
        site.run(site.targets[:1])
        site.write(_2="CREATE TABLE b (x)")
        site.listener.said.clear()
        site.run(site.targets[:1])
        assert site.listener.said == ["t00.example.com: 2"]

    def test_without_room_for_a_copy_it_is_said(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        site.write(_1=NOTES)
        site.run()
        site.write(_2="CREATE TABLE b (x)")
        monkeypatch.setattr(RealFiles, "space", lambda self, path: type("Space", (), {"bytes": 10, "inodes": 10})())
        site.run()
        assert any(text.startswith("no rehearsal: a copy of t00") for text in site.listener.said)
        assert set(site.versions().values()) == {2}

    def test_ctrl_c_ends_it_soon_and_each_database_is_old_or_new(self, site: Site) -> None:
        site.write(_1=NOTES)
        site.run()
        site.write(_2="DELETE FROM notes;\n" + SLOW)
        step = MigrateDatabases(site.folder, site.targets, HOW)
        seen = step.look(site.host)
        with signalled(0.3), pytest.raises(Interrupted):
            step.do(site.host, seen)
        assert {each.name: ask(each.path, "SELECT count(*) FROM notes") for each in site.targets} == {
            each.name: [(1,)] for each in site.targets
        }

    def test_an_undo_says_what_is_ahead_and_removes_a_dead_rehearsal(self, site: Site) -> None:
        site.write(_1=NOTES)
        step = site.step()
        seen = step.look(site.host)
        step.do(site.host, seen)
        site.scratch.mkdir()
        assert step.undo(site.host, seen) == {"databases": "1 migration ahead"}
        assert not site.scratch.exists()

    def test_files_for_after_the_cut_over_have_a_fact_of_their_own(self, site: Site) -> None:
        site.write(_1=NOTES)
        site.run()
        site.write(_2="-- mcc: phase=after\nDROP TABLE notes;")
        facts: dict[str, object] = {}
        for how in (How(phases=("before",)), How(phases=("after",))):
            step = site.step(how=how)
            facts.update(step.do(site.host, step.look(site.host)) or {})
        assert facts == {"databases": "as before", "databases after": "1 migration forward"}


class TestAtOnce:
    def test_ctrl_c_ends_all_threads_soon(self, site: Site) -> None:
        all_at_once(site, _1=NOTES)
        with signalled(0.3), pytest.raises(Interrupted):
            all_at_once(site, _1=NOTES, _2="DELETE FROM notes;" + SLOW)
        assert set(site.versions().values()) == {1}

    def test_waiting_threads_end_too(self, site: Site) -> None:
        all_at_once(site, _1=NOTES)
        with contextlib.ExitStack() as stack:
            for target in site.targets:
                other = stack.enter_context(contextlib.closing(sqlite3.connect(target.path, isolation_level=None)))
                other.execute("BEGIN IMMEDIATE")
            stack.enter_context(signalled(0.3))
            with pytest.raises(Interrupted):
                all_at_once(site, 3600, _1=NOTES, _2="SELECT 1")

    def test_a_listener_that_fails_ends_it(self, site: Site) -> None:
        def each(target: SqliteDatabase, answer: object) -> None:
            raise KeyError(target.name)

        with pytest.raises(KeyError):
            SqliteDatabases().migrate_all(site.targets, files(_1=NOTES), HOW, None, each)


class TestTemplate:
    def made(self, site: Site, **texts: str) -> None:
        answers = all_at_once(site, scratch=site.scratch, **texts)
        assert set(answers.values()) == {tuple(name.lstrip("_") for name in texts)}

    def test_new_databases_are_copies_with_the_right_modes(self, site: Site) -> None:
        umask = os.umask(0o027)
        try:
            self.made(site, _1="PRAGMA journal_mode=WAL;" + NOTES)
        finally:
            os.umask(umask)
        assert len({each.path.read_bytes() for each in site.targets}) == 1, "byte for byte"
        for each in site.targets:
            assert ask(each.path, "PRAGMA integrity_check") == [("ok",)]
            assert ask(each.path, "PRAGMA journal_mode") == [("wal",)]
            assert each.path.stat().st_mode & 0o777 == 0o660
            assert each.path.parent.stat().st_mode & 0o777 == 0o770
            assert [path.name for path in each.path.parent.iterdir()] == ["data.db"]
        assert not site.scratch.exists()

    def test_a_copy_is_put_in_place_by_its_one_name(self, site: Site) -> None:
        """Not by the ordinary way, which would hide that it cannot be done."""
        with template(site.targets, files(_001=NOTES), HOW, site.scratch) as whole:
            assert whole is not None
            assert whole.give(site.targets[0])
            assert not whole.give(site.targets[0]), "what is there is never replaced"
        assert ask(site.targets[0].path, "SELECT text FROM notes") == [("one",)]

    def test_each_has_its_own_random_numbers(self, site: Site) -> None:
        self.made(site, _1="CREATE TABLE k (secret); INSERT INTO k VALUES (hex(RandomBlob(16)));")
        assert len({ask(each.path, "SELECT secret FROM k")[0] for each in site.targets}) == len(site.targets)

    def test_what_is_there_already_is_migrated_and_never_replaced(self, site: Site) -> None:
        site.targets[4].path.parent.mkdir(parents=True)
        ask(site.targets[4].path, "CREATE TABLE mine (x)")
        self.made(site, _1=NOTES)
        assert ask(site.targets[4].path, "SELECT count(*) FROM mine") == [(0,)]

    def test_a_folder_that_may_not_be_written_is_named(self, site: Site) -> None:
        site.targets[2].path.parent.parent.mkdir()
        site.targets[2].path.parent.write_text("a file in its place")
        answers = all_at_once(site, scratch=site.scratch, _1=NOTES)
        assert [name for name, answer in answers.items() if isinstance(answer, MigrationFailed)] == ["t02.example.com"]

    def test_a_folder_that_another_takes_away_again_is_made_again(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The one above all tenants, by the one that made it and failed."""
        folder, make, taken = site.targets[0].path.parent, os.mkdir, []

        def mkdir(name: str, *words: Any, **options: Any) -> None:
            if name == folder.name and not taken:
                folder.parent.rmdir()
                taken.append(name)
            make(name, *words, **options)

        monkeypatch.setattr(os, "mkdir", mkdir)
        SqliteDatabases().migrate(site.targets[0], files(_1=NOTES), HOW)
        assert taken

    def test_where_a_file_system_cannot_do_it_the_ordinary_way_is_taken(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unable(*_: object, **__: object) -> None:
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr(os, "link", unable)
        self.made(site, _1=NOTES)
        assert set(site.versions().values()) == {1}


class TestRehearsal:
    def test_the_database_in_use_is_not_touched_and_nothing_is_left(self, site: Site) -> None:
        (target, *_), sqlite = site.targets, SqliteDatabases()
        sqlite.migrate(target, files(_1="PRAGMA journal_mode=WAL;" + NOTES), HOW)
        with contextlib.closing(sqlite3.connect(target.path)) as service:
            service.execute("INSERT INTO notes (text) VALUES ('two')")
            service.commit()
            before = {path.name: path.read_bytes() for path in target.path.parent.iterdir() if path.suffix != ".db-shm"}
            text = "CREATE TABLE two AS SELECT * FROM notes WHERE text = 'two'; SELECT 1 / (SELECT count(*) FROM two);"
            sqlite.rehearse(target, files(_1="", _2=text), HOW, site.scratch)
            after = {path.name: path.read_bytes() for path in target.path.parent.iterdir() if path.suffix != ".db-shm"}
        assert after == before
        assert not site.scratch.exists()

    def test_what_a_killed_one_left_is_cleared_away(self, site: Site) -> None:
        (target, *_), sqlite = site.targets, SqliteDatabases()
        sqlite.migrate(target, files(_1=NOTES), HOW)
        site.scratch.mkdir()
        (site.scratch / "rehearsal.db").write_bytes(b"half of a copy")
        sqlite.rehearse(target, files(_1=NOTES, _2="SELECT 1"), HOW, site.scratch)
        assert not site.scratch.exists()


def test_steps_come_back_from_a_journal_as_they_were() -> None:
    """Targets of both kinds, told apart by their kind."""
    targets = (
        SqliteDatabase("a.example.com", Path("/srv/a/data.db")),
        PostgresDatabase("tenant", "notes", "db", 5433, "app", "tenant", (("sslmode", "require"),), Path("/srv/p")),
    )
    how = How(Tracking("_log", "filename", None), ("after",), 1.5, 2.0, 3.0, 4)
    steps = (
        MigrateDatabases(Path("/m"), targets, how, Path("/s.sql"), None, "postgresql", Path("/scratch")),
        RecordMigrations(Path("/m"), targets, ("1", "2"), how),
    )
    for step in steps:
        planned = PlannedStep("migrate", "two databases", step)
        assert decode(encode(planned, lambda data: data), step_kinds()) == planned
