"""PostgreSQL databases copied by pg_dump, read back by pg_restore, and put back.

The rows of the manifest and the dump come from one snapshot (``pg_dump --snapshot``), so that they agree
however much is written meanwhile. No pipe of a shell is used: it would hide that pg_dump failed.
https://www.postgresql.org/docs/current/app-pgdump.html
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from mcc.core.databases import url_of
from mcc.errors import CommandFailed, CopyFailed, MigrationFailed
from mcc.host.copies.files import discard, forget, hash_of, new_file, settle
from mcc.host.ports import Commands, Completed
from mcc.host.postgres.replace import PostgresReplacer
from mcc.host.postgres.session import Session, opened, quoted
from mcc.host.postgres.tracking import found_in
from mcc.model.database import Contents, PostgresDatabase, Tracking

Progress = Callable[[int, int], None]

_LIMIT = 12 * 3600.0
# What pg_dump writes rows of: tables of our own, not those that an extension makes again.
_TABLES = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%%'
  AND (%s::text IS NULL OR n.nspname = %s::text)
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
                  AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2
"""
_SIZE = """
SELECT coalesce(sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::bigint FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm')
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%%' AND (%s::text IS NULL OR n.nspname = %s::text)
"""
_NAME = rb'("(?:[^"]|"")+"|[^\s".]+)'
_COPY = re.compile(rb"COPY " + _NAME + rb"\." + _NAME + rb" (?:\(.*\) )?FROM stdin;\n", re.DOTALL)
_MISMATCH = re.compile(r"server version: (\S+).*?pg_dump version: (\S+)", re.DOTALL)


class PostgresCopies:
    """Port ``Copier`` for databases and schemas of a server."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def copy(
        self,
        target: PostgresDatabase,
        place: Path,
        deadline: float,
        compress: bool,
        on_progress: Progress,
        tracking: Tracking | None = None,
    ) -> Contents:
        """pg_dump in its custom format; see the port. On failure there is no file at ``place``."""
        descriptor = new_file(place)  # pg_dump keeps the mode of a file that is there
        try:
            with _snapshot(target) as (session, snapshot):
                rows = rows_of(session)
                migrations = found_in(session, tracking or Tracking()).names
                plain_size = int(session.rows(_SIZE, (target.schema, target.schema))[0][0])
                on_progress(0, 1)
                self._dump(target, place, snapshot, deadline, compress)
                version = session.version
            settle(descriptor, place)
            on_progress(1, 1)
            size, digest = os.fstat(descriptor).st_size, hash_of(place)
            forget(place)
        except MigrationFailed as error:
            discard(place)
            raise CopyFailed(error.message, help=error.help, log=error.log) from error
        except BaseException:
            discard(place)
            raise
        finally:
            os.close(descriptor)
        return Contents("postgresql", size, digest, plain_size, rows, migrations, None, version)

    def _dump(self, target: PostgresDatabase, place: Path, snapshot: str, deadline: float, compress: bool) -> None:
        words = [
            "pg_dump", "--format=custom", "--no-password", f"--snapshot={snapshot}", f"--file={place}",
            f"--lock-wait-timeout={max(1, int(deadline * 1000))}", f"--dbname={url_of(target, None)}",
        ]  # fmt: skip
        words += [] if compress else ["--compress=0"]
        # A pattern otherwise: quotes keep hyphens, capitals and asterisks what they are.
        words += [f"--schema={quoted(target.schema)}"] if target.schema is not None else []
        try:
            done = self._commands.run(words, env=environment(target), timeout=_LIMIT)
        except CommandFailed as error:
            raise CopyFailed(f"{target.name} cannot be copied: {error.message}", help=_CLIENT) from error
        if not done.ok:
            raise _failed(target, place, done)

    def verify(self, place: Path, contents: Contents, tracking: Tracking | None = None) -> None:
        """The hash, and all rows read back from the disk into nowhere and counted; see the port."""
        forget(place)
        digest = hash_of(place)
        if digest != contents.sha256:
            raise CopyFailed(
                f"{place} is not what was written: its SHA-256 is {digest[:12]}…, "
                f"its manifest says {contents.sha256[:12]}…",
                help="take another copy, and look at the disk",
            )
        rows = _rows_in(place)
        for table in sorted({*rows, *contents.rows}):
            found, promised = rows.get(table, 0), contents.rows.get(table, 0)
            if found != promised:
                raise CopyFailed(
                    f"{place} has {found} rows in {table}, its manifest says {promised}", help="take another copy"
                )

    def put_back(self, place: Path, contents: Contents, target: PostgresDatabase, wait: float) -> None:
        """In one transaction; see the port."""
        PostgresReplacer(self._commands).restore(place, target, wait, place.parent)


_CLIENT = "install PostgreSQL's client programs (Debian: apt-get install postgresql-client)"


def environment(target: PostgresDatabase) -> dict[str, str]:
    """What libpq's programs need; messages in English, and no password in any argument."""
    found = {"LC_ALL": "C.UTF-8", "PGAPPNAME": "mcc"}
    return found | ({"PGPASSFILE": str(target.password_file)} if target.password_file else {})


