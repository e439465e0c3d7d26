"""What is in a real SQLite database beside what a copy promises; and copies put over damaged ones."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from mcc.errors import CopyFailed, Damaged
from mcc.host.commands import RealCommands
from mcc.host.copies.cloning import RealClones
from mcc.host.sqlite.copies import SqliteCopies
from mcc.model.database import Contents, SqliteDatabase, Tracking

TRACKING = Tracking()


def run(path: Path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(sql)


def rows(path: Path) -> list[tuple[int]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT id FROM notes ORDER BY id").fetchall()


@pytest.fixture
def target(tmp_path: Path) -> SqliteDatabase:
    path = tmp_path / "site" / "data.db"
    path.parent.mkdir()
    sql = "CREATE TABLE migrations (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO migrations (name) VALUES ('001');"
    run(path, f"PRAGMA journal_mode=WAL; {sql} CREATE TABLE notes (id INT); INSERT INTO notes VALUES (1), (2);")
    return SqliteDatabase("data.db", path)


@pytest.fixture
def copied(target: SqliteDatabase, tmp_path: Path) -> tuple[Path, Contents]:
    place = tmp_path / "a.db.gz"
    return place, SqliteCopies().copy(target, place, 1, True, lambda done, total: None)


def check(target: SqliteDatabase, contents: Contents, exact: bool = True) -> None:
    RealClones(RealCommands()).check(target, contents, TRACKING, exact)


def test_a_database_that_is_what_the_copy_promises_passes_and_nothing_is_left_beside_it(
    target: SqliteDatabase, copied: tuple[Path, Contents]
) -> None:
    check(target, copied[1])
    assert [path.name for path in target.path.parent.iterdir()] == ["data.db"]


@pytest.mark.parametrize(
    ("sql", "message", "always"),
    [
        ("INSERT INTO notes VALUES (3)", "notes has 3 rows, the copy 2 rows", False),
        ("DROP TABLE notes", "notes has no table, the copy 2 rows", True),
        ("CREATE TABLE more (id INT)", "more has 0 rows, the copy no table", True),
        ("INSERT INTO migrations (name) VALUES ('002')", "has 2 migrations, not the 1 of the copy", True),
    ],
)
def test_what_differs_is_said_and_rows_count_only_while_nobody_writes(
    target: SqliteDatabase, copied: tuple[Path, Contents], sql: str, message: str, always: bool
) -> None:
    run(target.path, sql)
    with pytest.raises(CopyFailed, match=message):
        check(target, copied[1])
    if not always:
        check(target, copied[1], exact=False)


DAMAGES = {
    "no database": lambda data: b"not a database at all " * 400,
    "a damaged header": lambda data: b"\0" * 40 + data[40:],
    "damaged pages": lambda data: data[:4096] + b"\xff" * (len(data) - 4096),
    "a damaged schema": lambda data: data[:100] + b"\xff" * 3996 + data[4096:],
    "cut off": lambda data: data[:5000],
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("with_log", [False, True], ids=["", "beside a log of it"])
def test_a_copy_is_put_over_a_damaged_database_into_the_same_file(
    target: SqliteDatabase, copied: tuple[Path, Contents], damage: object, with_log: bool
) -> None:
    if with_log:  # as a service leaves it that was killed
        reader = sqlite3.connect(target.path)
        reader.execute("INSERT INTO notes VALUES (99)")
        reader.commit()
        log, index = (Path(f"{target.path}{suffix}").read_bytes() for suffix in ("-wal", "-shm"))
        reader.close()
        Path(f"{target.path}-wal").write_bytes(log)
        Path(f"{target.path}-shm").write_bytes(index)
    inode = target.path.stat().st_ino
    target.path.write_bytes(damage(target.path.read_bytes()))  # type: ignore[operator]
    SqliteCopies().put_back(copied[0], copied[1], target, 1)
    assert rows(target.path) == [(1,), (2,)]
    assert target.path.stat().st_ino == inode
    check(target, copied[1])


def test_a_damaged_database_that_somebody_holds_is_left_as_it_is(
    target: SqliteDatabase, copied: tuple[Path, Contents]
) -> None:
    target.path.write_bytes(b"not a database at all " * 400)
    child = os.fork()
    if child == 0:  # locks of one process do not stop each other: another one holds it
        descriptor = os.open(target.path, os.O_RDWR)
        fcntl.lockf(descriptor, fcntl.LOCK_SH, 510, 0x40000002)
        Path(f"{target.path}.held").touch()
        signal.pause()
        os._exit(0)
    try:
        while not Path(f"{target.path}.held").exists():
            time.sleep(0.01)
        with pytest.raises(CopyFailed, match="another program has kept it to itself"):
            SqliteCopies().put_back(copied[0], copied[1], target, 0.1)
        assert target.path.read_bytes().startswith(b"not a database")
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_a_damaged_database_cannot_be_copied_and_is_told_from_one_that_is_held(
    target: SqliteDatabase, tmp_path: Path
) -> None:
    target.path.write_bytes(b"not a database at all " * 400)
    with pytest.raises(Damaged, match="not an SQLite database"):
        SqliteCopies().copy(target, tmp_path / "b.db", 1, False, lambda done, total: None)
