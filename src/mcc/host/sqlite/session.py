"""One connection at work on a database: patience with others, signals, errors in words."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mcc.errors import Interrupted, MigrationFailed
from mcc.host.sqlite import tracking
from mcc.host.sqlite.errors import failed, is_busy
from mcc.host.sqlite.sharing import share_side_files
from mcc.model.database import Found, Tracking

T = TypeVar("T")

_DENIED = {
    sqlite3.SQLITE_TRANSACTION: "a transaction command",
    sqlite3.SQLITE_SAVEPOINT: "a savepoint",
    sqlite3.SQLITE_ATTACH: "ATTACH",
    sqlite3.SQLITE_DETACH: "DETACH",
}
_OF_VACUUM = (sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH)  # it works by them
_TEMPORARY = frozenset(
    {sqlite3.SQLITE_CREATE_TEMP_TABLE, sqlite3.SQLITE_CREATE_TEMP_VIEW, sqlite3.SQLITE_CREATE_TEMP_TRIGGER}
)
_POLL = 0.1
_STEPS = 20_000


class Watch:
    """What SQLite's callbacks see; an exception inside of them would be lost otherwise."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self.denied = ""
        self.temporary = False
        self.pragmas = False
        self.vacuum = False
        self.caught: BaseException | None = None
        self._ticks = self._signals()
        next(self._ticks)
        self.tick: Callable[[], int] = self._ticks.__next__

    def _signals(self) -> Generator[int, None, None]:
        # Python runs the handlers of signals where it comes back from C into its own code: here, at
        # the yield, inside of the try. In a plain function that is before its first line.
        answer = 0
        while True:
            try:
                yield answer
                answer = int(self._stop.is_set())
            except GeneratorExit:
                return
            except BaseException as error:
                self.caught, answer = error, 1

    def authorize(self, action: int, *_: object) -> int:
        if action in _DENIED and not (self.vacuum and action in _OF_VACUUM):
            self.denied = _DENIED[action]
            return sqlite3.SQLITE_DENY
        self.temporary = self.temporary or action in _TEMPORARY
        self.pragmas = self.pragmas or action == sqlite3.SQLITE_PRAGMA
        return sqlite3.SQLITE_OK


class Session:
    """``connection`` is in autocommit mode; ``database`` is its name in messages, ``wait`` in seconds.

    All methods raise MigrationFailed, Interrupted if ``stop`` is set, or what a signal's handler raised.
    """

    def __init__(self, connection: sqlite3.Connection, database: Path, wait: float, stop: threading.Event) -> None:
        self.connection = connection
        self.database = database
        self.watch = Watch(stop)
        self._wait = wait
        self._stop = stop
        self._file = ""

    # Not as generators: a signal between their parts would leave half of them for the garbage collector.

    def __enter__(self) -> Session:
        """Signals end a running statement; after any failure an open transaction is taken back."""
        self.connection.text_factory = _text
        self.connection.set_progress_handler(self.watch.tick, _STEPS)
        self.wait_at_most(_POLL)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.take_back()
        self.connection.set_progress_handler(None, 0)

    def authorize(self, on: bool) -> None:
        """Deny, or do not deny any more, what would end the transaction or reach other files."""
        self.connection.set_authorizer(self.watch.authorize if on else None)

    def share(self) -> None:
        """Let the database's owner write the side files that this connection has made."""
        if not self._file:  # asked once, and not while statements are watched
            self._file = str(self.rows("PRAGMA database_list")[0][2])
        share_side_files(self._file)

    def take_back(self) -> None:
        """Never raises for what SQLite says."""
        self.connection.set_progress_handler(None, 0)
        with contextlib.suppress(sqlite3.Error):
            self.connection.set_authorizer(None)
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")

    def execute(self, sql: str, place: str = "", values: Sequence[str] = ()) -> None:
        """Run a statement to its end; rows that it gives are let go one by one."""
        try:
            for _ in self.connection.execute(sql, values):
                pass
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise self.explained(error, place) from error

    def execute_many(self, sql: str, values: Iterable[Sequence[str]]) -> None:
        try:
            self.connection.executemany(sql, values)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise self.explained(error) from error

    def rows(self, sql: str, values: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        try:
            return self.connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self.explained(error) from error

    def patiently(self, sql: str, place: str = "") -> None:
        """Run a statement that others may hold up, for as long as may be waited.

        SQLite waits for a moment only at a time, so that signals are handled in between.
        """
        self.wait_at_most(_POLL)
        deadline = time.monotonic() + self._wait
        while True:
            try:
                for _ in self.connection.execute(sql):
                    pass
            except (sqlite3.Error, sqlite3.Warning) as error:
                self._give_up_or_wait(error, deadline, place)
            else:
                return

    def found(self, table: Tracking) -> Found:
        """What the database is and has had."""
        return self._read(lambda: tracking.found_in(self.connection, table, tracking.read_rows(self.connection, table)))

    def tracked(self, table: Tracking) -> tracking.Rows:
        """The rows of the tracking table."""
        return self._read(lambda: tracking.read_rows(self.connection, table))

    def _read(self, read: Callable[[], T]) -> T:
        deadline = time.monotonic() + self._wait
        while True:
            try:
                return read()
            except sqlite3.Error as error:
                self._give_up_or_wait(error, deadline)

    def _give_up_or_wait(self, error: Exception, deadline: float, place: str = "") -> None:
        if not is_busy(error) or time.monotonic() >= deadline:
            raise self.explained(error, place) from error
        if self._stop.is_set():
            raise self._interrupted()
        time.sleep(0.001)

    def wait_at_most(self, seconds: float | None = None) -> None:
        """How long SQLite itself waits for a lock; None: as long as may be waited."""
        self.connection.execute(f"PRAGMA busy_timeout={int((self._wait if seconds is None else seconds) * 1000)}")

    def explained(self, error: Exception, place: str = "") -> BaseException:
        """The error to raise."""
        name = str(getattr(error, "sqlite_errorname", ""))
        if self.watch.caught is not None:
            return self.watch.caught
        if self.watch.denied:
            return MigrationFailed(
                f"{self.database}: {place}: {self.watch.denied} cannot stand in a migration",
                help="mcc opens and ends transactions; take the line out",
            )
        # SQLite only says that a callback of ours failed; nothing in them does, except a signal.
        if name in ("SQLITE_INTERRUPT", "SQLITE_AUTH"):
            return self._interrupted()
        return failed(self.database, error, place, self._wait)

    def _interrupted(self) -> Interrupted:
        return Interrupted(f"the run was ended while {self.database} was brought forward")


def _text(data: bytes) -> str:
    """A migration may read text that is no UTF-8; it is nobody's business here."""
    return data.decode("utf-8", "surrogateescape")
