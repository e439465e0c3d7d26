"""``mcc clone``, ``mcc backup`` and ``mcc restore`` as a person runs them, on real databases."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postgres_cluster import Cluster

pytestmark = pytest.mark.slow

SCHEMA = """
PRAGMA journal_mode=WAL;
CREATE TABLE migrations (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, applied_at INTEGER);
INSERT INTO migrations (name) VALUES ('001_notes');
CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT);
INSERT INTO people (mail) VALUES ('one@example.com'), ('two@example.com');
"""
CONFIG = """\
deploy:
  prod: {parameters: {conf: conf-prod.yml}}
  dev: {parameters: {conf: conf-dev.yml}}
  clone-prod-to-dev: {}
  db-backup: {parameters: {conf: conf-prod.yml}}
  db-restore: {parameters: {conf: conf-prod.yml}}
"""


def mcc(folder: Path, *words: str, code: int = 0, env: dict[str, str] | None = None) -> str:
    """Run a command in an output folder; what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "mcc", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, **(env or {})},
    )
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def conf(folder: Path, name: str, *lines: str) -> Path:
    """Write a conf; the site's folder."""
    base = folder / "live" / name
    base.mkdir(parents=True, exist_ok=True)
    text = (f"REMOTE_BASE: {base}", f"STAGE: {name}", "OWNERSHIP: none", "SERVICE_MANAGER: none", *lines)
    (folder / "output" / f"conf-{name}.yml").write_text("\n".join(text) + "\n")
    return base


