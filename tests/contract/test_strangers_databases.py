"""A database is never another one: not by a link of the service's, and not by one that is there for a moment only."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcc.core.migrating.files import read_one
from mcc.errors import StepError
from mcc.host.alembic import Alembic, Room, Tenant
from mcc.host.commands import RealCommands
from mcc.host.files import RealFiles
from mcc.host.sqlite.copies import SqliteCopies
from mcc.host.sqlite.damage import empty
from mcc.host.sqlite.journal import Journal
from mcc.host.sqlite.migrator import SqliteDatabases
from mcc.host.sqlite.place import identity, make, place_of
from mcc.host.sqlite.sharing import share_side_files
from mcc.model.database import How, SqliteDatabase, Tracking

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="links of another user need root")
STRANGER = 33
HOW = How(Tracking())
FILES = (read_one(b"CREATE TABLE planted (a);", "001_planted.sql", "migration"),)

Act = Callable[[Path], object]


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """``tenant/data.db`` in a folder of the service's, ``victim/data.db`` of another site, a copy to put back."""
    for name in ("tenant", "victim", "copies"):
        (tmp_path / name).mkdir()
    for name in ("tenant", "victim"):
        with contextlib.closing(sqlite3.connect(tmp_path / name / "data.db")) as connection:
            connection.execute(f"CREATE TABLE {name} (a)")
            connection.execute(f"INSERT INTO {name} VALUES ('{name}')")
            connection.commit()
    os.chown(tmp_path / "tenant", STRANGER, STRANGER)
    SqliteCopies().copy(database(tmp_path), tmp_path / "copies/whole.db", 5.0, False, lambda *_: None)
    return tmp_path


def database(top: Path) -> SqliteDatabase:
    return SqliteDatabase("tenant", top / "tenant/data.db")


def put_back(top: Path) -> None:
    copies = SqliteCopies()
    contents = copies.copy(
        SqliteDatabase("whole", top / "copies/whole.db"), top / "copies/again.db", 5.0, False, lambda *_: None
    )
    copies.put_back(top / "copies/again.db", contents, database(top), 1.0)


ACTS: dict[str, Act] = {
    "look": lambda top: SqliteDatabases().look(database(top), Tracking()),
    "migrate": lambda top: SqliteDatabases().migrate(database(top), FILES, HOW),
    "record": lambda top: SqliteDatabases().record(database(top), FILES, HOW),
    "copy": lambda top: SqliteCopies().copy(database(top), top / "copies/new.db", 1.0, False, lambda *_: None),
    "put back": put_back,
    "empty": lambda top: empty(str(top / "tenant/data.db"), top / "tenant/data.db", 1.0),
}


def plant(top: Path) -> None:
    """The tenant's folder becomes a link to the victim's, which the service makes."""
    (top / "tenant").rename(top / "aside")
    (top / "tenant").symlink_to("victim")
    os.lchown(top / "tenant", STRANGER, STRANGER)


def take_back(top: Path) -> None:
    (top / "tenant").unlink()
    (top / "aside").rename(top / "tenant")


def victim(top: Path) -> tuple[list[str], bytes]:
    return sorted(path.name for path in (top / "victim").iterdir()), (top / "victim/data.db").read_bytes()


@pytest.mark.parametrize("name", ACTS)
def test_a_folder_that_is_a_strangers_link_is_refused(top: Path, name: str) -> None:
    before = victim(top)
    plant(top)
    with pytest.raises(StepError, match="symbolic link"):
        ACTS[name](top)
    assert victim(top) == before


@pytest.mark.parametrize("name", sorted(set(ACTS) - {"empty"}))
def test_a_folder_that_is_a_link_just_while_sqlite_opens_it_is_noticed(
    top: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is what it was before and afterwards; what was opened is not used."""
    before, genuine = victim(top), sqlite3.connect

    def connect(where: str, /, *words: Any, **options: Any) -> sqlite3.Connection:
        if "/tenant/" not in str(where):
            return genuine(where, *words, **options)
        plant(top)
        try:
            connection = genuine(where, *words, **options)
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            take_back(top)
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect)
    with pytest.raises(StepError, match=r"moved or replaced|was changed under"):
        ACTS[name](top)
    monkeypatch.undo()
    assert victim(top) == before


def test_an_exchange_that_sqlite_itself_does_not_see_is_noticed(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the same path, another one: only what the process has open tells."""
    genuine = sqlite3.connect

    def connect(where: str, /, *words: Any, **options: Any) -> sqlite3.Connection:
        (top / "tenant").rename(top / "aside")
        (top / "victim").rename(top / "tenant")
        connection = genuine(where, *words, **options)
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (top / "tenant").rename(top / "victim")
        (top / "aside").rename(top / "tenant")
        return connection

    before = victim(top)
    monkeypatch.setattr(sqlite3, "connect", connect)
    for name in ("migrate", "record", "look"):
        with pytest.raises(StepError, match="moved or replaced"):
            ACTS[name](top)
    monkeypatch.undo()
    assert victim(top) == before


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_side_files_that_are_links_are_not_written_through(top: Path, suffix: str, mode: str) -> None:
    """SQLite opens them with O_NOFOLLOW; the migration fails, or does without."""
    with contextlib.closing(sqlite3.connect(top / "tenant/data.db")) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}").fetchone()
    before = victim(top)
    side = top / f"tenant/data.db{suffix}"
    side.symlink_to(top / "victim/data.db")
    os.lchown(side, STRANGER, STRANGER)
    with contextlib.suppress(StepError):
        ACTS["migrate"](top)
    share_side_files(str(top / "tenant/data.db"))
    assert victim(top) == before
    assert os.listxattr(top / "victim/data.db") == []


