"""Bringing data from one site to another: is it another one, and PostgreSQL's way there."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mcc.errors import CopyFailed
from mcc.host.copies.content import compare, postgres_content, sqlite_content
from mcc.host.copies.fetch import fetch
from mcc.host.copies.files import discard, new_file
from mcc.host.ports import Commands
from mcc.host.postgres.replace import Extra, PostgresReplacer
from mcc.model.database import Contents, PostgresDatabase, SqliteDatabase, Target, Tracking


class RealClones:
    """Port ``Clones`` on this machine."""

    def __init__(self, commands: Commands, passwords: Mapping[Path, str] | None = None) -> None:
        self._commands = commands
        self._passwords = dict(passwords or {})
        self._replacer = PostgresReplacer(commands, self._passwords)

    def knowing(self, passwords: Mapping[Path, str]) -> RealClones:
        return RealClones(self._commands, {**self._passwords, **passwords})

    def identity(self, what: Target | Path) -> str:
        if isinstance(what, PostgresDatabase):
            return self._replacer.identity(what)
        return _inode(what.path if isinstance(what, SqliteDatabase) else what)

    def check(self, target: Target, contents: Contents, tracking: Tracking, exact: bool) -> None:
        if isinstance(target, PostgresDatabase):
            rows, names = postgres_content(target, tracking, self._passwords)
        else:
            rows, names = sqlite_content(target, tracking)
        compare(target, contents, rows, names, exact)

    def fetch(
        self, words: Sequence[str], folder: Path, on_bytes: Callable[[int], None]
    ) -> dict[str, tuple[Path, Contents]]:
        return fetch(words, folder, on_bytes)

    def compact(self, copy: Path, into: Path) -> None:
        os.close(new_file(into))  # SQLite writes into an empty file that is there, and keeps its mode
        try:
            with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as connection:
                mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
                connection.execute("VACUUM INTO ?", (str(into),))
            with contextlib.closing(sqlite3.connect(into, isolation_level=None)) as connection:
                connection.execute(f"PRAGMA journal_mode={'WAL' if mode == 'wal' else 'DELETE'}")
        except sqlite3.Error as error:
            discard(into)
            raise CopyFailed(f"{copy} cannot be written anew: {error}") from error

    def empty(self, target: PostgresDatabase, wait: float, scratch: Path) -> None:
        self._replacer.empty(target, wait, scratch)

    def put(
        self, dump: Path, source: PostgresDatabase, target: PostgresDatabase, wait: float, scratch: Path,
        script: Path | None, shown: str,
    ) -> None:  # fmt: skip
        extra = Extra(script, shown) if script else None
        self._replacer.clone(dump, source, target, wait, scratch, extra)


def _inode(path: Path) -> str:
    """Device and inode, at the end of all links: the same for a second name and for a bind mount."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise CopyFailed(f"{path} cannot be looked at: {error.strerror}") from error
    return f"{found.st_dev}:{found.st_ino}"