@contextlib.contextmanager
def _snapshot(target: PostgresDatabase) -> Iterator[tuple[Session, str]]:
    """A connection that sees one moment of the database, and the name under which others see the same."""
    with opened(target, {}) as session:
        be_patient(session)
        if target.schema is not None and session.schema() is None:
            raise CopyFailed(f"{target.name}: the database {target.database} has no schema {target.schema}")
        session.execute(f"SET search_path TO {quoted(target.schema)}" if target.schema is not None else "SELECT 1")
        session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield session, str(session.rows("SELECT pg_catalog.pg_export_snapshot()")[0][0])
        session.execute("ROLLBACK")


def be_patient(session: Session) -> None:
    """Let no limit that role or database have end a copy, as pg_dump does; locks are not waited for long."""
    limits = ["statement_timeout", "idle_in_transaction_session_timeout"]
    if session.connection.info.server_version >= 170000:
        limits.append("transaction_timeout")
    session.execute("; ".join(["SET lock_timeout = 10000", *(f"SET {limit} = 0" for limit in limits)]))


def rows_of(session: Session) -> dict[str, int]:
    """How many rows each table has, by ``schema.table``."""
    schema = session.target.schema
    tables = session.rows(_TABLES, (schema, schema))
    return {f"{space}.{name}": _count(session, space, name) for space, name in tables}


def _count(session: Session, space: str, name: str) -> int:
    table = f"{quoted(space)}.{quoted(name)}"
    return int(session.rows(f"SELECT count(*) FROM ONLY {table}")[0][0])  # noqa: S608


def _rows_in(dump: Path) -> dict[str, int]:
    """How many rows of each table a dump has; all of it is read. Raises CopyFailed if it is damaged."""
    words = ["pg_restore", "--data-only", "--file=-", str(dump)]
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
    except OSError as error:
        raise CopyFailed(f"{dump} cannot be verified: pg_restore: {error.strerror}", help=_CLIENT) from error
    try:
        assert process.stdout is not None
        rows = _counted(process.stdout)
        reason = process.stderr.read(4000) if process.stderr else b""
        code = process.wait()
    finally:
        _end(process)
    if code != 0:
        lines = reason.decode("utf-8", "replace").splitlines()
        raise CopyFailed(f"{dump} is damaged: {_first(lines)}", help="take another copy", log=lines[:5])
    return rows


def _counted(output: IO[bytes]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for line in output:
        match = _COPY.match(line) if line.startswith(b"COPY ") else None
        if match is not None:
            rows[f"{_plain(match[1])}.{_plain(match[2])}"] = _count_lines(output)
    return rows


def _count_lines(output: IO[bytes]) -> int:
    """Rows up to the line that ends them, or up to the end of a damaged dump."""
    count = 0
    for line in output:
        if line == b"\\.\n":
            break
        count += 1
    return count


def _plain(name: bytes) -> str:
    text = name.decode("utf-8", "replace")
    return text[1:-1].replace('""', '"') if text.startswith('"') else text


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _failed(target: PostgresDatabase, place: Path, done: Completed) -> CopyFailed:
    mismatch = _MISMATCH.search(done.output)
    if mismatch is not None:
        server, client = mismatch.groups()
        return CopyFailed(
            f"{target.name} cannot be copied: the server is PostgreSQL {server.rstrip(';')}, pg_dump is {client}",
            help="install the client programs of the server's version",
        )
    if "No space left" in done.output:
        return CopyFailed(f"{place} cannot be written: the disk is full", help=f"make room: df -h {place.parent}")
    return CopyFailed(f"{target.name} could not be copied: {_first(done.tail(8))}", log=done.tail(8))


def _first(lines: Sequence[str]) -> str:
    first = next((line for line in lines if line.strip()), "no reason was given")
    return re.sub(r"^(pg_dump|pg_restore): (error: )?", "", first)
