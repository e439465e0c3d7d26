"""Migrations on a disk that is really full: a small tmpfs in a mount namespace of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from pathlib import Path
from mcc.cli.hands import RealHands
from mcc.core.layout import Site
from mcc.errors import MccError
from mcc.model.conf import Services
from mcc.model.database import How, SqliteDatabase
from mcc.steps.migrate import MigrateDatabases

base, folder, count, scratch = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
site = Site(base)
host = RealHands(lambda masker: lambda event: None).host(site, Services("none"))
names = [f"t{number}.example.com" for number in range(count)]
targets = tuple(SqliteDatabase(name, site.database(name)) for name in names)
step = MigrateDatabases(folder, targets, How(wait=1), scratch=site.scratch if scratch == "copies" else None)
try:
    step.do(host, step.look(host))
except MccError as error:
    print("failed:", error.message)
else:
    print("done")
for target in targets:
    if target.path.exists():
        rows = len(host.sqlite.look(target, step.how.tracking).applied)
        print(target.name, rows, sorted(path.name for path in target.path.parent.iterdir()))
print(sorted(path.name for path in base.iterdir()))
"""
FIRST = "CREATE TABLE notes (text);"
FILL = "INSERT INTO notes WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 900) "
FILL += "SELECT hex(zeroblob(1000)) FROM c;"


def may_mount() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    words = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not may_mount(), reason="only root can mount a small disk")


def run(tmp_path: Path, size: str, count: int, scratch: str, *texts: str) -> list[str]:
    """Bring databases forward, one file more at a time; what the last time said."""
    base, files = tmp_path / "site", tmp_path / "files"
    base.mkdir()
    files.mkdir()
    (tmp_path / "script.py").write_text(SCRIPT)
    steps = []
    for number, text in enumerate(texts, 1):
        (tmp_path / f"{number}.sql").write_text(text)
        steps.append(f"cp {tmp_path}/{number}.sql {files}")
        script = f"{sys.executable} {tmp_path}/script.py {base} {files} {count} {scratch}"
        steps.append(f"{script} > {tmp_path}/said 2> {tmp_path}/rest")
    shell = " && ".join([f"mount -t tmpfs -o size={size} tmpfs {base}", *steps])
    subprocess.run(["unshare", "-m", "sh", "-c", shell], check=True)
    return (tmp_path / "said").read_text().splitlines()


def test_a_file_that_needs_more_than_there_is_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    said = run(tmp_path, "1m", 1, "none", FIRST, FILL)
    assert said[0].startswith("failed: ")
    assert "t0.example.com/data.db: " in said[0]
    assert "2.sql: the disk is full" in said[0]
    assert said[1:] == ["t0.example.com 1 ['data.db']", "['domains']"]


def test_a_rehearsal_finds_it_before_any_database_is_touched(tmp_path: Path) -> None:
    said = run(tmp_path, "1m", 3, "copies", FIRST, FILL)
    assert said[0].startswith("failed: on a copy, before any database was touched: ")
    assert "the disk is full" in said[0]
    assert said[1:4] == [f"t{number}.example.com 1 ['data.db']" for number in range(3)]


def test_new_databases_that_do_not_fit_are_named_and_those_that_do_stay(tmp_path: Path) -> None:
    """A template does not fit twice; what is left of it is nothing."""
    said = run(tmp_path, "4m", 5, "copies", FIRST + FILL)
    assert said[0].startswith("failed: ")
    assert "of 5 databases could not be migrated" in said[0] or "the disk is full" in said[0]
    assert said[-1] in ("['.mcc', 'domains']", "['domains']")
    assert all(line.endswith(" 1 ['data.db']") for line in said[1:-1])
    assert said[1:-1], "some fit"
