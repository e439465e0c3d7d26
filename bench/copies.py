"""A copy of a 1 GB SQLite database in WAL mode, beside ``sqlite3 .backup``; then the same under two writers.

Without compression and without reading back. "mcc, the pages" is the copy itself, on the disk when it
ends; "mcc, with hash and rows" also counts the rows and hashes the file for the manifest, which is the
beginning of its verification. Both sides read a database that a service has open.

Under writers each of two processes commits a row every 10 milliseconds (synchronous=FULL) and notes how
long its longest transaction took, from BEGIN IMMEDIATE to COMMIT; first with nobody copying. A command
that has not ended after some minutes is ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import _common as common

from mcc.host.sqlite.copies import SqliteCopies, _Copy
from mcc.model.database import SqliteDatabase, Tracking

SIZE = 1_000_000_000
LIMIT = 1.2  # times sqlite3 .backup
WAIT = 100.0  # milliseconds
DEADLINE = 60.0  # seconds
WRITERS = 2
GIVEN_UP = 120.0  # seconds after which sqlite3 .backup is ended
COMMAND, PAGES, WHOLE = "sqlite3 .backup", "mcc, the pages", "mcc, with hash and rows"
ALONE = "nobody copies"

WRITER = """
import json, random, signal, sqlite3, sys, time
going = True
def end(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, end)
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=600)
connection.execute("PRAGMA synchronous=FULL")
waits, number = [], 0
print("ready", flush=True)
while going:
    begun = time.perf_counter()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO written (who, number, text) VALUES (?, ?, ?)", (sys.argv[2], number, "x" * 200))
    connection.execute("COMMIT")
    waits.append(time.perf_counter() - begun)
    number += 1
    time.sleep(random.uniform(0.005, 0.015))
print(json.dumps(sorted(waits)))
"""


def make_database(path: Path, size: int) -> None:
    """Rows of half a kilobyte that do not compress, with an index, as a service leaves them."""
    source = random.Random(1)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT, data BLOB)")
        connection.execute("CREATE TABLE written (id INTEGER PRIMARY KEY, who TEXT, number INTEGER, text TEXT)")
        while path.stat().st_size < size:
            rows = [(f"{source.getrandbits(64):x}", source.randbytes(470)) for _ in range(20_000)]
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO things (name, data) VALUES (?, ?)", rows)
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("CREATE INDEX things_name ON things (name)")


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database, self.target = folder / "data.db", folder / "copy.db"
        make_database(self.database, SIZE)
        # A service that is at rest: -wal and -shm are there.
        self.service = sqlite3.connect(self.database)
        self.service.execute("SELECT count(*) FROM things").fetchone()

    def sides(self) -> dict[str, Callable[[], common.Cost]]:
        return {
            COMMAND: lambda: self.timed(self.command),
            PAGES: lambda: self.timed(lambda: self.mcc(pages=True)),
            WHOLE: lambda: self.timed(self.mcc),
        }

    def timed(self, copy: Callable[[], common.Cost]) -> common.Cost:
        self.target.unlink(missing_ok=True)
        common.settle(self.folder)
        return copy()

    def command(self) -> common.Cost:
        return common.must(["sqlite3", self.database, f".backup {self.target}"]).cost

    def mcc(self, pages: bool = False) -> common.Cost:
        words: list[str | Path] = [sys.executable, __file__, "--copy", self.database, self.target]
        ran = common.must([*words, *(["--pages"] if pages else [])])
        return common.Cost(float(ran.output), ran.cost.cpu)

    def check(self) -> None:
        with contextlib.closing(sqlite3.connect(self.target)) as connection:
            assert connection.execute("PRAGMA quick_check").fetchone()[0] == "ok"


@dataclass(frozen=True, slots=True)
class Written:
    """What the writers saw, in milliseconds; ``seconds`` None: the copy did not end."""

    seconds: float | None
    commits: int
    median: float
    late: float
    longest: float


@contextlib.contextmanager
def writers(database: Path) -> Iterator[list[list[float]]]:
    """Two that write as long as the block lasts; afterwards how long each of their transactions took."""
    found: list[list[float]] = []
    words = [sys.executable, "-c", WRITER, str(database)]
    running = [subprocess.Popen([*words, str(number)], stdout=subprocess.PIPE, text=True) for number in range(WRITERS)]
    for process in running:
        assert process.stdout is not None
        process.stdout.readline()
    try:
        yield found
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        found += [json.loads(process.communicate()[0]) for process in running]


def under_writers(bench: Bench, copy: Callable[[], float | None]) -> Written:
    bench.target.unlink(missing_ok=True)
    common.settle(bench.folder)
    with writers(bench.database) as found:
        time.sleep(0.5)
        seconds = copy()
    waits = sorted(wait * 1000 for each in found for wait in each)
    at = waits[int(len(waits) * 0.999)]
    return Written(seconds, len(waits), statistics.median(waits), at, waits[-1])


def pause(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def give_up(bench: Bench, limit: float) -> float | None:
    """The seconds that the command takes, or None if it is not done in time."""
    begun = time.perf_counter()
    words = ["sqlite3", str(bench.database), f".backup {bench.target}"]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            return None
    return time.perf_counter() - begun if process.returncode == 0 else None


def copy_here(database: Path, target: Path, pages: bool) -> float:
    """Copy in this process, which is a new one; the seconds without Python's start."""
    begun = time.perf_counter()
    if pages:
        _Copy(database, target, DEADLINE, nothing, Tracking())._pages(target)
    else:
        SqliteCopies().copy(SqliteDatabase("data.db", database), target, DEADLINE, False, nothing)
    return time.perf_counter() - begun


