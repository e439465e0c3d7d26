"""1,000 databases with nothing pending: what mcc takes to look through them, beside a bare Python loop.

The loop opens each database with Python's ``sqlite3``, reads the names in its table, and closes it. mcc
reads the files of migrations, opens each database so that nothing beside it is made or changed, compares
names and hashes, and says what is pending: all that a deploy does to plan its databases.
"""

from __future__ import annotations

import contextlib
import gc
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import _common as common
from _host import quiet_host

from mcc.core.conf.found_components import found_in
from mcc.deploy.databases import plan_databases
from mcc.deploy.request import read_request
from mcc.model.database import How, SqliteDatabase
from mcc.runs.databases import site_databases
from mcc.steps.migrate import MigrateDatabases

DATABASES, FILES = 1_000, 20
LIMIT = 1.5
LOOP, PLAN = "a bare loop", "mcc"
DOMAINS = tuple(f"tenant{number:04}.example.com" for number in range(DATABASES))


class Bench:
    def __init__(self, folder: Path) -> None:
        self.output, self.site = folder / "output", folder / "site"
        self.paths = [self.site / "domains" / domain / "data.db" for domain in DOMAINS]
        self.write_output()
        self.request = read_request(self.output, common.STAGE)
        self.host = quiet_host(self.request.site)
        self.make_databases()

    def write_output(self) -> None:
        migrations = self.output / "shared" / "db" / "scripts" / "migrations"
        migrations.mkdir(parents=True)
        (self.output / "api").mkdir()
        for number in range(FILES):
            text = f"CREATE TABLE t{number} (id INTEGER PRIMARY KEY, name TEXT);\n"
            text += f"CREATE INDEX i{number} ON t{number} (name);\n"
            (migrations / f"{number:03}_step.sql").write_text(text)
        (self.output / "config.yml").write_text(f"deploy:\n  {common.STAGE}:\n    parameters: {{conf: conf.yml}}\n")
        (self.output / "conf.yml").write_text(
            f"REMOTE_BASE: {self.site}\nSERVICE_MANAGER: none\nOWNERSHIP: none\nSMOKE_URLS: []\nDATABASE: sqlite\n"
            f"DOMAINS: [{', '.join(DOMAINS)}]\n"
        )

    def make_databases(self) -> None:
        """One by mcc, the others as copies of it."""
        folder = self.output / "shared" / "db" / "scripts" / "migrations"
        step = MigrateDatabases(folder, (SqliteDatabase(DOMAINS[0], self.paths[0]),), How())
        step.do(self.host, step.look(self.host))
        for path in self.paths[1:]:
            path.parent.mkdir(parents=True)
            shutil.copyfile(self.paths[0], path)
        common.settle(self.site)

    def loop(self) -> int:
        found = 0
        for path in self.paths:
            with contextlib.closing(sqlite3.connect(path)) as connection:
                found += len(connection.execute("SELECT name FROM migrations ORDER BY id").fetchall())
        return found

    def plan(self) -> int:
        components = found_in([path.name for path in self.output.iterdir() if path.is_dir()])
        site = site_databases(self.request.conf, self.request.site, self.host, "bench")
        planned = plan_databases(self.request, site, components)
        assert planned is not None
        assert not planned.pending_names
        return sum(len(each.found.applied) for each in planned.databases)


def timed(work: Callable[[], int]) -> common.Cost:
    gc.collect()
    begun, cpu = time.perf_counter(), time.process_time()
    assert work() == DATABASES * FILES
    return common.Cost(time.perf_counter() - begun, time.process_time() - cpu)


def main() -> None:
    options = common.options(str(__doc__), rounds=25)
    with common.work_folder(options.folder) as folder:
        bench = Bench(folder)
        sides = {LOOP: lambda: timed(bench.loop), PLAN: lambda: timed(bench.plan)}
        for side in sides.values():
            side()  # what is read for the first time comes from the disk
        found = common.interleaved(sides, options.rounds)
        what = f"{DATABASES} databases, {FILES} migrations each, {common.file_system(folder)}, {common.machine()}"
    rows = common.summary(found, LOOP)
    if options.json:
        common.print_json(what, rows)
        return
    print(f"{what}; SQLite {sqlite3.sqlite_version}; {options.rounds} interleaved rounds\n")
    common.show_summary(rows, LOOP, cpu=True)
    common.verdict_ratio("looking through them all", rows[PLAN].ratio, LIMIT)


if __name__ == "__main__":
    main()
