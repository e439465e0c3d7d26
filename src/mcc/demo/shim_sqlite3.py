"""Stands for the ``sqlite3`` command: ``DATABASE STATEMENT`` or ``DATABASE ".read FILE"``."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

WAIT = 5.0  # seconds for a writer; the command itself waits not at all


def main(words: Sequence[str]) -> int:
    """Run a text, statement by statement, each committed by itself; like the command it goes on after an error."""
    database, text = words
    if text.startswith(".read "):
        text = Path(text.removeprefix(".read ")).read_text()
    code = 0
    with closing(sqlite3.connect(database, timeout=WAIT, isolation_level=None)) as connection:
        for statement in statements(text):
            try:
                for row in connection.execute(statement):
                    sys.stdout.write("|".join("" if value is None else str(value) for value in row) + "\n")
            except sqlite3.Error as error:
                sys.stderr.write(f"Error: {error}\n")
                code = 1
    return code


def statements(text: str) -> Iterator[str]:
    """The statements of a text; triggers stay whole."""
    statement = ""
    for piece in text.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip(" \n;"):
        yield statement.removesuffix(";")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
