"""The deploy user migrates a database of the service's: what SQLite makes beside it must not lock the service out."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcc.core.migrating.files import read
from mcc.errors import MigrationFailed
from mcc.host.sqlite import writable as sqlite_writable
from mcc.host.sqlite.migrator import SqliteDatabases
from mcc.host.sqlite.run import _Run
from mcc.host.sqlite.sharing import share_side_files
from mcc.model.database import How, SqliteDatabase

SERVICE, DEPLOY = 33, 65534
MANY = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 5000) SELECT hex(zeroblob(500)) FROM c"
SQLITE3 = shutil.which("sqlite3")
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or SQLITE3 is None, reason="only root can be two users, with the sqlite3 command"
)


def as_service(database: Path) -> str:
    """What the service hears when it writes: nothing, if it may."""
    words = [str(SQLITE3), "-bail", str(database), "INSERT INTO notes VALUES (1)"]
    done = subprocess.run(
        words, user=SERVICE, group=SERVICE, extra_groups=[], capture_output=True, text=True, check=False
    )  # fmt: skip
    return done.stderr


@contextlib.contextmanager
def deploying() -> Iterator[None]:
    os.setegid(DEPLOY)
    os.seteuid(DEPLOY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture(params=["wal", "delete"])
def database(request: pytest.FixtureRequest) -> Iterator[Path]:
    """The service's, and the group of the deploy user may write."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        path = folder / "data.db"
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA journal_mode={request.param}")
            connection.execute("CREATE TABLE notes (x)")
        for each, mode in ((folder, 0o775), (path, 0o664)):
            os.chown(each, SERVICE, DEPLOY)
            each.chmod(mode)
        yield path


FILES = read({"1.sql": f"PRAGMA cache_size=1; INSERT INTO notes {MANY};".encode()})
"""More than fits into the memory, so that it is on disk before the commit."""


def migrate(database: Path) -> None:
    SqliteDatabases().migrate(SqliteDatabase("one", database), FILES, How(wait=1))


def test_the_service_is_kept_waiting_and_not_locked_out(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    tidy = _Run._tidy

    def ask(self: _Run, file: str) -> None:
        os.seteuid(0)
        said.append(as_service(database))
        os.seteuid(DEPLOY)
        tidy(self, file)

    monkeypatch.setattr(_Run, "_tidy", ask)
    with deploying():
        migrate(database)
    assert len(said) == 1
    assert "database is locked" in said[0]
    assert as_service(database) == ""


def test_the_service_goes_on_where_a_migrator_was_killed(database: Path) -> None:
    """It writes into the log, or rolls back the journal, that the dead one left."""
    pid = os.fork()
    if pid == 0:  # pragma: no cover - dies
        os.setegid(DEPLOY)
        os.seteuid(DEPLOY)
        _Run._tidy = lambda self, file: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
        migrate(database)
        os._exit(1)
    os.waitpid(pid, 0)
    left = {path.name: path.stat().st_uid for path in database.parent.iterdir() if path != database}
    assert left, "it did leave something"
    assert set(left.values()) == {DEPLOY}
    assert as_service(database) == ""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (1,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists() or not path.stat().st_size:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("database", ["wal"], indirect=True)
def test_a_service_of_another_group_is_waited_for(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its side files are not ours to write while it has them open; they go with its connection."""
    words = [str(SQLITE3), str(database)]
    with subprocess.Popen(words, user=SERVICE, group=SERVICE, extra_groups=[], stdin=subprocess.PIPE) as service:
        assert service.stdin
        service.stdin.write(b"INSERT INTO notes VALUES (1);\n")
        service.stdin.flush()
        wait_for(Path(f"{database}-wal"))
        monkeypatch.setattr(sqlite_writable, "_PATIENCE", 0)
        with deploying(), pytest.raises(MigrationFailed, match="readonly database"):
            migrate(database)
        monkeypatch.undo()
        monkeypatch.setattr(sqlite_writable.time, "sleep", lambda _: service.communicate())
        with deploying():
            migrate(database)
    assert as_service(database) == ""


def test_only_side_files_of_our_own_are_opened_up(tmp_path: Path) -> None:
    database, other = tmp_path / "data.db", tmp_path / "private"
    for path in (database, other):
        path.write_bytes(b"")
    os.chown(database, SERVICE, SERVICE)
    other.chmod(0o600)
    Path(f"{database}-wal").hardlink_to(other)
    Path(f"{database}-shm").symlink_to(other)
    share_side_files(str(database))
    share_side_files(str(tmp_path / "nothing"))
    assert other.stat().st_mode & 0o777 == 0o600
    assert "system.posix_acl_access" not in os.listxattr(other)


def test_a_list_that_the_folder_has_given_stays(tmp_path: Path) -> None:
    """OWNERSHIP: acl sets them up, for the service and for whoever else."""
    database, log = tmp_path / "data.db", tmp_path / "data.db-wal"
    for path in (database, log):
        path.write_bytes(b"")
    os.chown(database, SERVICE, SERVICE)
    share_side_files(str(database))
    given = os.getxattr(log, "system.posix_acl_access")
    assert given
    os.chown(database, DEPLOY, DEPLOY)
    share_side_files(str(database))
    assert os.getxattr(log, "system.posix_acl_access") == given
