"""One connection to PostgreSQL, as mcc uses it.

psycopg is imported late: it is an extra, and most sites have no use for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcc.core.pgpass import password_in
from mcc.errors import MigrationFailed
from mcc.host.postgres.errors import failed, unreachable
from mcc.model.database import PostgresDatabase
from mcc.model.migration import Statement

if TYPE_CHECKING:
    import psycopg

OLDEST = 12
"""The oldest PostgreSQL that is known to work: it shows the indexes that are being built."""
_CONNECT_TIMEOUT = 10
# A server that looks after its client notices that it is gone: from 14 on, on most systems.
_CHECK_CLIENT = "SET client_connection_check_interval = 1000"
_RESET = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; SET client_min_messages = warning"


class Session:
    """A connection in autocommit mode; every error is a MigrationFailed that names the database."""

    def __init__(self, target: PostgresDatabase, connection: psycopg.Connection[Any]) -> None:
        self.target = target
        self.connection = connection
        self._settings = self._known_settings()

    @property
    def version(self) -> str:
        """The server's version, such as ``15.14``."""
        number = self.connection.info.server_version
        return f"{number // 10000}.{number % 10000}"

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows that a query gives. Raises MigrationFailed."""
        found: list[tuple[Any, ...]] = self._execute(sql, values, "", None).fetchall()
        return found

    def execute(
        self, sql: str, values: Sequence[object] = (), file: str = "", statement: Statement | None = None
    ) -> None:
        """Run one statement, or several without values. Raises MigrationFailed with its place."""
        self._execute(sql, values, file, statement)

    def _execute(self, sql: str, values: Sequence[object], file: str, statement: Statement | None) -> Any:
        import psycopg

        try:
            # Without values a % is a percent sign, and the text goes to the server as it is.
            return self.connection.execute(sql.encode(), values or None)
        except psycopg.Error as error:
            raise failed(self.target, error, file, statement) from error

    def settle(self, lock_timeout: float, statement_timeout: float = 0.0) -> None:
        """Undo all settings that a file may have made, and make ours; temporary tables go too. In seconds."""
        settings = [_RESET, *self._settings, f"SET lock_timeout = {_milliseconds(lock_timeout)}"]
        settings.append(f"SET statement_timeout = {_milliseconds(statement_timeout)}")
        if self.target.schema is not None:
            settings.append(f"SET search_path TO {quoted(self.target.schema)}")
        self.execute("; ".join([*settings, "DISCARD TEMP"]))

    def _known_settings(self) -> tuple[str, ...]:
        import psycopg

        try:
            self.connection.execute(_CHECK_CLIENT.encode())
        except psycopg.Error:
            return ()
        return (_CHECK_CLIENT,)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Raises MigrationFailed also if it cannot be committed."""
        import psycopg

        self.execute("BEGIN")
        try:
            yield
            if not self.in_transaction:
                raise MigrationFailed(f"{self.target.name}: the transaction was ended from inside of a statement")
            self.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(psycopg.Error):
                if self.in_transaction:
                    self.connection.execute(b"ROLLBACK")
            raise

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, also one that has failed."""
        return self.connection.info.transaction_status.name in ("INTRANS", "INERROR")

    def schema(self) -> str | None:
        """The schema that new tables go to; None: there is none yet."""
        if self.target.schema is None:
            (name,) = self.rows("SELECT current_schema()")[0]
            return str(name) if name is not None else None
        found = self.rows("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = %s", (self.target.schema,))
        return self.target.schema if found else None


@contextlib.contextmanager
def opened(target: PostgresDatabase, passwords: Mapping[Path, str]) -> Iterator[Session]:
    """Connect; what is running when something is raised (a signal) is ended on the server too.

    ``passwords``: contents of password files by their paths, where they are not written yet.
    """
    session = Session(target, _connect(target, passwords))
    try:
        yield session
    except BaseException:
        _cancel(session.connection)
        raise
    finally:
        session.connection.close()


def _connect(target: PostgresDatabase, passwords: Mapping[Path, str]) -> psycopg.Connection[Any]:
    try:
        import psycopg
        from psycopg.conninfo import make_conninfo
    except ImportError as error:
        raise MigrationFailed(
            f"{target.name}: PostgreSQL needs psycopg, which is not installed",
            help='pip install "mcc-deploy[postgres]"',
        ) from error
    try:
        # By way of a text: a parameter of the address must not be taken for one of psycopg's own.
        more = make_conninfo(**dict(target.options))
        connection = psycopg.connect(more, autocommit=True, prepare_threshold=None, **_parameters(target, passwords))
    except psycopg.Error as error:
        raise unreachable(target, error) from None  # the parameters are in its traceback
    if connection.info.server_version < OLDEST * 10000:
        version = connection.info.server_version // 10000
        connection.close()
        raise MigrationFailed(f"{target.name}: PostgreSQL {version} is too old", help=f"{OLDEST} or later is needed")
    return connection


def _parameters(target: PostgresDatabase, passwords: Mapping[Path, str]) -> dict[str, Any]:
    named = dict(target.options)
    usual = {"connect_timeout": _CONNECT_TIMEOUT, "application_name": "mcc"}
    given: dict[str, Any] = {name: value for name, value in usual.items() if name not in named}
    given["client_encoding"] = "utf8"
    parts = {"dbname": target.database, "host": target.host, "port": target.port, "user": target.user}
    given |= {name: value for name, value in parts.items() if value}
    file = target.password_file
    if file is not None and file in passwords:
        given["password"] = password_in(passwords[file])
    elif file is not None:
        given["passfile"] = str(file)
    return given


def _cancel(connection: psycopg.Connection[Any]) -> None:
    import psycopg

    with contextlib.suppress(psycopg.Error):
        if connection.info.transaction_status.name == "ACTIVE":
            connection.cancel_safe(timeout=5)


def quoted(name: str) -> str:
    """A name as SQL has it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def _milliseconds(seconds: float) -> int:
    # 0 would mean without end: a limit that is asked for is at least a millisecond.
    return max(1, int(seconds * 1000)) if seconds > 0 else 0
