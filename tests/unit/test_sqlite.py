"""Real SQLite databases, brought forward."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from mcc.core.migrating.files import read
from mcc.errors import Interrupted, MigrationFailed
from mcc.host.sqlite import tracking
from mcc.host.sqlite.migrator import SqliteDatabases
from mcc.model.database import How, SqliteDatabase, Tracking
from mcc.model.migration import Migration, Statement

NOTES = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);\nINSERT INTO notes (text) VALUES ('one');\n"
SLOW = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c;"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's files")
needs_sqlite3 = pytest.mark.skipif(shutil.which("sqlite3") is None, reason="there is no sqlite3 command")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "domains" / "app.example.com" / "data.db"


def files(**texts: str) -> tuple[Migration, ...]:
    return read({f"{name.lstrip('_')}.sql": text.encode() for name, text in texts.items()})


def migrate(database: Path, migrations: Sequence[Migration], wait: float = 5.0) -> tuple[str, ...]:
    return SqliteDatabases().migrate(SqliteDatabase("one", database), migrations, How(wait=wait))


def applied(database: Path) -> tuple[str, ...]:
    return SqliteDatabases().look(SqliteDatabase("one", database), Tracking()).names


def bring(database: Path, wait: float = 5.0, **texts: str) -> tuple[str, ...]:
    return migrate(database, files(**texts), wait)


def refused(database: Path, wait: float = 5.0, **texts: str) -> MigrationFailed:
    with pytest.raises(MigrationFailed) as raised:
        bring(database, wait, **texts)
    return raised.value


def ask(database: Path, sql: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql).fetchall()


def tables(database: Path) -> list[object]:
    return [row[0] for row in ask(database, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]


def side_files(database: Path) -> list[str]:
    return sorted(path.name for path in database.parent.iterdir() if path != database)


@contextlib.contextmanager
def held(database: Path, sql: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
    """Another program holds the database."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None, check_same_thread=False)) as connection:
        connection.execute(sql).fetchall()
        yield connection


