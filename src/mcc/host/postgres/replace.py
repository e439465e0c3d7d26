"""A dump put into a PostgreSQL database, in one transaction: all of it, or nothing.

Connections stay open, and whoever is connected sees the old content until the commit. A new database
that is swapped in would need all of them closed, the right to make databases, and room for both.

The dump becomes a file of SQL first: piped into ``psql``, a dump that ends too early would be
committed. Passwords are read by libpq (``PGPASSFILE``, ``PGPASSWORD``, ``~/.pgpass``).
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcc.core.databases import url_of
from mcc.core.pgpass import password_in
from mcc.core.sql.postgres_replace import USER_SCHEMAS, Replacement, dumped_schemas, literal, owner_query
from mcc.errors import CommandFailed, CopyFailed
from mcc.host.ports import Commands, Completed
from mcc.model.database import PostgresDatabase

_LIMIT = 6 * 3600.0
# Where a dump as one transaction begins and ends: comments stand before and behind, no data.
_BEGIN, _COMMIT, _EDGE = b"\nBEGIN;\n", b"\nCOMMIT;\n", 4096
_ERROR = re.compile(r"psql:(?P<file>[^\n]*?):(?P<line>\d+): (?:ERROR|FATAL):  (?P<what>.*)")
_PLAIN = re.compile(r"(?:psql|pg_restore): (?:error: )?(?:.*?(?:FATAL|ERROR):  )?(?P<what>.*)")


@dataclass(frozen=True, slots=True)
class Extra:
    """SQL of the project's own that runs behind the dump, in the same transaction. ``shown``: its name."""

    path: Path
    shown: str


class PostgresReplacer:
    """psql and pg_restore of this machine. ``scratch`` of each call is a folder of ours (0700).

    ``passwords`` are the texts of password files that are not there yet.
    """

    def __init__(self, commands: Commands, passwords: Mapping[Path, str] | None = None) -> None:
        self._commands = commands
        self._passwords = dict(passwords or {})

    def restore(self, dump: Path, target: PostgresDatabase, wait: float, scratch: Path) -> None:
        """Make a database what a dump of it is, owners and rights included. Raises CopyFailed."""
        plan = Replacement(target.schema, target.schema, self._schemas(target), wait)
        self._put(dump, target, plan, (), None, scratch)

    def clone(
        self, dump: Path, source: PostgresDatabase, target: PostgresDatabase, wait: float, scratch: Path,
        extra: Extra | None = None,
    ) -> None:  # fmt: skip
        """Make a database what a dump of another is; everything belongs to whom it belonged to before.

        Rights that the source gave are not brought: they name its users. Raises CopyFailed.
        """
        if (source.schema is None) != (target.schema is None):
            raise CopyFailed(
                f"{source.name} is {_what(source)}, {target.name} is {_what(target)}: one cannot become the other",
                help="give both confs a DATABASE_SCHEMA, or neither",
            )
        owner = self._one(target, owner_query(target.schema or "public"))
        plan = Replacement(target.schema, source.schema, self._schemas(target), wait, owner or None)
        self._put(dump, target, plan, ("--no-owner", "--no-acl"), extra, scratch)

    def empty(self, target: PostgresDatabase, wait: float, scratch: Path) -> None:
        """Take everything out of a schema or a whole database, in one transaction. Raises CopyFailed."""
        plan = Replacement(target.schema, target.schema, self._schemas(target), wait)
        if target.schema is not None and target.schema not in plan.present:
            return
        with _folder(scratch) as folder:
            (folder / "empty.sql").write_text(plan.prelude(()), "utf-8")
            self._run(target, [folder / "empty.sql"], None, "emptied")

    def identity(self, target: PostgresDatabase) -> str:
        """Which database and schema this is, whatever the address that leads there. Raises CopyFailed."""
        schema = "current_schema()" if target.schema is None else literal(target.schema)
        database = "(SELECT oid FROM pg_database WHERE datname = current_database())"
        query = f"SELECT concat_ws(' ', pg_postmaster_start_time(), {database}, {schema})"
        return self._one(target, query)

    def _put(
        self, dump: Path, target: PostgresDatabase, plan: Replacement, options: tuple[str, ...],
        extra: Extra | None, scratch: Path,
    ) -> None:  # fmt: skip
        listing = self._listing(dump)
        with _folder(scratch) as folder:
            wanted, body = folder / "wanted.list", folder / "dump.sql"
            wanted.write_text(plan.wanted(listing), "utf-8", "surrogateescape")
            (folder / "before.sql").write_text(plan.prelude(dumped_schemas(listing, plan.present)), "utf-8")
            (folder / "behind.sql").write_text(plan.epilogue(), "utf-8")
            words = ("pg_restore", "--single-transaction", "--file", str(body), "--use-list", str(wanted), *options)
            no_more = ("--no-publications", "--no-subscriptions", "--", str(dump))
            done = self._client((*words, *no_more), {})
            if not done.ok:
                raise CopyFailed(f"{dump} is damaged: {_reason(done)}", help="take another copy", log=done.tail(5))
            _without_own_transaction(body)
            files = [folder / "before.sql", body, folder / "behind.sql", *([extra.path] if extra else [])]
            self._run(target, files, extra)

    def _listing(self, dump: Path) -> str:
        done = self._client(("pg_restore", "--list", "--", str(dump)), {})
        if not done.ok:
            raise CopyFailed(f"{dump} is no dump of PostgreSQL: {_reason(done)}", help="take another copy")
        return done.stdout.decode("utf-8", "surrogateescape")

    def _run(self, target: PostgresDatabase, files: list[Path], extra: Extra | None, what: str = "put back") -> None:
        words = [*_psql(target), "--single-transaction", "--output", os.devnull]
        for path in files:
            words += ["--file", str(path)]
        done = self._client(words, self._environment(target))
        if not done.ok:
            raise _failed(target, done, extra, what)

    def _client(self, words: Sequence[str], env: Mapping[str, str], timeout: float = _LIMIT) -> Completed:
        """A client program of PostgreSQL; any exit code is an answer. Raises CopyFailed."""
        try:
            return self._commands.run(words, env=env, timeout=timeout)
        except CommandFailed as error:
            help = "install PostgreSQL's client programs (Debian: apt-get install postgresql-client)"
            raise CopyFailed(error.message, help=help, log=error.log) from error

    def _environment(self, target: PostgresDatabase) -> Mapping[str, str]:
        """Messages in English; notices of what is dropped along are no news."""
        settings = {"LC_ALL": "C.UTF-8", "PGAPPNAME": "mcc", "PGOPTIONS": "-c client_min_messages=warning"}
        file = target.password_file
        if file is None:
            return settings
        if file in self._passwords:
            return {**settings, "PGPASSWORD": password_in(self._passwords[file])}
        return {**settings, "PGPASSFILE": str(file)}

    def _schemas(self, target: PostgresDatabase) -> frozenset[str]:
        return frozenset(self._ask(target, USER_SCHEMAS)) - {""}

    def _one(self, target: PostgresDatabase, query: str) -> str:
        return (self._ask(target, query) or ("",))[0]

    def _ask(self, target: PostgresDatabase, query: str) -> tuple[str, ...]:
        words = [*_psql(target), "--no-align", "--tuples-only", "--command", query]
        done = self._client(words, self._environment(target), 60.0)
        if not done.ok:
            raise CopyFailed(f"{target.name}: the database cannot be asked: {_reason(done)}", log=done.tail(5))
        return tuple(done.stdout.decode("utf-8", "surrogateescape").splitlines())


