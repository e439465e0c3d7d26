"""Killed at any moment while databases migrate and others write: each is at its old or its new version.

A real process brings 50 databases forward, some of them in WAL mode, beside two others that write all the
time, and is killed by SIGKILL. What it left is looked at; then it runs again to its end, and on to the next
version. A seeded part of that runs always, 200 kills with MCC_FULL=1 in the environment.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

KILLS = 200 if os.environ.get("MCC_FULL") else 20
DATABASES, NEW_ONES, WRITERS, SEED = 50, 3, 2, 50

THINGS = "id INTEGER PRIMARY KEY, who TEXT NOT NULL, number INTEGER NOT NULL, UNIQUE (who, number)"
FIRST = f"CREATE TABLE things ({THINGS}); CREATE INDEX things_who ON things (who);"

MIGRATE = """
import dataclasses, sys
from pathlib import Path
from mcc.cli.hands import RealHands
from mcc.core.layout import Site
from mcc.model.conf import Services
from mcc.model.database import How, SqliteDatabase
from mcc.steps.migrate import MigrateDatabases

base, folder, names = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
site = Site(base)
host = RealHands(lambda masker: lambda event: None).host(site, Services("none"))
targets = tuple(SqliteDatabase(name, site.database(name)) for name in names)
step = MigrateDatabases(folder, targets, How(), scratch=site.scratch)
print("begun", flush=True)
step.do(host, step.look(host))
print("done", flush=True)
"""

# As the specification's script does it: each statement and each row for itself.
ONE_BY_ONE = """
import sqlite3, sys
from pathlib import Path

base, folder, names = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
print("begun", flush=True)
for name in names:
    path = base / "domains" / name / "data.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, timeout=60)
    connection.execute("CREATE TABLE IF NOT EXISTS migrations (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL)")
    for file in sorted(folder.glob("*.sql")):
        if connection.execute("SELECT 1 FROM migrations WHERE name = ?", (file.stem,)).fetchone() is None:
            connection.executescript(file.read_text())
            connection.execute("INSERT INTO migrations (name) VALUES (?)", (file.stem,))
    connection.close()
print("done", flush=True)
"""

WRITE = """
import os, random, signal, sqlite3, sys, time
who, log, paths = sys.argv[1], os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), sys.argv[3:]
going = True
def end(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, end)
connections = [sqlite3.connect(path, isolation_level=None, timeout=60) for path in paths]
number, source = 0, random.Random(who)
while going:
    at = source.randrange(len(paths))
    connections[at].execute("BEGIN IMMEDIATE")
    connections[at].execute("INSERT INTO things (who, number) VALUES (?, ?)", (who, number))
    connections[at].execute("COMMIT")
    os.write(log, f"{at} {number}\\n".encode())  # only now: it is committed
    number += 1
    time.sleep(0.002)