def run(path: Path, sql: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as connection:
        rows: list[Any] = []
        for statement in sql.split(";"):
            rows = connection.execute(statement).fetchall() or rows
        return rows


def mails(path: Path) -> list[str]:
    return [row[0] for row in run(path, "SELECT mail FROM people ORDER BY id")]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output folder with a production of two domains and a development of as many."""
    folder = tmp_path / "output"
    folder.mkdir()
    (folder / "config.yml").write_text(CONFIG)
    for name in ("prod", "dev"):
        base = conf(tmp_path, name, "DATABASE: sqlite", f"DOMAINS: [a.{name}.example, b.{name}.example]")
        for letter in "ab":
            path = base / "domains" / f"{letter}.{name}.example" / "data.db"
            path.parent.mkdir(parents=True)
            run(path, SCHEMA + f"INSERT INTO people (mail) VALUES ('{letter}@{name}.example')")
    return folder


def database(output: Path, site: str, letter: str = "a") -> Path:
    return output.parent / "live" / site / "domains" / f"{letter}.{site}.example" / "data.db"


@contextlib.contextmanager
def writing(path: Path) -> Iterator[list[int]]:
    """A service that goes on writing; the ids that it has committed."""
    done: list[int] = []
    stop = threading.Event()

    def work() -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as connection:
            while not stop.is_set():
                done.append(connection.execute("INSERT INTO people (mail) VALUES ('w') RETURNING id").fetchone()[0])
                time.sleep(0.001)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


def test_a_clone_while_the_source_is_written_to(output: Path) -> None:
    """The target is one moment of the source, with its own personal data hidden; nothing lies around."""
    (output / "clone.sql").write_text("UPDATE people SET mail = 'nobody-' || id;\n")
    source, target = database(output, "prod"), database(output, "dev")
    inode = target.stat().st_ino
    with writing(source) as written:
        said = mcc(output, "deploy", "--stage", "clone-prod-to-dev")
        assert written
    assert "cloned" in said
    found = mails(target)
    assert found == [f"nobody-{number}" for number in range(1, len(found) + 1)]
    assert 3 <= len(found) <= 3 + len(written)
    assert "one@example.com" in mails(source)
    assert len(mails(source)) == 3 + len(written)
    assert target.stat().st_ino == inode
    assert run(target, "PRAGMA integrity_check") == [("ok",)]
    assert sorted(path.name for path in source.parent.iterdir()) == ["data.db"]
    live = output.parent / "live"
    assert not list((live / "dev" / ".mcc" / "journal").iterdir())
    assert not (live / "prod" / ".mcc").exists()


def test_a_clone_can_be_taken_back_from_what_was_kept(output: Path) -> None:
    target = database(output, "dev")
    before = mails(target)
    mcc(output, "clone", "--stage", "clone-prod-to-dev")
    assert mails(target) != before
    (kept,) = (output.parent / "live" / "dev" / "backups" / "before").iterdir()
    assert "restored from" in mcc(output, "restore", "--stage", "dev", "--from", f"before/{kept.name}")
    assert mails(target) == before


def test_sql_that_fails_leaves_the_target_as_it_was(output: Path) -> None:
    (output / "clone.sql").write_text("UPDATE people SET mail = 'x';\nUPDATE nowhere SET mail = 'x';\n")
    before = mails(database(output, "dev"))
    said = mcc(output, "clone", "--stage", "clone-prod-to-dev", code=1)
    assert "clone.sql:2" in said
    assert "no such table: nowhere" in said
    assert "Traceback" not in said
    assert mails(database(output, "dev")) == before


def test_a_backup_is_restored_over_a_reader_and_a_stale_log(output: Path) -> None:
    """Inode and readers stay, and what was written since is kept in a set of its own."""
    path = database(output, "prod")
    mcc(output, "deploy", "--stage", "db-backup")
    inode, before = path.stat().st_ino, mails(path)
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("SELECT count(*) FROM people").fetchone()
    run(path, "DELETE FROM people; INSERT INTO people (mail) VALUES ('since')")
    plan = mcc(output, "restore", "--stage", "prod", "--plan")
    assert "nothing was changed" in plan
    assert mails(path) == ["since"]
    assert "is protected" in mcc(output, "deploy", "--stage", "db-restore", code=2)
    assert mails(path) == ["since"]
    mcc(output, "deploy", "--stage", "db-restore", "--param", "confirm=prod")
    assert mails(path) == before == [row[0] for row in reader.execute("SELECT mail FROM people ORDER BY id")]
    assert path.stat().st_ino == inode
    reader.close()


@pytest.mark.parametrize("page_size", [1024, 8192])
def test_a_backup_with_pages_of_another_size_is_restored(output: Path, page_size: int) -> None:
    path = database(output, "prod")
    mcc(output, "backup", "--stage", "prod")
    before = mails(path)
    path.unlink()
    run(path, f"PRAGMA page_size={page_size}; VACUUM; PRAGMA journal_mode=WAL; CREATE TABLE other (id INT)")
    mcc(output, "restore", "--stage", "prod", "--database", "a.prod.example")
    assert mails(path) == before


@pytest.mark.parametrize("damage", ["truncated", "flipped", "foreign", "a dump", "empty"])
def test_a_damaged_copy_is_one_clear_message_and_nothing_is_changed(output: Path, damage: str) -> None:
    path = database(output, "prod")
    mcc(output, "backup", "--stage", "prod")
    (made,) = (output.parent / "live" / "prod" / "backups" / "daily").iterdir()
    copy = made / "a.prod.example.db.gz"
    data = copy.read_bytes()
    run(path, "INSERT INTO people (mail) VALUES ('since')")
    before = mails(path)
    if damage == "flipped":
        data = data[:200] + bytes([data[200] ^ 4]) + data[201:]
    copy.write_bytes(
        {"truncated": data[:-9], "foreign": os.urandom(len(data)), "a dump": b"PGDMP" * 99, "empty": b""}.get(
            damage, data
        )
    )
    said = mcc(output, "restore", "--stage", "prod", code=1 if damage in ("flipped", "foreign") else 2)
    assert "a.prod.example.db.gz" in said
    assert "Traceback" not in said
    assert mails(path) == before
    assert not (output.parent / "live" / "prod" / "backups" / "before").exists()


@pytest.mark.parametrize("damage", [b"this is no database", b"", None])
def test_a_database_that_is_damaged_or_gone_is_restored(output: Path, damage: bytes | None) -> None:
    path = database(output, "prod")
    mcc(output, "backup", "--stage", "prod")
    before = mails(path)
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    mcc(output, "restore", "--stage", "prod")
    assert mails(path) == before
    if damage:
        (kept,) = (output.parent / "live" / "prod" / "backups" / "before").iterdir()
        assert (kept / "a.prod.example.db.raw").read_bytes() == damage


def test_a_damaged_file_behind_a_link_is_not_emptied_without_being_kept(output: Path) -> None:
    path = database(output, "prod")
    mcc(output, "backup", "--stage", "prod")
    real = output.parent / "elsewhere.db"
    path.unlink()
    path.symlink_to(real)
    real.write_bytes(b"this is no database")
    assert "it cannot be kept" in mcc(output, "restore", "--stage", "prod", code=1)
    assert real.read_bytes() == b"this is no database"


def test_a_writer_that_holds_the_database_is_waited_for_and_then_named(output: Path) -> None:
    path = database(output, "prod")
    mcc(output, "backup", "--stage", "prod")
    before = mails(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(2, lambda: None)
        timer.start()
        process = subprocess.Popen([sys.executable, "-m", "mcc", "restore", "--stage", "prod"], cwd=output)
        timer.join()
        assert process.poll() is None
        holder.execute("ROLLBACK")
        assert process.wait(60) == 0
    assert mails(path) == before


def test_lines_for_programs_say_the_same(output: Path) -> None:
    said = mcc(output, "clone", "--stage", "clone-prod-to-dev", "--format", "jsonl")
    events = [json.loads(line) for line in said.splitlines()]
    assert (events[0]["event"], events[0]["action"]) == ("run_started", "clone")
    assert events[-1]["event"] == "run_ended"
    assert (events[-1]["exit_code"], events[-1]["databases"], events[-1]["code"]) == (0, "cloned", "not touched")


def test_a_restore_that_is_killed_at_any_moment_is_before_or_after(output: Path) -> None:
    """With all of its processes, by SIGKILL; the next command puts things right, and no copy is harmed."""
    paths = [database(output, "prod", letter) for letter in "ab"]
    for path in paths:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.executemany("INSERT INTO people (mail) VALUES (?)", [("x" * 800,)] * 3000)
    mcc(output, "backup", "--stage", "prod")
    after = [mails(path) for path in paths]
    for path in paths:
        run(path, "DELETE FROM people WHERE id > 2; INSERT INTO people (mail) VALUES ('since')")
    before = [mails(path) for path in paths]
    assert before != after
    for number in range(12):
        words = [sys.executable, "-m", "mcc", "restore", "--stage", "prod", "--from", _first_set(output)]
        process = subprocess.Popen(words, cwd=output, start_new_session=True, stdout=subprocess.DEVNULL)
        time.sleep(0.35 + 0.06 * number)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        site = output.parent / "live" / "prod"
        if (site / ".mcc").exists():
            mcc(output, "recover", "--site", str(site))
        found = [mails(path) for path in paths]
        assert found in (before, after), number
        assert [run(path, "PRAGMA integrity_check") for path in paths] == [[("ok",)]] * 2
        if found == after:
            for path in paths:
                run(path, "DELETE FROM people WHERE id > 2; INSERT INTO people (mail) VALUES ('since')")
            before = [mails(path) for path in paths]
    mcc(output, "restore", "--stage", "prod", "--from", _first_set(output))
    assert [mails(path) for path in paths] == after


def _first_set(output: Path) -> str:
    (made,) = (output.parent / "live" / "prod" / "backups" / "daily").iterdir()
    return f"daily/{made.name}"


# ---- PostgreSQL


@pytest.fixture
def postgres_output(tmp_path: Path, postgres_cluster: Cluster) -> Iterator[tuple[Path, Cluster, str, str]]:
    """The same on PostgreSQL, with a role of its own for each site."""
    folder = tmp_path / "output"
    folder.mkdir()
    (folder / "config.yml").write_text(CONFIG)
    names = []
    for name in ("prod", "dev"):
        role = postgres_cluster.role(f"{name}_{tmp_path.name.lower()}", f"the word of {name}")
        made = postgres_cluster.new_database(owner=role)
        names.append(made)
        lines = (f"DB_HOST: {postgres_cluster.socket}", f"DB_PORT: {postgres_cluster.port}", f"DB_NAME: {made}")
        conf(tmp_path, name, "DATABASE: postgresql", *lines, f"DB_USER: {role}", f"DB_PASSWORD: the word of {name}")
        postgres_cluster.run(
            made,
            f'SET ROLE "{role}"; CREATE TABLE people (id serial PRIMARY KEY, mail text); '
            f"INSERT INTO people (mail) VALUES ('one@{name}'), ('two@{name}')",
        )
    yield folder, postgres_cluster, names[0], names[1]
    for name in names:
        postgres_cluster.drop_database(name)


def test_postgresql_is_cloned_with_sequences_and_owners(postgres_output: tuple[Path, Cluster, str, str]) -> None:
    output, cluster, prod, dev = postgres_output
    (output / "clone.sql").write_text("UPDATE people SET mail = 'nobody-' || id;\n")
    owner = cluster.run(dev, "SELECT tableowner FROM pg_tables WHERE tablename = 'people'")
    said = mcc(output, "clone", "--stage", "clone-prod-to-dev")
    assert "the word of" not in said
    assert cluster.run(dev, "SELECT mail FROM people ORDER BY id") == [("nobody-1",), ("nobody-2",)]
    assert cluster.run(dev, "SELECT nextval('people_id_seq')") == [(3,)]
    assert cluster.run(dev, "SELECT tableowner FROM pg_tables WHERE tablename = 'people'") == owner
    assert cluster.run(prod, "SELECT mail FROM people ORDER BY id") == [("one@prod",), ("two@prod",)]


def test_postgresql_is_restored_while_somebody_is_connected(postgres_output: tuple[Path, Cluster, str, str]) -> None:
    output, cluster, prod, _ = postgres_output
    mcc(output, "backup", "--stage", "prod")
    (owner,) = cluster.run(prod, "SELECT tableowner FROM pg_tables WHERE tablename = 'people'")[0]
    cluster.run(prod, f'SET ROLE "{owner}"; DELETE FROM people; CREATE TABLE since (id int)')
    with cluster.connect(prod) as watching:
        mcc(output, "restore", "--stage", "prod")
        assert watching.execute("SELECT mail FROM people ORDER BY id").fetchall() == [("one@prod",), ("two@prod",)]
    assert cluster.run(prod, "SELECT to_regclass('since')") == [(None,)]
    (kept,) = (output.parent / "live" / "prod" / "backups" / "before").iterdir()
    mcc(output, "restore", "--stage", "prod", "--from", f"before/{kept.name}")
    assert cluster.run(prod, "SELECT count(*) FROM people") == [(0,)]


def test_postgresql_without_a_schema_for_new_tables_is_kept_before_a_restore_too(
    postgres_output: tuple[Path, Cluster, str, str],
) -> None:
    output, cluster, prod, _ = postgres_output
    cluster.run(prod, "ALTER SCHEMA public RENAME TO app")
    mcc(output, "backup", "--stage", "prod")
    cluster.run(prod, "DELETE FROM app.people WHERE id = 1")
    mcc(output, "restore", "--stage", "prod")
    assert cluster.run(prod, "SELECT count(*) FROM app.people") == [(2,)]
    (kept,) = (output.parent / "live" / "prod" / "backups" / "before").iterdir()
    mcc(output, "restore", "--stage", "prod", "--from", f"before/{kept.name}")
    assert cluster.run(prod, "SELECT mail FROM app.people") == [("two@prod",)]


def test_one_postgresql_database_is_not_cloned_onto_itself(postgres_output: tuple[Path, Cluster, str, str]) -> None:
    output, cluster, prod, _ = postgres_output
    text = (output / "conf-dev.yml").read_text()
    prod_lines = (output / "conf-prod.yml").read_text().splitlines()
    keep = [line for line in text.splitlines() if not line.startswith("DB_")]
    same = [line for line in prod_lines if line.startswith("DB_")]
    (output / "conf-dev.yml").write_text("\n".join([*keep, *same]) + "\n")
    said = mcc(output, "clone", "--stage", "clone-prod-to-dev", code=2)
    assert "is the source's own database" in said
    assert cluster.run(prod, "SELECT count(*) FROM people") == [(2,)]


def test_nothing_is_left_in_the_file_of_what_the_sql_removed_or_production_had_removed(output: Path) -> None:
    """Free pages and the free parts of used ones still hold rows that are gone."""
    secret = "a-very-personal-address@example.com"
    people = ", ".join(f"('{secret}-{number}')" for number in range(2000))
    run(database(output, "prod"), f"INSERT INTO people (mail) VALUES {people}; DELETE FROM people WHERE id % 3 = 0")
    (output / "clone.sql").write_text("UPDATE people SET mail = 'x' WHERE mail LIKE 'a-very%';\n")
    mcc(output, "clone", "--stage", "clone-prod-to-dev")
    target = database(output, "dev")
    assert run(target, "PRAGMA journal_mode") == [("wal",)]
    run(target, "PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"a-very-personal" not in target.read_bytes()
    assert f"{secret}-7" in mails(database(output, "prod"))