def _psql(target: PostgresDatabase) -> tuple[str, ...]:
    return (
        "psql", "--no-psqlrc", "--quiet", "--no-password", "--set", "ON_ERROR_STOP=1",
        "--dbname", url_of(target, None),
    )  # fmt: skip


@contextlib.contextmanager
def _folder(scratch: Path) -> Iterator[Path]:
    """A new folder that only this user can read; gone afterwards."""
    folder = scratch / f".replace.{secrets.token_hex(6)}.mcc-tmp"
    try:
        folder.mkdir(mode=0o700, parents=True)
        yield folder
    except OSError as error:
        raise CopyFailed(f"{folder} cannot be written: {error.strerror or error}", help="make room there") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _without_own_transaction(body: Path) -> None:
    """Blank out the BEGIN and COMMIT around a dump, which would end the transaction that it is to be a part of.

    Asked for none, pg_restore begins and commits one around large objects, in the middle of the rest.
    """
    with body.open("r+b") as file:
        begin = file.read(_EDGE).find(_BEGIN)
        start = max(0, file.seek(0, os.SEEK_END) - _EDGE)
        file.seek(start)
        commit = file.read().rfind(_COMMIT)
        if begin < 0 or commit < 0:
            raise CopyFailed(f"what pg_restore wrote is not one transaction: {body}", help="is it a newer version?")
        for place, text in ((begin, _BEGIN), (start + commit, _COMMIT)):
            file.seek(place)
            file.write(b"\n" * len(text))


def _what(target: PostgresDatabase) -> str:
    return "a whole database" if target.schema is None else f"the schema {target.schema}"


def _failed(target: PostgresDatabase, done: Completed, extra: Extra | None, aim: str) -> CopyFailed:
    match = _ERROR.search(done.output)
    if match is None:
        return CopyFailed(f"{target.name}: {_reason(done)}; it is as it was", log=done.tail(8))
    what = match["what"]
    if extra is not None and match["file"] == str(extra.path):
        where = f"{extra.shown}, line {match['line']}"
        return CopyFailed(f"{target.name}: {where}: {what}; it is as it was", log=done.tail(8))
    help = ""
    if "lock timeout" in what:
        help = "somebody holds a table: stop the services that use it, and try again"
    return CopyFailed(f"{target.name} could not be {aim}: {what}; it is as it was", help=help, log=done.tail(8))


def _reason(done: Completed) -> str:
    for line in done.output.splitlines():
        match = _ERROR.search(line) or _PLAIN.match(line)
        if match and match["what"]:
            return match["what"]
    return (done.tail(1) or ("no reason was given",))[0]
