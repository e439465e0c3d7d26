"""What every ``Copier`` does; and what copying a file that is in use must get right."""

from __future__ import annotations

import fcntl
import gzip
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from fakes.host import FakeWorld
from mcc.errors import CopyFailed
from mcc.host.database_ports import Copier
from mcc.host.files import RealFiles
from mcc.host.ports import Files
from mcc.host.sqlite import source as sqlite_source
from mcc.host.sqlite.copies import SqliteCopies, failed
from mcc.model.database import Contents, SqliteDatabase, Tracking


def nothing(done: int, total: int) -> None:
    pass


@dataclass(frozen=True)
class Case:
    """A copier, a database with two migrations, and the means to change it."""

    copies: Copier[SqliteDatabase]
    files: Files
    target: SqliteDatabase
    place: Path
    set_migrations: Callable[..., None]

    def copy(self, compress: bool = True) -> Contents:
        return self.copies.copy(self.target, self.place, 1.0, compress, nothing)


def make(path: Path, *migrations: str, mode: str = "delete", rows: int = 3, page_size: int = 4096) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size={page_size}")
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.executescript("""
            CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text);
            CREATE TABLE IF NOT EXISTS migrations
              (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, applied_at INTEGER);
            DELETE FROM notes; DELETE FROM migrations;
        """)
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO notes (text) VALUES (?)", [(f"note {n}",) for n in range(rows)])
        connection.executemany("INSERT INTO migrations (name) VALUES (?)", [(name,) for name in migrations])
        connection.execute("COMMIT")


