"""200 SQLite databases and 20 small migrations: mcc beside the specification's own way.

The specification runs the ``sqlite3`` command for each question, file and row; its functions are taken
from examples/from-the-specification as they are. mcc is timed twice: the step that a deploy runs, in this
process, and ``mcc migrate --apply`` as a whole command on a site that mcc knows: the start of Python, the
lock, the journal and the exit are in its time. First the databases have had one migration and have rows,
then all are new, then all have everything already.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import _common as common
from _host import quiet_host

from mcc.core.layout import Site
from mcc.model.database import How, SqliteDatabase
from mcc.steps.migrate import MigrateDatabases

DATABASES, FILES = 200, 20
FILLED, NEW, AGAIN = "databases with rows", "new databases", "everything is there already"
LEAST = {FILLED: 40, NEW: 40, AGAIN: 150}  # times faster
AIM = {FILLED: 70, NEW: 70, AGAIN: 250}
FIRST, FIRST_SQL = "000_first", "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, mail TEXT);"
SCRIPT = common.PROJECT / "examples" / "from-the-specification" / "mcc_deploy.py"
SPECIFICATION, STEP, COMMAND = "the specification's way", "mcc, the step of a deploy", "mcc migrate --apply"
DOMAINS = tuple(f"tenant{number:03}.example.com" for number in range(DATABASES))


class Bench:
    """A site for each side; all get the same files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = folder / "output" / "shared" / "db" / "scripts" / "migrations"
        write_migrations(self.files)
        self.filled = folder / "filled.db"
        fill(self.filled)
        self.script = load_script()
        self.sites = {side: folder / f"site-{number}" for number, side in enumerate((SPECIFICATION, STEP, COMMAND))}
        write_conf(folder / "output", self.sites[COMMAND])

    def sides(self, before: str) -> dict[str, Callable[[], common.Cost]]:
        """``before``: what there is each time: databases that are FILLED, none (NEW), or AGAIN those of the last."""
        (self.files / f"{FIRST}.sql").unlink(missing_ok=True)
        if before == FILLED:
            (self.files / f"{FIRST}.sql").write_text(FIRST_SQL)
        work = {SPECIFICATION: self.by_script, STEP: self.by_step, COMMAND: self.by_command}
        return {side: lambda side=side: self.timed(side, work[side], before) for side in work}

    def timed(self, side: str, work: Callable[[Path], common.Cost], before: str) -> common.Cost:
        site = self.sites[side]
        if before != AGAIN:
            shutil.rmtree(site / "domains", ignore_errors=True)
            for domain in DOMAINS:
                (site / "domains" / domain).mkdir(parents=True)
                if before == FILLED:
                    shutil.copyfile(self.filled, site / "domains" / domain / "data.db")
        common.settle(self.folder)
        cost = work(site)
        check(site)
        return cost

    def by_script(self, site: Path) -> common.Cost:
        release = self.folder / "output"
        with clock() as costs, contextlib.redirect_stdout(io.StringIO()):
            self.script.run_migrations(site, release, list(DOMAINS))
        return costs[0]

    def by_step(self, site: Path) -> common.Cost:
        host = quiet_host(Site(site))
        with clock() as costs:
            targets = tuple(SqliteDatabase(domain, Site(site).database(domain)) for domain in DOMAINS)
            step = MigrateDatabases(self.files, targets, How(), scratch=Site(site).scratch)
            step.do(host, step.look(host))
        return costs[0]

    def by_command(self, _site: Path) -> common.Cost:
        words = [common.MCC, "migrate", "--stage", common.STAGE, "--apply", "--format", "jsonl"]
        return common.must(words, self.folder / "output").cost


def write_migrations(folder: Path) -> None:
    """A table, columns, indexes and a few rows, as small ones are."""
    folder.mkdir(parents=True)
    for number in range(FILES):
        text = f"-- step {number}\nCREATE TABLE t{number} (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n"
        text += f"CREATE INDEX t{number}_name ON t{number} (name);\n"
        if number:
            text += f"ALTER TABLE t{number - 1} ADD COLUMN note{number} TEXT DEFAULT '';\n"
        text += f"INSERT INTO t{number} (name) VALUES ('one'), ('two');\n"
        (folder / f"{number + 1:03}_step.sql").write_text(text)


def fill(path: Path) -> None:
    """A database as the specification's script left it: one migration, some rows."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE migrations (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, "
            "applied_at INTEGER DEFAULT (strftime('%s', 'now')))"
        )
        connection.execute(FIRST_SQL)
        connection.execute("INSERT INTO migrations (name) VALUES (?)", (FIRST,))
        people = [(f"name {number}", f"{number}@example.com") for number in range(1_000)]
        connection.executemany("INSERT INTO people (name, mail) VALUES (?, ?)", people)


def write_conf(output: Path, base: Path) -> None:
    (output / "config.yml").write_text(f"deploy:\n  {common.STAGE}:\n    parameters: {{conf: conf.yml}}\n")
    (output / "conf.yml").write_text(
        f"REMOTE_BASE: {base}\nSERVICE_MANAGER: none\nOWNERSHIP: none\nSMOKE_URLS: []\nDATABASE: sqlite\n"
        f"DOMAINS: [{', '.join(DOMAINS)}]\n"
    )


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("specification", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def clock() -> Iterator[list[common.Cost]]:
    """The cost of a block by this process and all that it waited for."""
    costs: list[common.Cost] = []
    begun, before = time.perf_counter(), sum(os.times()[:4])
    yield costs
    costs.append(common.Cost(time.perf_counter() - begun, sum(os.times()[:4]) - before))


def check(site: Path) -> None:
    """A benchmark of something that was not done would say nothing."""
    for domain in DOMAINS:
        path = site / "domains" / domain / "data.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            rows, tables = (
                connection.execute(question).fetchone()[0]
                for question in ("SELECT count(*) FROM migrations", f"SELECT count(*) FROM t{FILES - 1}")
            )
        assert rows >= FILES, f"{path}: {rows} rows of {FILES}"
        assert tables == 2, path


def main() -> None:
    options = common.options(str(__doc__), rounds=3)
    if shutil.which("sqlite3") is None:
        raise SystemExit(print("the sqlite3 command is not installed: scripts/test-deps installs it") or 0)
    with common.work_folder(options.folder) as folder:
        bench = Bench(folder)
        bench.sides(NEW)[COMMAND]()  # mcc brings its own tool along to a site that it does not know
        found = {before: common.interleaved(bench.sides(before), options.rounds) for before in LEAST}
        what = f"{DATABASES} databases, {FILES} files, {common.file_system(folder)}, {common.machine()}"
    if options.json:
        for before, costs in found.items():
            common.print_json(f"{before}; {what}", common.summary(costs, SPECIFICATION))
        return
    print(f"{what}; SQLite {sqlite3.sqlite_version}; {options.rounds} interleaved rounds\n")
    for before, costs in found.items():
        show(before, costs)


def show(before: str, costs: dict[str, list[common.Cost]]) -> None:
    print(f"{before}:\n")
    rows = common.summary(costs, SPECIFICATION)
    common.show_speeds(rows, SPECIFICATION)
    common.verdict_faster(f"{STEP}, {before}", 1 / rows[STEP].ratio, LEAST[before], AIM[before])


if __name__ == "__main__":
    main()