class TestForward:
    def test_files_run_in_order_once_and_are_recorded(self, database: Path) -> None:
        texts = {"_001_notes": NOTES, "_002_more": "INSERT INTO notes (text) VALUES ('two')"}
        assert bring(database, **texts) == ("001_notes", "002_more")
        assert bring(database, **texts) == ()
        assert bring(database, **texts, _003_last="DELETE FROM notes WHERE id = 1;") == ("003_last",)
        assert ask(database, "SELECT text FROM notes") == [("two",)]
        assert applied(database) == ("001_notes", "002_more", "003_last")

    def test_a_missing_database_and_its_folders_are_made_writable_for_the_group(self, database: Path) -> None:
        umask = os.umask(0o027)
        try:
            bring(database, _1=NOTES)
        finally:
            os.umask(umask)
        assert database.parent.stat().st_mode & 0o777 == 0o770
        assert database.stat().st_mode & 0o777 == 0o660

    def test_without_any_file_there_is_an_empty_database_with_the_tracking_table(self, database: Path) -> None:
        assert bring(database) == ()
        assert tables(database) == ["migrations"]

    def test_the_tracking_table_is_the_specifications(self, database: Path) -> None:
        bring(database, _1=NOTES)
        assert ask(database, "SELECT sql FROM sqlite_master WHERE name = 'migrations'") == [
            (
                "CREATE TABLE migrations (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, "
                "applied_at INTEGER DEFAULT (strftime('%s', 'now')), checksum TEXT)",
            )
        ]
        ((applied_at,),) = ask(database, "SELECT applied_at FROM migrations")
        assert isinstance(applied_at, int)
        assert abs(applied_at - time.time()) < 60

    @pytest.mark.parametrize("name", ["it's", 'a "b"', "x'); DROP TABLE notes; --", "with space", "ünï", "%s ?1 :a"])
    def test_names_with_quotes_and_spaces_work(self, database: Path, name: str) -> None:
        migrations = read({f"{name}.sql": NOTES.encode()})
        assert migrate(database, migrations, 1) == (name,)
        assert applied(database) == (name,)
        assert migrate(database, migrations, 1) == ()

    @pytest.mark.parametrize("name", ["it's #1?", "100%", "ünï", "a b"])
    def test_a_path_with_odd_characters_works(self, tmp_path: Path, name: str) -> None:
        database = tmp_path / name / "data.db"
        assert bring(database, _1=NOTES) == ("1",)
        assert applied(database) == ("1",)
        assert [path.name for path in tmp_path.iterdir()] == [name]

    @pytest.mark.parametrize("mode", ["wal", "delete", "truncate"])
    def test_each_journal_mode_stays_as_it_is_and_no_side_file_is_left(
        self, database: Path, mode: str
    ) -> None:
        bring(database, _1=NOTES)
        ask(database, f"PRAGMA journal_mode={mode}")
        assert applied(database) == ("1",)
        assert side_files(database) == []
        assert bring(database, _1=NOTES, _2="DELETE FROM notes;") == ("2",)
        assert side_files(database) == []
        assert ask(database, "PRAGMA journal_mode")[0][0] == ("wal" if mode == "wal" else "delete")

    def test_triggers_that_use_case_and_statements_that_answer_run(self, database: Path) -> None:
        trigger = (
            "CREATE TRIGGER up AFTER INSERT ON notes BEGIN\n"
            "  UPDATE notes SET text = CASE WHEN new.text = 'a;' THEN 'A' ELSE new.text END WHERE id = new.id;\nEND;\n"
        )
        bring(
            database, _1=NOTES + trigger + "SELECT * FROM notes;\nINSERT INTO notes (text) VALUES ('a;') RETURNING id;"
        )
        assert ask(database, "SELECT text FROM notes") == [("one",), ("A",)]

    def test_a_select_over_text_that_is_no_utf8_runs(self, database: Path) -> None:
        bring(database, _1="SELECT CAST(x'ff' AS TEXT);")

    def test_temporary_things_and_settings_end_with_their_file(self, database: Path) -> None:
        text = 'CREATE TEMP TABLE "t""1" (a); CREATE TEMP VIEW v AS SELECT 1; PRAGMA recursive_triggers=ON;'
        assert bring(database, _1=text, _2=text) == ("1", "2")
        bring(database, _3="PRAGMA case_sensitive_like=ON;", _4="CREATE TABLE seen AS SELECT 'A' LIKE 'a' AS same;")
        assert ask(database, "SELECT same FROM seen") == [(1,)]

    def test_settings_that_only_work_outside_a_transaction_are_no_obstacle(self, database: Path) -> None:
        text = "PRAGMA foreign_keys=OFF; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY; PRAGMA wal_checkpoint;"
        bring(database, _1=text + NOTES + "PRAGMA foreign_keys=ON;")
        assert tables(database) == ["migrations", "notes"]

    def test_a_file_may_ask_for_the_wal_mode(self, database: Path) -> None:
        bring(database, _1="PRAGMA journal_mode=WAL;\n" + NOTES)
        assert ask(database, "PRAGMA journal_mode") == [("wal",)]
        bring(database, _1="", _2="PRAGMA journal_mode = 'DELETE';")
        assert ask(database, "PRAGMA journal_mode") == [("delete",)]

    def test_a_table_is_rebuilt_without_losing_the_rows_that_point_to_it(self, database: Path) -> None:
        bring(
            database,
            _1="CREATE TABLE a (id INTEGER PRIMARY KEY); INSERT INTO a VALUES (1);"
            "CREATE TABLE b (a INTEGER REFERENCES a ON DELETE CASCADE); INSERT INTO b VALUES (1);",
            _2="PRAGMA foreign_keys=ON; CREATE TABLE n (id INTEGER PRIMARY KEY, x); "
            "INSERT INTO n (id) SELECT id FROM a; DROP TABLE a; ALTER TABLE n RENAME TO a;",
        )
        assert ask(database, "SELECT * FROM b") == [(1,)]