def rows_of(path: Path, sql: str = "SELECT text FROM notes ORDER BY id") -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(params=["fake", "delete", "wal"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    if request.param != "fake":
        target = SqliteDatabase("a.example", tmp_path / "site" / "data.db")
        make(target.path, "001_one", "002_two", mode=request.param)

        def change(*names: str) -> None:
            make(target.path, *names, mode=request.param)

        (tmp_path / "set").mkdir()
        return Case(SqliteCopies(), RealFiles(), target, tmp_path / "set" / "a.example.db.gz", change)
    world = FakeWorld()
    path = Path("/srv/site/data.db")
    world.plant({str(path): b'["001_one", "002_two"]', "/srv/site/set": None})

    def write(*names: str) -> None:
        import json

        world.disk.scribble(path, json.dumps(names).encode())

    host = world.host()
    return Case(host.sqlite_copies, host.files, SqliteDatabase("a", path), Path("/srv/site/set/a.db.gz"), write)


def test_a_copy_says_what_is_in_it_and_is_good(case: Case) -> None:
    contents = case.copy()
    assert contents.migrations == ("001_one", "002_two")
    assert contents.rows["migrations"] == 2
    assert contents.size == case.files.size(case.place)
    case.copies.verify(case.place, contents)


def test_only_its_maker_can_read_a_copy_and_nothing_lies_beside_it(case: Case) -> None:
    case.copy()
    entries = list(case.files.walk(case.place.parent))
    assert [(entry.path, entry.mode) for entry in entries] == [(case.place.name, 0o600)]


def test_a_copy_that_is_not_what_was_written_is_not_good(case: Case) -> None:
    contents = case.copy()
    case.files.write(case.place, case.files.read(case.place)[:-1])
    with pytest.raises(CopyFailed, match=case.place.name):
        case.copies.verify(case.place, contents)


def test_a_copy_that_is_gone_is_not_good(case: Case) -> None:
    contents = case.copy()
    case.files.remove(case.place)
    with pytest.raises(CopyFailed, match=case.place.name):
        case.copies.verify(case.place, contents)


def test_what_is_put_back_is_what_was_copied(case: Case) -> None:
    contents = case.copy()
    case.set_migrations("001_one", "002_two", "003_three")
    case.copies.put_back(case.place, contents, case.target, 1.0)
    case.copies.put_back(case.place, contents, case.target, 1.0)
    case.files.remove(case.place)
    assert case.copy().migrations == contents.migrations


def test_a_database_that_is_not_there_leaves_no_file(case: Case) -> None:
    case.files.remove(case.target.path)
    with pytest.raises(CopyFailed, match=r"data\.db"):
        case.copy()
    assert case.files.names(case.place.parent) == []


def test_a_file_that_is_no_database_leaves_no_file(case: Case) -> None:
    case.files.write(case.target.path, b"this is no database at all, " * 50)
    with pytest.raises(CopyFailed, match=r"data\.db.*database"):
        case.copy()
    assert case.files.names(case.place.parent) == []


# From here on: SQLite's own.


@dataclass(frozen=True)
class Place:
    top: Path

    @property
    def database(self) -> Path:
        return self.top / "site" / "data.db"

    @property
    def target(self) -> SqliteDatabase:
        return SqliteDatabase("a.example", self.database)

    @property
    def copy(self) -> Path:
        return self.top / "set" / "a.db.gz"

    def make_copy(self, deadline: float = 1.0, compress: bool = True) -> Contents:
        return SqliteCopies().copy(self.target, self.copy, deadline, compress, nothing)

    def beside(self) -> dict[str, tuple[int, int, int, int]]:
        """What lies in the database's folder: inode, owner, size and time."""
        found = {}
        for path in sorted(self.database.parent.iterdir()):
            info = path.lstat()
            found[path.name] = (info.st_ino, info.st_uid, info.st_size, info.st_mtime_ns)
        return found

    def plain(self) -> Path:
        path = self.top / "plain.db"
        path.write_bytes(gzip.decompress(self.copy.read_bytes()))
        return path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "set").mkdir()
    return Place(tmp_path)


@contextmanager
def program(code: str, *words: object) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds or writes the database; it says ``ready``, and ends with its standard input."""
    text = "import fcntl, os, sqlite3, sys, time\n" + textwrap.dedent(code)
    process = subprocess.Popen(
        [sys.executable, "-c", text, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


SERVICE = """
    c = sqlite3.connect(sys.argv[1], isolation_level=None)
    c.execute("INSERT INTO notes (text) VALUES ('from the service')")
    print("ready", flush=True)
    sys.stdin.read()
"""
DIES = """
    c = sqlite3.connect(sys.argv[1], isolation_level=None)
    c.execute("PRAGMA cache_size=1")
    c.execute("PRAGMA cache_spill=1")
    c.execute("PRAGMA wal_autocheckpoint=0")
    c.execute("BEGIN IMMEDIATE")
    c.executemany("INSERT INTO notes (text) VALUES (?)", [("x" * 3000,)] * 50)
    if sys.argv[2] == "commit":
        c.execute("COMMIT")
    print("ready", flush=True)
    os.kill(os.getpid(), 9)
"""
WRITER = """
    c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
    print("ready", flush=True)
    n = 0
    while True:
        c.execute("BEGIN IMMEDIATE")
        c.execute("INSERT INTO pairs (side) VALUES ('left')")
        c.execute("INSERT INTO pairs (side) VALUES ('right')")
        c.execute("COMMIT")
"""


@pytest.mark.parametrize("compress", [True, False])
def test_a_copy_is_whole_by_every_measure(place: Place, compress: bool) -> None:
    make(place.database, "001_one", mode="wal", rows=5000)
    contents = place.make_copy(compress=compress)
    path = place.plain() if compress else place.copy
    assert rows_of(path) == rows_of(place.database)
    assert rows_of(path, "PRAGMA integrity_check") == [("ok",)]
    assert contents.rows == {"notes": 5000, "migrations": 1}
    assert (contents.page_size, contents.plain_size) == (4096, path.stat().st_size)


def test_looking_at_a_quiet_wal_database_makes_nothing_beside_it(place: Place) -> None:
    """Side files of ours would lock the service out of its own database."""
    make(place.database, "001_one", mode="wal")
    before = place.beside()
    place.make_copy()
    assert place.beside() == before
    assert list(before) == ["data.db"]


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_database_in_use_is_copied_with_all_that_was_committed(place: Place, mode: str) -> None:
    make(place.database, mode=mode, rows=1)
    with program(SERVICE, place.database):
        before = place.beside()
        contents = place.make_copy()
        assert place.beside().keys() == before.keys()
        assert {name: seen[:2] for name, seen in place.beside().items()} == {n: s[:2] for n, s in before.items()}
    assert contents.rows["notes"] == 2
    assert rows_of(place.plain()) == [("note 0",), ("from the service",)]


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_what_a_crash_left_is_read_as_sqlite_would_and_left_as_it_is(place: Place, mode: str) -> None:
    """A transaction that died is not in the copy; one that was committed is. The repair is the service's."""
    make(place.database, mode=mode, rows=1)
    how = "commit" if mode == "wal" else "open"
    with program(DIES, place.database, how) as process:
        process.wait()
    before = place.beside()
    assert len(before) > 1
    contents = place.make_copy()
    assert contents.rows["notes"] == (51 if mode == "wal" else 1)
    assert {name: seen[:3] for name, seen in place.beside().items()} == {n: s[:3] for n, s in before.items()}


def test_a_wal_that_has_lost_its_index_is_read_and_no_index_is_made(place: Place) -> None:
    make(place.database, mode="wal", rows=1)
    with program(DIES, place.database, "commit") as process:
        process.wait()
    place.database.with_name("data.db-shm").unlink()
    before = place.beside()
    assert place.make_copy().rows["notes"] == 51
    assert place.beside() == before


@pytest.mark.parametrize("mode", [pytest.param("delete", marks=pytest.mark.slow), "wal"])
def test_beside_writers_it_ends_and_no_transaction_is_torn(place: Place, mode: str) -> None:
    make(place.database, mode=mode, rows=30000)
    with closing(sqlite3.connect(place.database)) as connection:
        connection.execute("CREATE TABLE pairs (id INTEGER PRIMARY KEY, side)")
    with program(WRITER, place.database), program(WRITER, place.database):
        for _ in range(5):
            contents = place.make_copy(deadline=20.0)
            SqliteCopies().verify(place.copy, contents)
            assert contents.rows["pairs"] % 2 == 0
            assert rows_of(place.plain(), "PRAGMA integrity_check") == [("ok",)]
            place.copy.unlink()


def test_a_wal_database_stands_still_for_the_copy_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer commits while the copy is half done, and none of it is in the copy."""
    monkeypatch.setattr("mcc.host.sqlite.copies._STEP", 4096 * 4)
    make(place.database, mode="wal", rows=20000)
    seen = []
    with program(SERVICE, place.database):

        def write(done: int, total: int) -> None:
            if seen:
                return
            seen.append(subprocess.run(
                ["sqlite3", "-bail", str(place.database), ".timeout 0", "UPDATE notes SET text = 'changed'"],
                capture_output=True, check=True,
            ))  # fmt: skip

        contents = SqliteCopies().copy(place.target, place.copy, 1.0, True, write)
    assert seen
    assert contents.rows["notes"] == 20001
    assert rows_of(place.plain(), "SELECT count(*) FROM notes WHERE text = 'changed'") == [(0,)]


def test_a_quiet_database_that_wakes_up_is_copied_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    make(place.database, mode="wal", rows=100)
    woken = []

    def wake(done: int, total: int) -> None:
        if not woken:
            woken.append(1)
            with closing(sqlite3.connect(place.database, isolation_level=None)) as connection:
                connection.execute("INSERT INTO notes (text) VALUES ('new')")

    contents = SqliteCopies().copy(place.target, place.copy, 1.0, True, wake)
    assert contents.rows["notes"] == 101
    SqliteCopies().verify(place.copy, contents)


def test_a_database_that_is_held_for_good_is_said_after_the_deadline(place: Place) -> None:
    make(place.database, mode="delete")
    code = """
        c = sqlite3.connect(sys.argv[1], isolation_level=None)
        c.execute("BEGIN EXCLUSIVE")
        print("ready", flush=True)
        sys.stdin.read()
    """
    with program(code, place.database), pytest.raises(CopyFailed, match=r"data\.db: another program .* 0\.2 s"):
        place.make_copy(deadline=0.2)
    assert list(place.copy.parent.iterdir()) == []


def test_a_source_that_locks_us_out_midway_ends_at_the_deadline(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcc.host.sqlite.copies._STEP", 4096)
    make(place.database, mode="delete", rows=20000)
    code = """
        c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
        print("ready", flush=True)
        sys.stdin.readline()
        c.execute("BEGIN EXCLUSIVE")
        print("held", flush=True)
        sys.stdin.read()
    """
    with program(code, place.database) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        told = []

        def hold(done: int, total: int) -> None:
            if not told:
                told.append(1)
                other.stdin.write("now\n")  # type: ignore[union-attr]
                other.stdin.flush()  # type: ignore[union-attr]
                assert other.stdout.readline() == "held\n"  # type: ignore[union-attr]

        with pytest.raises(CopyFailed, match="another program has kept it"):
            SqliteCopies().copy(place.target, place.copy, 0.2, True, hold)
    assert told


def test_a_rollback_database_that_is_never_left_alone_is_copied_in_one_step(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write between any two steps has the backup begin again: after a few times writers wait for it."""
    monkeypatch.setattr("mcc.host.sqlite.copies._STEP", 4096)
    make(place.database, mode="delete", rows=2000)
    begun = []

    # In this very process, a closed connection would let go of the lock that the copy holds.
    code = """
        for line in sys.stdin:
            c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
            c.execute("UPDATE notes SET text = text || '.' WHERE id = 1"); c.close()
            print("done", flush=True)
    """
    with program("print('ready', flush=True)\n" + textwrap.dedent(code), place.database) as other:

        def ask(done: int, total: int) -> None:
            if done < total:
                begun.append(done)
                other.stdin.write("write\n")  # type: ignore[union-attr]
                other.stdin.flush()  # type: ignore[union-attr]
                assert other.stdout.readline() == "done\n"  # type: ignore[union-attr]

        contents = SqliteCopies().copy(place.target, place.copy, 5.0, True, ask)
    assert contents.rows["notes"] == 2000
    assert 3 < len(begun) < 20
    SqliteCopies().verify(place.copy, contents)


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """pytest closes its own folders to other users, again with each run that begins."""
    folder = Path(tempfile.mkdtemp(prefix="mcc-copies-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("mode", ["delete", "wal", "quiet", "crashed"])
def test_who_may_only_read_a_database_can_copy_it(open_to_all: Path, mode: str) -> None:
    """A deploy user that is not the service's: nothing in the folder is writable for it."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to be another user")
    place = Place(open_to_all)
    make(place.database, mode="delete" if mode == "delete" else "wal", rows=1)
    service, rows = SERVICE, 2
    if mode == "quiet":
        service, rows = "print('ready', flush=True); sys.stdin.read()", 1
    elif mode == "crashed":
        service, rows = DIES, 51
    (place.top / "set").mkdir()
    (place.top / "set").chmod(0o777)
    with program(service, place.database, "commit") as process:
        if mode == "crashed":
            process.wait()
        before = place.beside()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                contents = place.make_copy()
                SqliteCopies().verify(place.copy, contents)
                code = 0 if contents.rows["notes"] == rows else 2
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert place.beside().keys() == before.keys()


def test_a_link_that_another_user_made_is_not_followed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    make(place.top / "secret.db")
    place.database.parent.mkdir()
    place.database.symlink_to(place.top / "secret.db")
    os.lchown(place.database, 65534, 65534) if os.geteuid() == 0 else pytest.skip("needs another user's link")
    with pytest.raises(CopyFailed, match="symbolic link that another user"):
        place.make_copy()


def test_a_damaged_database_makes_no_copy_that_counts(place: Place) -> None:
    make(place.database, rows=20000)
    data = bytearray(place.database.read_bytes())
    data[8192:40960] = os.urandom(40960 - 8192)
    place.database.write_bytes(data)
    with pytest.raises(CopyFailed, match="damaged"):
        SqliteCopies().verify(place.copy, place.make_copy())


@pytest.mark.parametrize("where", [0, 3, 20, -9, -1])
def test_a_flipped_bit_anywhere_is_found(place: Place, where: int) -> None:
    make(place.database)
    contents = place.make_copy()
    data = bytearray(place.copy.read_bytes())
    data[where] ^= 4
    place.copy.write_bytes(data)
    with pytest.raises(CopyFailed, match=r"a\.db\.gz"):
        SqliteCopies().verify(place.copy, contents)


def test_a_whole_copy_of_another_database_is_not_what_the_manifest_says(place: Place) -> None:
    """Hash aside: rows, migrations and sizes are compared too."""
    make(place.database, "001_one", rows=3)
    contents = place.make_copy()
    for wrong, message in (
        (replace(contents, rows={**contents.rows, "notes": 4}), "3 rows in notes, its manifest says 4"),
        (replace(contents, rows={**contents.rows, "gone": 1}), "0 rows in gone"),
        (replace(contents, migrations=("001_one", "002_two")), "1 migrations, its manifest says 2"),
        (replace(contents, plain_size=1), "bytes, its manifest says 1"),
    ):
        with pytest.raises(CopyFailed, match=message):
            SqliteCopies().verify(place.copy, wrong)


def test_what_is_added_behind_a_copy_is_found(place: Place) -> None:
    make(place.database)
    contents = place.make_copy()
    with place.copy.open("ab") as file:
        file.write(b"more")
    with pytest.raises(CopyFailed, match="damaged"):
        SqliteCopies().verify(place.copy, contents)


def test_collations_and_functions_of_the_application_do_not_stop_a_copy(place: Place) -> None:
    place.database.parent.mkdir()
    with closing(sqlite3.connect(place.database, isolation_level=None)) as connection:
        connection.create_collation("finnish", lambda a, b: (a > b) - (a < b))
        connection.create_function("shout", 1, lambda text: str(text).upper(), deterministic=True)
        connection.executescript("""
            CREATE TABLE people (name TEXT COLLATE finnish PRIMARY KEY, CHECK (shout(name) <> ''));
            CREATE INDEX loud ON people (shout(name));
            INSERT INTO people VALUES ('aino'), ('väinö');
        """)
    contents = place.make_copy()
    assert contents.rows == {"people": 2}
    SqliteCopies().verify(place.copy, contents)


def test_another_tracking_table_is_read_where_the_project_has_one(place: Place) -> None:
    make(place.database)
    with closing(sqlite3.connect(place.database, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE _log (filename)")
        connection.execute("INSERT INTO _log VALUES ('001.sql')")
    tracking = Tracking("_log", "filename", None)
    contents = SqliteCopies().copy(place.target, place.copy, 1.0, True, nothing, tracking)
    assert contents.migrations == ("001.sql",)
    SqliteCopies().verify(place.copy, contents, tracking)


def test_an_empty_file_is_an_empty_database_and_stays_one(place: Place) -> None:
    place.database.parent.mkdir()
    place.database.touch()
    contents = place.make_copy()
    assert contents.rows == {}
    SqliteCopies().verify(place.copy, contents)


def test_a_full_disk_leaves_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file system of its own: what is full is really full."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root, for a file system of its own")
    make(place.database, rows=20000)
    small = place.top / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(CopyFailed, match="the disk is full"):
            SqliteCopies().copy(place.target, small / "a.db.gz", 1.0, True, nothing)
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_disk_that_takes_no_side_file_is_said_so() -> None:
    """On a full disk SQLite cannot lengthen what it maps beside a database that is read."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = "SQLITE_IOERR_SHMSIZE"
    said = failed(Path("/srv/a/data.db"), Path("/srv/copy"), error)
    assert said.message == "/srv/a/data.db could not be copied: the disk failed, or is full (disk I/O error)"
    assert "df -h /srv/a" in said.help


def test_an_interrupt_leaves_nothing(place: Place) -> None:
    make(place.database, rows=3000)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SqliteCopies().copy(place.target, place.copy, 1.0, True, stop)
    assert list(place.copy.parent.iterdir()) == []


# Putting back.


def test_a_database_that_is_put_back_keeps_its_file_and_its_mode(place: Place) -> None:
    make(place.database, "001_one", mode="wal", rows=3)
    contents = place.make_copy()
    place.database.chmod(0o660)
    before = place.database.stat()
    make(place.database, "001_one", "002_two", mode="wal", rows=9000)
    SqliteCopies().put_back(place.copy, contents, place.target, 1.0)
    after = place.database.stat()
    assert (after.st_ino, stat.S_IMODE(after.st_mode)) == (before.st_ino, 0o660)
    assert len(rows_of(place.database)) == 3
    assert rows_of(place.database, "PRAGMA journal_mode") == [("wal",)]


def test_no_old_wal_wins_over_what_was_put_back(place: Place) -> None:
    make(place.database, mode="wal", rows=1)
    contents = place.make_copy()
    with program(DIES, place.database, "commit") as process:
        process.wait()
    assert place.database.with_name("data.db-wal").stat().st_size > 0
    SqliteCopies().put_back(place.copy, contents, place.target, 1.0)
    assert rows_of(place.database) == [("note 0",)]


def test_a_reader_who_has_it_open_sees_what_was_put_back(place: Place) -> None:
    make(place.database, mode="wal", rows=1)
    contents = place.make_copy()
    make(place.database, mode="wal", rows=7)
    code = """
        c = sqlite3.connect(sys.argv[1], isolation_level=None)
        print(*c.execute("SELECT 'ready'").fetchone(), flush=True)
        sys.stdin.readline()
        print(c.execute("SELECT count(*) FROM notes").fetchone()[0], flush=True)
    """
    with program(code, place.database) as reader:
        SqliteCopies().put_back(place.copy, contents, place.target, 5.0)
        assert reader.communicate("now\n")[0] == "1\n"


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_another_page_size_is_put_back_too(place: Place, mode: str) -> None:
    make(place.database, mode=mode, rows=50, page_size=4096)
    contents = place.make_copy()
    place.database.unlink()
    make(place.database, mode=mode, rows=7, page_size=1024)
    SqliteCopies().put_back(place.copy, contents, place.target, 1.0)
    assert len(rows_of(place.database)) == 50
    assert rows_of(place.database, "PRAGMA integrity_check") == [("ok",)]


def test_a_damaged_copy_changes_nothing(place: Place) -> None:
    make(place.database, rows=3)
    contents = place.make_copy()
    make(place.database, rows=5)
    place.copy.write_bytes(place.copy.read_bytes()[:-4])
    before = place.database.read_bytes()
    with pytest.raises(CopyFailed, match="damaged"):
        SqliteCopies().put_back(place.copy, contents, place.target, 1.0)
    assert place.database.read_bytes() == before


def test_a_database_that_is_held_is_waited_for_and_then_left_alone(place: Place) -> None:
    make(place.database, rows=3)
    contents = place.make_copy()
    code = """
        c = sqlite3.connect(sys.argv[1], isolation_level=None)
        c.execute("BEGIN IMMEDIATE"); c.execute("DELETE FROM notes WHERE id = 1")
        print("ready", flush=True)
        sys.stdin.read()
    """
    with program(code, place.database), pytest.raises(CopyFailed, match="another program has kept it"):
        SqliteCopies().put_back(place.copy, contents, place.target, 0.2)
    assert len(rows_of(place.database)) == 3


@pytest.mark.slow
def test_killed_while_it_is_put_back_it_is_the_old_or_the_new_one(place: Place) -> None:
    make(place.database, mode="wal", rows=20000)
    contents = place.make_copy()
    code = """
        from pathlib import Path
        from mcc.host.sqlite.copies import SqliteCopies, failed
        from mcc.model.database import Contents, SqliteDatabase
        contents = Contents("sqlite", 0, sys.argv[3], 0, {}, (), 4096)
        print("ready", flush=True)
        SqliteCopies().put_back(Path(sys.argv[2]), contents, SqliteDatabase("a", Path(sys.argv[1])), 1.0)
    """
    for milliseconds in range(0, 60, 5):
        make(place.database, mode="wal", rows=7)
        with program(code, place.database, place.copy, contents.sha256) as process:
            time.sleep(milliseconds / 1000)
            process.kill()
            process.wait()
        assert len(rows_of(place.database)) in (7, 20000)
        assert rows_of(place.database, "PRAGMA integrity_check") == [("ok",)]


def test_the_lock_that_holds_the_side_files_is_sqlites_shared_lock(place: Place) -> None:
    """If SQLite locked other bytes, a service that ends would take the files away under us."""
    make(place.database, mode="delete")
    descriptor = os.open(place.database, os.O_RDONLY)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, sqlite_source._SHARED_SIZE, sqlite_source._SHARED_FIRST)
        words = ["sqlite3", str(place.database), ".timeout 0", "DELETE FROM notes"]
        done = subprocess.run(words, capture_output=True, text=True)
        assert "locked" in done.stderr
    finally:
        os.close(descriptor)