"""


@dataclass
class Site:
    """50 databases with what has been written to them and what they have been migrated to."""

    base: Path
    names: list[str] = field(default_factory=lambda: [f"tenant{number:02}.example.com" for number in range(DATABASES)])
    version: int = 0
    took: float = 0.0
    names_so_far: list[str] = field(default_factory=list)
    program: str = MIGRATE

    @property
    def files(self) -> Path:
        return self.base / "migrations"

    def path(self, name: str) -> Path:
        return self.base / "domains" / name / "data.db"

    def log(self, who: str) -> Path:
        return self.base / f"{who}.log"

    def make(self) -> None:
        self.add_files("000_first", FIRST)
        self.migrate(self.names)
        for name in self.names[::2]:
            with opened(self.path(name)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")

    def add_files(self, name: str, sql: str) -> None:
        self.files.mkdir(exist_ok=True)
        self.names_so_far.append(name)
        (self.files / f"{name}.sql").write_text(sql)

    def next_version(self) -> None:
        """A table with rows, the one of the last version dropped, and the one that is written to made anew.

        Files of long ago are taken away, so that the last of many versions takes as long as the first.
        """
        self.version += 1
        number, last = f"{self.version:03}", f"{self.version - 1:03}"
        for old in self.files.glob(f"{self.version - 3:03}_[abc].sql"):
            old.unlink()
        make = f"CREATE TABLE t{number} (a, b); CREATE INDEX i{number} ON t{number} (a); DROP TABLE IF EXISTS t{last};"
        self.add_files(f"{number}_a", make)
        self.add_files(f"{number}_b", f"INSERT INTO t{number} SELECT id, who FROM things WHERE id % 7 = 0;")
        self.add_files(
            f"{number}_c",
            f"CREATE TABLE again ({THINGS}); INSERT INTO again SELECT * FROM things; DROP TABLE things; "
            "ALTER TABLE again RENAME TO things; CREATE INDEX things_who ON things (who);",
        )

    def begin(self, names: list[str]) -> subprocess.Popen[bytes]:
        """A process that has just begun to look at the databases."""
        words = [sys.executable, "-c", self.program, str(self.base), str(self.files), *names]
        # Without a buffer: a reader that is late would keep "done" in its own, out of communicate's sight.
        process = subprocess.Popen(words, bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        return process

    def migrate(self, names: list[str]) -> float:
        """Bring all forward undisturbed; the seconds that it took."""
        process = self.begin(names)
        begun = time.monotonic()
        output, errors = process.communicate(timeout=120)
        assert (process.returncode, output) == (0, b"done\n"), errors.decode()
        return time.monotonic() - begun

    @property
    def files_there(self) -> list[str]:
        return sorted(path.stem for path in self.files.iterdir())

    @property
    def old_names(self) -> list[str]:
        return [name for name in self.names_so_far if not name.startswith(f"{self.version:03}_")]


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as connection:
        yield connection


@contextlib.contextmanager
def writers(site: Site) -> Iterator[list[subprocess.Popen[bytes]]]:
    """They must live to the end: nothing that a migrator does or leaves may fail a write."""
    words = [sys.executable, "-c", WRITE]
    paths = [str(site.path(name)) for name in site.names]
    running = [
        subprocess.Popen([*words, f"writer{number}", str(site.log(f"writer{number}")), *paths], stderr=subprocess.PIPE)
        for number in range(WRITERS)
    ]
    try:
        yield running
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        ends = [(process.communicate(timeout=90)[1].decode(), process.returncode) for process in running]
    assert ends == [("", 0)] * WRITERS


def committed(site: Site) -> dict[str, set[tuple[str, int]]]:
    """The rows of which their writers were told that they are kept."""
    rows: dict[str, set[tuple[str, int]]] = {name: set() for name in site.names}
    for number in range(WRITERS):
        who = f"writer{number}"
        log = site.log(who)
        for line in log.read_text().splitlines() if log.exists() else ():
            at, row = line.split()
            rows[site.names[int(at)]].add((who, int(row)))
    return rows


def check_one(site: Site, name: str, expected: set[tuple[str, int]]) -> bool:
    """Whether the database is at its new version; it is whole in any case."""
    with opened(site.path(name)) as connection:
        connection.execute("BEGIN")  # what is read is read at one moment
        applied = [row[0] for row in connection.execute("SELECT name FROM migrations ORDER BY id")]
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        rows = set(connection.execute("SELECT who, number FROM things"))
        sound = connection.execute("PRAGMA integrity_check").fetchall()
    assert sound == [("ok",)], name
    assert not expected - rows, f"{name}: committed rows are missing"
    assert applied in (site.old_names, site.names_so_far), f"{name}: {applied[-4:]}"
    is_new = applied == site.names_so_far
    assert ({f"t{site.version:03}", f"i{site.version:03}"} <= tables) is is_new, f"{name}: rows and tables differ"
    assert "again" not in tables, name
    return is_new


def check_new_one(site: Site, name: str) -> None:
    """A tenant that has just come: its database is not there, has nothing, or has everything."""
    path = site.path(name)
    if not path.exists():
        return
    with opened(path) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], name
        if tables:
            applied = [row[0] for row in connection.execute("SELECT name FROM migrations ORDER BY id")]
            assert applied == site.files_there, name
            assert f"t{site.version:03}" in tables, name


def one_kill(site: Site, source: Random) -> int:
    """Kill it somewhere on its way, then let it end; how many databases were new when it was dead."""
    site.next_version()
    coming = [f"new{number}.example.com" for number in range(NEW_ONES)]
    process = site.begin([*site.names, *coming])
    time.sleep(source.uniform(0, site.took))
    process.kill()
    process.communicate()
    rows = committed(site)
    new = sum(check_one(site, name, rows[name]) for name in site.names)
    for name in coming:
        check_new_one(site, name)
    took = site.migrate([*site.names, *coming])
    if new == 0:
        site.took = took  # all of the work, as busy as the machine is now
    rows = committed(site)
    assert sum(check_one(site, name, rows[name]) for name in site.names) == DATABASES
    for name in coming:
        check_new_one(site, name)
        shutil.rmtree(site.path(name).parent)
    return new


def kill_often(site: Site) -> list[int]:
    site.next_version()
    site.took = site.migrate(site.names)
    source = Random(SEED)
    return [one_kill(site, source) for _ in range(KILLS)]


@pytest.mark.slow
def test_killed_at_any_moment_under_writers_every_database_is_old_or_new_and_no_row_is_lost(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.make()
    with writers(site):
        found = kill_often(site)
    rows = committed(site)
    assert all(rows[name] for name in site.names)
    mixed = sum(0 < new < DATABASES for new in found)
    print(
        f"{KILLS} kills: {found.count(0)} before the first database, {mixed} in the middle of them, "
        f"{found.count(DATABASES)} behind the last; {sum(map(len, rows.values()))} rows were written"
    )
    assert mixed >= KILLS // 4, "the moments were not in the middle of the work"


@pytest.mark.slow
def test_the_test_sees_files_that_are_not_one_transaction_with_their_rows(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.make()
    site.program = ONE_BY_ONE
    torn = (AssertionError, sqlite3.OperationalError)
    with pytest.raises(torn, match=r"tenant|already exists|no such table"):
        kill_often(site)