class TestBack:
    def test_all_files_of_a_run_are_one_transaction(self, database: Path) -> None:
        bring(database, _1=NOTES)
        before = database.read_bytes()
        broken = "SELECT 1;\n\nINSERT INTO\n  nowhere VALUES (1);\n"
        error = refused(database, _1=NOTES, _2="CREATE TABLE two (a);", _3=broken)
        assert error.message == f"{database}: 3.sql:3: no such table: nowhere"
        assert tables(database) == ["migrations", "notes"]
        assert applied(database) == ("1",)
        assert database.read_bytes() == before
        assert side_files(database) == []

    @pytest.mark.parametrize("first", ["", "PRAGMA journal_mode=WAL;"])
    def test_a_first_run_that_fails_leaves_no_file_and_no_folder(
        self, database: Path, tmp_path: Path, first: str
    ) -> None:
        refused(database, _1=first + NOTES, _2="nonsense;")
        assert list(tmp_path.iterdir()) == []

    def test_folders_and_files_of_others_stay(self, database: Path) -> None:
        database.parent.mkdir(parents=True)
        (database.parent / "keep").touch()
        refused(database, _1="nonsense;")
        assert side_files(database) == ["keep"]

    def test_an_empty_database_that_was_there_stays(self, database: Path) -> None:
        database.parent.mkdir(parents=True)
        database.touch()
        refused(database, _1="nonsense;")
        assert database.exists()

    def test_a_journal_mode_that_was_changed_is_changed_back(self, database: Path) -> None:
        bring(database, _1=NOTES)
        refused(database, _1=NOTES, _2="PRAGMA journal_mode=WAL; nonsense;")
        assert ask(database, "PRAGMA journal_mode") == [("delete",)]

    def test_a_broken_file_in_the_middle_of_others_is_named_with_its_40th_statement(self, database: Path) -> None:
        text = "\n".join(["SELECT 1;"] * 39 + ["SELEC 1;", "SELECT 1;"])
        assert (
            '002_b.sql:40: near "SELEC": syntax error'
            in refused(database, _001_a=NOTES, _002_b=text, _003_c=NOTES).message
        )

    def test_a_statement_that_is_not_finished_is_named(self, database: Path) -> None:
        assert "1.sql:2: incomplete input" in refused(database, _1="SELECT 1;\nCREATE TABLE t (a").message

    def test_a_file_with_a_problem_never_runs(self, database: Path) -> None:
        assert "1.sql:2: COMMIT cannot stand" in refused(database, _1="SELECT 1;\nCOMMIT;").message
        assert not database.parent.exists()

    @pytest.mark.parametrize(
        ("sql", "what"),
        [("COMMIT", "a transaction"), ("SAVEPOINT a", "a savepoint"), ("ATTACH ':memory:' AS a", "ATTACH")],
    )
    def test_what_ends_the_transaction_is_denied_while_it_runs(self, database: Path, sql: str, what: str) -> None:
        """Also if the reading of the file had let it through."""
        migration = Migration("1", "1.sql", (Statement("CREATE TABLE t (a)", 1), Statement(sql, 7)))
        with pytest.raises(MigrationFailed, match=f"1.sql:7: {what}"):
            migrate(database, [migration], 1)
        assert not database.exists()


