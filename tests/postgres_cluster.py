"""A private PostgreSQL for tests: made, started and thrown away with the run.

``postgres_cluster`` is one server for all tests of a run, ``postgres`` a new and empty database on
it. Where PostgreSQL is not installed, tests that ask for one are skipped and say so.

The superuser ``postgres`` gets in over the socket without a password; so does every other role,
but for those made by :meth:`Cluster.role`, which need theirs (scram-sha-256). Over TCP all do.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mcc.model.database import PostgresDatabase

_MISSING = "PostgreSQL is not installed here (Debian: apt-get install postgresql postgresql-client)"
_HBA = """\
local all +needs_password scram-sha-256
local all all trust
host all all 127.0.0.1/32 scram-sha-256
"""
_SETTINGS = """\
fsync = off
synchronous_commit = off
full_page_writes = off
listen_addresses = '127.0.0.1'
unix_socket_permissions = 0777
max_connections = 60
shared_buffers = 32MB
dynamic_shared_memory_type = mmap
log_lock_waits = on
password_encryption = 'scram-sha-256'
"""
_EMPTY = """
SET lock_timeout = 5000;
DO $$ DECLARE name text; BEGIN
  PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend';
  FOR name IN SELECT nspname FROM pg_namespace
    WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%' LOOP
    EXECUTE format('DROP SCHEMA %I CASCADE', name);
  END LOOP;
  PERFORM lo_unlink(oid) FROM pg_largeobject_metadata;
END $$;
CREATE SCHEMA public;
GRANT ALL ON SCHEMA public TO public
"""
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, prctl(2)


def programs() -> Path | None:
    """The folder of initdb and postgres, of the newest version that is here."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if debian:
        return debian[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


@dataclass(frozen=True)
class Cluster:
    """A running server. ``socket`` is the folder of its socket: what a conf has as ``DB_HOST``."""

    socket: Path
    port: int
    programs: Path
    log: Path
    superuser: str = "postgres"
    idle: list[str] = field(default_factory=list)

    def target(self, database: str, schema: str | None = None, **more: Any) -> PostgresDatabase:
        """A database as mcc knows it, reached as the superuser unless ``user`` is given."""
        values: dict[str, Any] = {
            "name": schema or database,
            "database": database,
            "host": str(self.socket),
            "port": self.port,
            "user": self.superuser,
            "schema": schema,
        }
        return PostgresDatabase(**(values | more))

    def url(self, database: str, user: str = "", password: str = "", scheme: str = "postgresql") -> str:
        """DATABASE_URL over TCP if there is a password, else over the socket."""
        if password:
            return f"{scheme}://{user}:{password}@127.0.0.1:{self.port}/{database}"
        return f"{scheme}://{user or self.superuser}@/{database}?host={self.socket}&port={self.port}"

    def connect(self, database: str = "postgres", **more: Any) -> Any:
        """A psycopg connection in autocommit mode, for what a test does by itself; close it."""
        psycopg = pytest.importorskip("psycopg")
        values = {"user": self.superuser, "autocommit": True} | more
        return psycopg.connect(host=str(self.socket), port=self.port, dbname=database, **values)

    def run(self, database: str, sql: str) -> list[Any]:
        """Statements as the superuser; the rows of the last one."""
        with self.connect(database) as connection:
            cursor = connection.execute(sql.encode())
            while cursor.nextset():
                pass
            return list(cursor.fetchall()) if cursor.description else []

    def new_database(self, name: str = "", owner: str = "postgres") -> str:
        """Make an empty database; its name."""
        name = name or f"t_{uuid.uuid4().hex[:12]}"
        self.run("postgres", f'CREATE DATABASE "{name}" OWNER "{owner}"')
        return name

    def drop_database(self, name: str) -> None:
        """Take a database away, whoever is in it."""
        self.run("postgres", f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def role(self, name: str, password: str) -> str:
        """Make an ordinary role that needs its password, also over the socket; its name."""
        quoted = password.replace("'", "''")
        self.run("postgres", f"CREATE ROLE \"{name}\" LOGIN PASSWORD '{quoted}' IN ROLE needs_password")
        return name


@dataclass(frozen=True)
class Fresh:
    """A new and empty database on the cluster."""

    cluster: Cluster
    name: str
    _open: list[Any] = field(default_factory=list)

    def target(self, schema: str | None = None, **more: Any) -> PostgresDatabase:
        """This database as mcc knows it."""
        return self.cluster.target(more.pop("database", self.name), schema, **more)

    def run(self, sql: str) -> list[Any]:
        """Statements as the superuser; the rows of the last one."""
        return self.cluster.run(self.name, sql)

    def connect(self, **more: Any) -> Any:
        """A psycopg connection; closed when the test ends."""
        connection = self.cluster.connect(self.name, **more)
        self._open.append(connection)
        return connection

    def close(self) -> None:
        """Close what was opened, and empty the database for the next test: a new one costs ten times as much."""
        for connection in self._open:
            connection.close()
        psycopg = pytest.importorskip("psycopg")
        try:
            self.run(_EMPTY)
        except psycopg.Error:
            self.cluster.drop_database(self.name)
        else:
            self.cluster.idle.append(self.name)


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """One server for the whole run."""
    found = programs()
    if found is None:
        pytest.skip(_MISSING)
    # A socket's path has at most 107 bytes: not in pytest's own long folders.
    top = Path(tempfile.mkdtemp(prefix="mcc-pg-"))
    server: subprocess.Popen[bytes] | None = None
    try:
        cluster, server = _start(found, top)
        cluster.run("postgres", "CREATE ROLE needs_password")
        yield cluster
    finally:
        if server is not None:
            server.send_signal(signal.SIGQUIT)  # at once: nothing in it is kept
            server.wait(30)
        shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def postgres(postgres_cluster: Cluster) -> Iterator[Fresh]:
    """A database of the test's own."""
    idle = postgres_cluster.idle
    fresh = Fresh(postgres_cluster, idle.pop() if idle else postgres_cluster.new_database())
    yield fresh
    fresh.close()


def _start(found: Path, top: Path) -> tuple[Cluster, subprocess.Popen[bytes]]:
    who = _who(top)
    data, log, port = top / "data", top / "log", _free_port()
    words = [str(found / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
    made = subprocess.run([*words, "--locale=C.UTF-8"], capture_output=True, text=True, cwd=top, **who)
    assert made.returncode == 0, made.stdout + made.stderr
    (data / "pg_hba.conf").write_text(_HBA)
    with (data / "postgresql.conf").open("a") as file:
        file.write(_SETTINGS + f"port = {port}\nunix_socket_directories = '{top}'\n")
    with log.open("wb") as output:
        server = subprocess.Popen(
            [str(found / "postgres"), "-D", str(data)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=top, preexec_fn=_end_with_us, **who,  # noqa: PLW1509
        )  # fmt: skip
    _wait(found, top, port, server, log)
    return Cluster(top, port, found, log), server


def _who(top: Path) -> dict[str, Any]:
    """PostgreSQL does not run as root: then it is another user's."""
    if os.geteuid() != 0:
        return {}
    users = {user.pw_name: user for user in pwd.getpwall()}
    user = users.get("postgres") or users["nobody"]
    os.chown(top, user.pw_uid, user.pw_gid)
    top.chmod(0o755)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _end_with_us() -> None:
    """A run of tests that is killed leaves no server behind."""
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGQUIT)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wait(found: Path, top: Path, port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    ask = [str(found / "pg_isready"), "-q", "-h", str(top), "-p", str(port)]
    deadline = time.monotonic() + 60
    while subprocess.run(ask).returncode != 0:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
