"""Copies of PostgreSQL databases, by the real pg_dump and a real server."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from mcc.core.pgpass import pgpass
from mcc.errors import CopyFailed
from mcc.host.commands import RealCommands
from mcc.host.postgres.copies import PostgresCopies
from mcc.model.database import Contents, PostgresDatabase
from postgres_cluster import Fresh

TABLES = """
    CREATE TABLE {0}notes (id serial PRIMARY KEY, text text);
    CREATE TABLE {0}"odd ""Name" (x int);
    CREATE TABLE {0}empty (x int);
    CREATE TABLE {0}migrations (id serial PRIMARY KEY, name text UNIQUE NOT NULL, applied_at timestamptz DEFAULT now());
    INSERT INTO {0}notes (text) SELECT 'note ' || n || E'\\n\\\\.\\n' FROM generate_series(1, 500) n;
    INSERT INTO {0}"odd ""Name" VALUES (1), (2);
    INSERT INTO {0}migrations (name) VALUES ('001_one');
"""


def nothing(done: int, total: int) -> None:
    pass


def copies() -> PostgresCopies:
    return PostgresCopies(RealCommands())


def copy(target: PostgresDatabase, place: Path, compress: bool = True) -> Contents:
    return copies().copy(target, place, 5.0, compress, nothing)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "app.dump"


def test_a_dump_says_what_is_in_it_and_is_good(postgres: Fresh, place: Path) -> None:
    postgres.run(TABLES.format(""))
    contents = copy(postgres.target(), place)
    assert contents.rows == {
        "public.notes": 500, 'public.odd "Name': 2, "public.empty": 0, "public.migrations": 1,
    }  # fmt: skip
    assert contents.migrations == ("001_one",)
    assert contents.size == place.stat().st_size
    assert contents.plain_size > 8192
    assert contents.server
    assert (place.stat().st_mode & 0o777, [path.name for path in place.parent.iterdir()]) == (0o600, ["app.dump"])
    copies().verify(place, contents)


def test_a_schema_is_copied_alone_whatever_its_name(postgres: Fresh, place: Path) -> None:
    for name in ("tenant-One*", "tenant"):
        postgres.run(f'CREATE SCHEMA "{name}"')
        postgres.run(TABLES.format(f'"{name}".'))
    contents = copy(postgres.target("tenant-One*"), place)
    assert {table.rpartition(".")[0] for table in contents.rows} == {"tenant-One*"}
    assert contents.migrations == ("001_one",)
    copies().verify(place, contents)


def test_dump_and_manifest_agree_while_others_write(postgres: Fresh, place: Path) -> None:
    """Rows are counted in the very snapshot that is dumped."""
    postgres.run(TABLES.format(""))
    stop, connection = threading.Event(), postgres.connect()

    def write() -> None:
        while not stop.is_set():
            connection.execute("INSERT INTO notes (text) VALUES ('meanwhile')")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            path = place.with_name(f"{number}.dump")
            copies().verify(path, copy(postgres.target(), path))
    finally:
        stop.set()
        writer.join()


def test_a_limit_that_the_role_has_for_idle_transactions_does_not_end_the_copy(postgres: Fresh, place: Path) -> None:
    """One connection keeps the snapshot, and waits for pg_dump."""
    postgres.run(TABLES.format(""))
    target = postgres.target(options=(("options", "-c idle_in_transaction_session_timeout=1"),))
    copies().verify(place, copy(target, place))


def test_a_password_comes_from_its_file_and_is_in_no_argument(postgres: Fresh, place: Path, tmp_path: Path) -> None:
    secret = r"pa:ss\word"
    role = postgres.cluster.role(f"r_{postgres.name}", secret)
    postgres.run(f'CREATE TABLE notes (x int); ALTER TABLE notes OWNER TO "{role}"')
    file = tmp_path / "pgpass"
    file.write_text(pgpass(secret))
    file.chmod(0o600)
    target = postgres.target(user=role, password_file=file)
    seen: list[str] = []

    class Watched(RealCommands):
        def run(self, words, **more):  # type: ignore[no-untyped-def]
            seen.extend(words)
            return super().run(words, **more)

    contents = PostgresCopies(Watched()).copy(target, place, 5.0, True, nothing)
    assert contents.rows == {"public.notes": 0}
    assert seen
    assert not any("pa:ss" in word for word in seen)


def test_a_database_that_is_not_there_leaves_no_file(postgres: Fresh, place: Path) -> None:
    with pytest.raises(CopyFailed, match="no_such_database"):
        copy(replace(postgres.target(), name="no_such_database", database="no_such_database"), place)
    with pytest.raises(CopyFailed, match="has no schema nowhere"):
        copy(postgres.target("nowhere"), place)
    assert not place.exists()


def test_a_table_that_may_not_be_read_leaves_no_file(postgres: Fresh, place: Path) -> None:
    postgres.run(TABLES.format(""))
    role = f"nobody_{postgres.name}"
    postgres.run(f'CREATE ROLE "{role}" LOGIN')
    with pytest.raises(CopyFailed, match="permission denied"):
        copy(postgres.target(user=role), place)
    assert not place.exists()


@pytest.mark.slow
def test_a_table_that_is_locked_for_good_ends_the_copy(postgres: Fresh, place: Path) -> None:
    postgres.run("CREATE TABLE notes (x int)")
    holder = postgres.connect(autocommit=False)
    holder.execute("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE")
    with pytest.raises(CopyFailed, match="lock"):
        copies().copy(postgres.target(), place, 0.2, True, nothing)
    assert not place.exists()


@pytest.mark.parametrize("spoil", ["truncated", "flipped", "foreign", "empty"])
def test_a_dump_that_is_not_whole_is_found_even_where_its_hash_is_believed(
    postgres: Fresh, place: Path, spoil: str
) -> None:
    """pg_restore --list would accept the first two."""
    postgres.run(TABLES.format(""))
    contents = copy(postgres.target(), place)
    data = bytearray(place.read_bytes())
    if spoil == "truncated":
        data = data[: len(data) * 2 // 3]
    elif spoil == "flipped":
        data[len(data) - 200] ^= 4
    else:
        data = bytearray(b"-- a plain file of SQL\n" if spoil == "foreign" else b"")
    place.write_bytes(data)
    with pytest.raises(CopyFailed, match="not what was written"):
        copies().verify(place, contents)
    import hashlib

    believed = replace(contents, sha256=hashlib.sha256(bytes(data)).hexdigest())
    with pytest.raises(CopyFailed, match=r"damaged|rows in"):
        copies().verify(place, believed)


def test_rows_that_a_dump_has_not_are_missed(postgres: Fresh, place: Path) -> None:
    postgres.run(TABLES.format(""))
    contents = copy(postgres.target(), place, compress=False)
    wrong = replace(contents, rows={**contents.rows, "public.notes": 501})
    with pytest.raises(CopyFailed, match=r"has 500 rows in public\.notes, its manifest says 501"):
        copies().verify(place, wrong)


def test_what_is_put_back_is_what_was_copied(postgres: Fresh, place: Path) -> None:
    postgres.run(TABLES.format(""))
    contents = copy(postgres.target(), place)
    postgres.run("DROP TABLE empty; CREATE TABLE later (x int); DELETE FROM notes; ALTER TABLE notes ADD more int")
    for _ in range(2):
        copies().put_back(place, contents, postgres.target(), 5.0)
    again = place.with_name("again.dump")
    assert copy(postgres.target(), again).rows == contents.rows


def test_client_programs_that_are_missing_are_named(
    postgres: Fresh, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CopyFailed, match="pg_dump cannot be started") as caught:
        copy(postgres.target(), place)
    assert "postgresql-client" in caught.value.help
    assert not place.exists()