class TestForeignKeys:
    tables = (
        "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER REFERENCES a ON DELETE CASCADE);"
        "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1);"
    )

    def test_rows_that_would_point_to_nothing_stop_the_run(self, database: Path) -> None:
        bring(database, _1=self.tables)
        error = refused(database, _1="", _2="PRAGMA foreign_keys=ON;\nDELETE FROM a;")
        assert error.message == f"{database}: 1 row of b would point to nothing in a after 2.sql"
        assert ask(database, "SELECT count(*) FROM a") == [(1,)]

    def test_rows_that_pointed_to_nothing_before_do_not(self, database: Path) -> None:
        bring(database, _1=self.tables)
        ask(database, "SELECT 1")
        with contextlib.closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("DELETE FROM a")
        assert bring(database, _1="", _2="CREATE TABLE c (x);") == ("2",)
        assert "2 rows of b" not in refused(database, _1="", _2="", _3="INSERT INTO b VALUES (7);").message

    def test_a_foreign_key_that_is_itself_wrong_is_only_told_if_it_is_new(self, database: Path) -> None:
        wrong = "CREATE TABLE p (x); CREATE TABLE c (x REFERENCES p (x)); INSERT INTO c VALUES (1);"
        assert "foreign key mismatch" in refused(database, _1=wrong).message
        with_fault = sqlite3.connect(tmp := database.parent.parent.parent / "old.db")
        with contextlib.closing(with_fault):
            with_fault.executescript(wrong)
        assert bring(tmp, _1=self.tables) == ("1",)
        assert "1 row of b" in refused(tmp, _1="", _2="DELETE FROM a;").message