def test_what_is_made_is_not_made_behind_a_strangers_link(top: Path) -> None:
    """Folders and the file of a new tenant, when the folder above becomes a link before they are made."""
    place = place_of(top / "tenant/new/data.db")
    plant(top)
    before = victim(top)
    with pytest.raises(StepError, match="symbolic link"):
        make(place)
    assert victim(top) == before
    assert identity(str(top / "tenant/data.db")) is None


def test_a_journal_that_lies_elsewhere_is_noticed_and_taken_away(top: Path) -> None:
    """Left there it would be played into the database that it lies beside."""
    place, before = place_of(top / "tenant/data.db"), victim(top)
    connection = sqlite3.connect(place.uri("mode=rw"), uri=True, isolation_level=None)
    journal = Journal(connection, place)
    with contextlib.closing(connection):
        connection.execute("BEGIN IMMEDIATE")
        journal.open()
        assert journal.is_beside()
        plant(top)
        assert not journal.is_beside()
        connection.execute("ROLLBACK")
    assert (top / "aside/data.db-journal").stat().st_size  # SQLite looked for it at the path
    journal.clean()
    assert sorted(path.name for path in (top / "aside").iterdir()) == ["data.db"]
    take_back(top)
    assert victim(top) == before
    with contextlib.closing(sqlite3.connect(top / "tenant/data.db")) as again:
        assert again.execute("SELECT a FROM tenant").fetchall() == [("tenant",)]


@pytest.mark.parametrize("name", ["migrate", "record", "put back"])
def test_nothing_is_written_whose_journal_lies_elsewhere(
    top: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Journal, "is_beside", lambda _: False)
    with pytest.raises(StepError, match="moved or replaced"):
        ACTS[name](top)
    with contextlib.closing(sqlite3.connect(top / "tenant/data.db")) as again:
        assert again.execute("SELECT name FROM sqlite_master").fetchall() == [("tenant",)]
    assert sorted(path.name for path in (top / "tenant").iterdir()) == ["data.db"]


def test_who_exchanges_all_the_time_never_gets_another_database_changed(top: Path) -> None:
    """A real race, for some hundred tries. What may be left once in thousands is the beginning of a journal that
    was never synced: its first byte is 0, and SQLite plays no such thing (pager.c, hasHotJournal)."""
    before, stop = victim(top), threading.Event()
    link = top / "link"
    link.symlink_to("victim")
    os.lchown(link, STRANGER, STRANGER)

    def work() -> None:
        while not stop.is_set():
            RealFiles().exchange(top / "tenant", link)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(60):
            for name in ("migrate", "empty", "put back"):
                with contextlib.suppress(StepError):
                    ACTS[name](top)
    finally:
        stop.set()
        thread.join()
    journal = top / "victim/data.db-journal"
    assert not journal.exists() or journal.read_bytes()[:1] in (b"", b"\0")
    journal.unlink(missing_ok=True)
    assert victim(top) == before


def test_alembic_is_not_even_started_on_a_strangers_link(top: Path) -> None:
    """It opens the file itself, and would follow."""
    (top / "tenant/data.db").unlink()
    (top / "tenant/data.db").symlink_to(top / "victim/data.db")
    os.lchown(top / "tenant/data.db", STRANGER, STRANGER)
    room = Room(top / "room", top, top, top, (), ())
    alembic = Alembic(RealFiles(), RealCommands(), room)
    with pytest.raises(StepError, match="symbolic link of another user"):
        alembic.upgrade(Tenant("tenant", "sqlite:///x", file=top / "tenant/data.db"), lambda _: None)


def test_a_path_that_is_no_text_is_known_again(top: Path) -> None:
    folder = top / os.fsdecode(b"b\xfcro")
    (top / "tenant").rename(folder)
    there = SqliteDatabase("odd", folder / "data.db")
    assert SqliteDatabases().look(there, Tracking()).exists
    assert SqliteDatabases().migrate(there, FILES, HOW) == ("001_planted",)