def nothing(_done: int, _total: int) -> None:
    return None


def main() -> None:
    if "--copy" in sys.argv:
        at = sys.argv.index("--copy")
        print(copy_here(Path(sys.argv[at + 1]), Path(sys.argv[at + 2]), "--pages" in sys.argv))
        return
    options = common.options(str(__doc__), rounds=5)
    if shutil.which("sqlite3") is None:
        raise SystemExit(print("the sqlite3 command is not installed: scripts/test-deps installs it") or 0)
    with common.work_folder(options.folder) as folder:
        bench = Bench(folder)
        found = common.interleaved(bench.sides(), options.rounds)
        bench.check()
        size = os.path.getsize(bench.database)
        written = [(ALONE, under_writers(bench, lambda: pause(10)))]
        for number in range(options.rounds):
            written.append((f"{WHOLE}, {number + 1}", under_writers(bench, lambda: bench.mcc().wall)))
            bench.check()
        written.append((ALONE, under_writers(bench, lambda: pause(10))))
        written.append((COMMAND, under_writers(bench, lambda: give_up(bench, GIVEN_UP))))
        what = f"{size / 1e9:.2f} GB, WAL, {common.file_system(folder)}, {common.machine()}"
    show(found, written, f"{what}; SQLite {sqlite3.sqlite_version}; {options.rounds} interleaved rounds", options.json)


def show(found: dict[str, list[common.Cost]], written: list[tuple[str, Written]], what: str, as_json: bool) -> None:
    rows = common.summary(found, COMMAND)
    if as_json:
        under = [
            {"side": side, "milliseconds": [w.median, w.late, w.longest], "took": w.seconds} for side, w in written
        ]
        common.print_json(what, rows, under_writers=under)
        return
    print(f"{what}\n\nwithout writers:\n")
    common.show_summary(rows, COMMAND, cpu=True)
    for side in (PAGES, WHOLE):
        common.verdict_ratio(f"{side}, against {COMMAND}", rows[side].ratio, LIMIT)
    print(f"under {WRITERS} writers:\n")
    head = ["", "copy s", "commits", "median ms", "99.9 % ms", "longest ms"]
    common.table(head, [[side, *cells(w)] for side, w in written])
    longest = max(w.longest for side, w in written if side.startswith(WHOLE))
    common.verdict("the longest wait of a writer while mcc copies", longest, WAIT, "ms")


def cells(written: Written) -> list[str]:
    took = f"not in {GIVEN_UP:.0f}" if written.seconds is None else f"{written.seconds:.1f}"
    return [took, f"{written.commits}", *(f"{value:.1f}" for value in (written.median, written.late, written.longest))]


if __name__ == "__main__":
    main()