class TestHeld:
    def test_a_writer_is_waited_for(self, database: Path) -> None:
        bring(database, _1=NOTES)
        with held(database) as other:
            timer = threading.Timer(0.4, lambda: other.execute("COMMIT"))
            timer.start()
            assert bring(database, _1="", _2="DELETE FROM notes;") == ("2",)
            timer.join()

    def test_a_writer_that_comes_between_two_looks_is_waited_for(
        self, database: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One may hold the file alone in any moment, and an empty database is asked twice."""
        came: list[str] = []
        look = tracking.is_filled

        def busy_once(connection: sqlite3.Connection, table: Tracking) -> bool:
            if came:
                return look(connection, table)
            came.append("once")
            with held(database, "BEGIN EXCLUSIVE"):
                return look(connection, table)

        database.parent.mkdir(parents=True)
        ask(database, "PRAGMA user_version=1")
        monkeypatch.setattr(tracking, "is_filled", busy_once)
        assert bring(database, _1=NOTES) == ("1",)

    @pytest.mark.parametrize("mode", ["wal", "delete"])
    def test_a_writer_that_holds_on_is_told_with_the_limit(self, database: Path, mode: str) -> None:
        bring(database, _1=NOTES)
        with held(database, f"PRAGMA journal_mode={mode}") as other:
            other.execute("BEGIN IMMEDIATE")
            error = refused(database, 0.2, _1="", _2="DELETE FROM notes;")
        assert f"{database}: another program has held the database for more than 0.2 s" in error.message
        assert str(database) in error.help

    def test_a_reader_that_delays_the_commit_is_waited_for(self, database: Path) -> None:
        bring(database, _1=NOTES)
        with held(database, "BEGIN") as other:
            other.execute("SELECT * FROM notes").fetchall()
            timer = threading.Timer(0.4, lambda: other.execute("COMMIT"))
            timer.start()
            assert bring(database, _1="", _2="DELETE FROM notes;") == ("2",)
            timer.join()

    def test_nothing_pending_waits_for_nobody(self, database: Path) -> None:
        bring(database, _1=NOTES)
        with held(database):
            assert bring(database, wait=0, _1=NOTES) == ()
            assert applied(database) == ("1",)

    def test_two_migrators_at_once_apply_each_file_once(self, database: Path) -> None:
        texts = {f"_{number:03}": f"CREATE TABLE t{number} (a);" for number in range(20)}
        answers: list[tuple[str, ...]] = []
        threads = [threading.Thread(target=lambda: answers.append(bring(database, 20, **texts))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(len(answer) for answer in answers) == [0, 0, 0, 0, 0, 20]
        assert ask(database, "SELECT count(*) FROM migrations") == [(20,)]

    def test_a_database_in_use_in_wal_mode_is_read_as_its_writer_left_it(
        self, database: Path
    ) -> None:
        bring(database, _1="PRAGMA journal_mode=WAL;" + NOTES)
        with held(database, "SELECT 1") as service:
            service.execute("INSERT INTO migrations (name) VALUES ('2')")
            assert applied(database) == ("1", "2")
            assert bring(database, _1="", _3="INSERT INTO notes (text) VALUES ('three')") == ("3",)
            assert service.execute("SELECT count(*) FROM notes").fetchall() == [(2,)]

    def test_looking_does_not_let_go_of_locks_of_the_same_process(
        self, database: Path
    ) -> None:
        """Closing a file ends all locks that a process has on it: fcntl(2)."""
        bring(database, _1=NOTES)
        with held(database):
            applied(database)
            code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
            other = subprocess.run([sys.executable, "-c", code, database], capture_output=True, text=True)
        assert "database is locked" in other.stderr

    def test_a_write_that_was_cut_off_is_repaired_before_it_is_read(
        self, database: Path
    ) -> None:
        bring(database, _1=NOTES)
        code = (
            "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "c.execute('PRAGMA cache_size=1'); c.execute('BEGIN'); c.execute(\"DELETE FROM migrations\")\n"
            'c.execute("INSERT INTO notes (text) SELECT hex(randomblob(3000)) FROM (WITH RECURSIVE r(n) AS'
            ' (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 50) SELECT n FROM r)"); os.kill(os.getpid(), 9)'
        )
        subprocess.run([sys.executable, "-c", code, database], check=False)
        assert side_files(database) == ["data.db-journal"]
        assert applied(database) == ("1",)


class _Asked(Exception):
    """What a signal's handler raises in these tests."""


@contextlib.contextmanager
def signalled(after: float, error: BaseException) -> Iterator[None]:
    """A real signal to this process, whose handler raises."""

    def handler(number: int, frame: object) -> None:
        raise error

    gc.disable()  # a collection calls functions of hypothesis, in which what a handler raises is lost
    previous = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        gc.enable()


class TestSignals:
    @pytest.mark.parametrize("error", [Interrupted("SIGTERM"), KeyboardInterrupt(), _Asked()], ids=repr)
    def test_a_long_statement_is_ended_and_taken_back(self, database: Path, error: BaseException) -> None:
        bring(database, _1=NOTES)
        started = time.monotonic()
        with signalled(0.2, error), pytest.raises(type(error)) as raised:
            bring(database, _1="", _2="DELETE FROM notes;\n" + SLOW)
        assert raised.value is error
        assert time.monotonic() - started < 60
        assert ask(database, "SELECT count(*) FROM notes") == [(1,)]
        assert side_files(database) == []

    def test_waiting_for_a_writer_is_ended(self, database: Path) -> None:
        bring(database, _1=NOTES)
        started = time.monotonic()
        with held(database), signalled(0.2, _Asked()), pytest.raises(_Asked):
            bring(database, wait=60, _1="", _2="DELETE FROM notes;")
        assert time.monotonic() - started < 60

    def test_at_any_moment_the_database_is_at_its_old_or_its_new_version(self, tmp_path: Path) -> None:
        texts = {
            f"_{number:03}": f"CREATE TABLE t{number} (a); INSERT INTO t{number} VALUES (1);" for number in range(40)
        }
        migrations = files(**texts)
        for attempt in range(40):
            database = tmp_path / str(attempt) / "data.db"
            with contextlib.suppress(_Asked, Interrupted), signalled(0.0005 * (attempt + 1), _Asked()):
                migrate(database, migrations)
            if database.exists():
                assert len(tables(database)) in (0, 41)
                assert side_files(database) == []
                assert len(bring(database, **texts)) in (0, 40)

    def test_a_kill_leaves_the_old_or_the_new_version(self, database: Path) -> None:
        bring(database, _1=NOTES)
        code = (
            "import sys; from pathlib import Path; from mcc.core.migrating.files import read\n"
            "from mcc.host.sqlite.migrator import SqliteDatabases; from mcc.model.database import How, SqliteDatabase\n"
            "print('ready', flush=True); target = SqliteDatabase('one', Path(sys.argv[1]))\n"
            "SqliteDatabases().migrate(target, read({'2.sql': sys.argv[2].encode()}), How(wait=1))"
        )
        words = [sys.executable, "-c", code, str(database), "DELETE FROM notes; " + SLOW]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.3)
            process.kill()
        assert applied(database) == ("1",)
        assert ask(database, "SELECT count(*) FROM notes") == [(1,)]


class TestBadDatabase:
    def both(self, database: Path) -> list[MigrationFailed]:
        """What looking at it and what migrating it says."""
        with pytest.raises(MigrationFailed) as raised:
            applied(database)
        return [raised.value, refused(database, 0.2, _1=NOTES)]

    def test_a_missing_or_empty_one_has_had_nothing(self, database: Path) -> None:
        assert applied(database) == ()
        assert not database.parent.exists()
        database.parent.mkdir(parents=True)
        database.touch()
        assert applied(database) == ()
        ask(database, "CREATE TABLE x (a)")
        assert applied(database) == ()

    def test_a_file_that_is_no_database_is_named_and_kept(self, database: Path) -> None:
        database.parent.mkdir(parents=True)
        database.write_bytes(b"hello world, this is no database" * 100)
        for error in self.both(database):
            assert f"{database}: it is not an SQLite database" in error.message
        assert database.read_bytes().startswith(b"hello")

    def test_a_damaged_one_is_named_and_kept(self, database: Path) -> None:
        bring(database, _1=NOTES)
        data = bytearray(database.read_bytes())
        data[100:108] = b"\xff" * 8
        database.write_bytes(data)
        for error in self.both(database):
            assert f"{database}: the database is damaged" in error.message
            assert ".recover" in error.help
        assert database.read_bytes() == bytes(data)

    def test_a_folder_in_its_place_is_named(self, database: Path) -> None:
        database.mkdir(parents=True)
        for error in self.both(database):
            assert error.message == f"{database} is a folder, not a database"

    def test_a_pipe_in_its_place_does_not_hang(self, database: Path) -> None:
        database.parent.mkdir(parents=True)
        os.mkfifo(database)
        for error in self.both(database):
            assert "not a regular file" in error.message

    def test_a_file_in_place_of_its_folder_is_named(self, database: Path) -> None:
        database.parent.parent.mkdir()
        database.parent.touch()
        for error in self.both(database):
            assert "Not a directory" in error.message

    def test_a_table_of_the_same_name_but_another_kind_is_named(self, database: Path) -> None:
        database.parent.mkdir(parents=True)
        ask(database, "CREATE TABLE migrations (version INTEGER)")
        for error in self.both(database):
            assert error.message == (
                f"{database}: its table migrations is not the one that mcc keeps (no such column: name)"
            )

    def test_no_room_is_told_with_the_file(self, database: Path) -> None:
        text = "PRAGMA max_page_count=5;\n" + NOTES + "INSERT INTO notes (text) VALUES (hex(zeroblob(100000)));"
        assert "1.sql:4: the disk is full" in refused(database, _1=text).message
        assert not database.parent.exists()

    def test_one_that_may_only_be_read_is_named(self) -> None:
        with _reachable() as folder, _nobody():
            database = folder / "data.db"
            bring(database, _1=NOTES)
            database.chmod(0o444)
            assert applied(database) == ("1",)
            error = refused(database, _1="", _2="DELETE FROM notes;")
            assert f"{database}: this user may not write it" in error.message
            assert str(folder) in error.help

    def test_a_folder_that_may_not_be_written_is_named(self) -> None:
        with _reachable() as folder, _nobody():
            folder.chmod(0o555)
            error = refused(folder / "new" / "data.db", _1=NOTES)
            assert "cannot be made: Permission denied" in error.message
            folder.chmod(0o755)

    def test_one_that_is_replaced_while_it_is_opened_is_left_alone(
        self, database: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bring(database, _1=NOTES)
        connect = sqlite3.connect

        def replaced(*words: object, **options: object) -> sqlite3.Connection:
            connection = connect(*words, **options)  # type: ignore[call-overload]
            shutil.copy(database, f"{database}.new")
            Path(f"{database}.new").replace(database)
            return connection  # type: ignore[no-any-return]

        monkeypatch.setattr(sqlite3, "connect", replaced)
        assert "moved or replaced" in refused(database, _1="", _2="DELETE FROM notes;").message
        monkeypatch.undo()
        assert ask(database, "SELECT count(*) FROM notes") == [(1,)]


@contextlib.contextmanager
def _reachable() -> Iterator[Path]:
    """A folder that another user can reach and owns."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "site"
        folder.mkdir()
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
        yield folder


@contextlib.contextmanager
def _nobody() -> Iterator[None]:
    """As an ordinary user: root may do everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


class TestLinks:
    def test_a_link_of_this_user_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / "disk").mkdir()
        (tmp_path / "domains").symlink_to("disk")
        assert bring(tmp_path / "domains" / "a" / "data.db", _1=NOTES) == ("1",)
        assert applied(tmp_path / "disk" / "a" / "data.db") == ("1",)

    @needs_root
    @pytest.mark.parametrize("planted", ["a", "a/data.db"])
    def test_a_link_of_another_user_is_not(self, tmp_path: Path, planted: str) -> None:
        target, link = tmp_path / "target", tmp_path / "domains" / planted
        link.parent.mkdir(parents=True)
        link.symlink_to(target)
        os.lchown(link, 65534, 65534)
        error = refused(tmp_path / "domains" / "a" / "data.db", _1=NOTES)
        assert error.message.startswith(f"{link} is a symbolic link that another user (uid 65534) owns")
        with pytest.raises(MigrationFailed):
            applied(tmp_path / "domains" / "a" / "data.db")
        assert not target.exists()

    def test_links_in_a_circle_are_told(self, tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to("b")
        (tmp_path / "b").symlink_to("a")
        with pytest.raises(MigrationFailed, match="too many symbolic links"):
            applied(tmp_path / "a" / "data.db")


def specification_migrates(database: Path, folder: Path) -> None:
    """The specification's ``run_migrations`` for one database, with its sqlite3 commands."""

    def run(words: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(words, check=True, **options)  # type: ignore[call-overload,no-any-return]

    run(
        [
            "sqlite3",
            str(database),
            "CREATE TABLE IF NOT EXISTS migrations "
            "(id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, "
            "applied_at INTEGER DEFAULT (strftime('%s', 'now')))",
        ]
    )
    for migration_file in sorted(folder.glob("*.sql")):
        name = migration_file.stem
        question = f"SELECT COUNT(*) FROM migrations WHERE name='{name}'"
        result = run(["sqlite3", str(database), question], capture_output=True, text=True)
        if int(result.stdout.strip()) > 0:
            continue
        run(["sqlite3", str(database), f".read {migration_file}"])
        run(["sqlite3", str(database), f"INSERT INTO migrations (name) VALUES ('{name}')"])


@needs_sqlite3
@pytest.mark.parametrize("ours_first", [True, False])
def test_the_specifications_script_and_ours_take_turns(tmp_path: Path, ours_first: bool) -> None:
    """Each applies what the other has not; the result is that of the specification's script alone."""
    folder, database, alone = tmp_path / "migrations", tmp_path / "data.db", tmp_path / "alone.db"
    folder.mkdir()

    def ours(database: Path, folder: Path) -> None:
        migrations = read({path.name: path.read_bytes() for path in folder.iterdir()})
        migrate(database, migrations, 5)

    turns: list[Callable[[Path, Path], None]] = [ours, specification_migrates]
    for number in range(1, 5):
        text = f"-- {number};\nCREATE TABLE t{number} (a); INSERT INTO t{number} VALUES ('it''s; {number}')"
        (folder / f"00{number}_t.sql").write_text(text)
        turns[(number + ours_first) % 2](database, folder)
    specification_migrates(alone, folder)
    schema = "SELECT name, replace(sql, ', checksum TEXT)', ')') FROM sqlite_master ORDER BY name"
    assert ask(database, schema) == ask(alone, schema)
    rows = "SELECT id, name FROM migrations ORDER BY id"
    assert ask(database, rows) == ask(alone, rows)
