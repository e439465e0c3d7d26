"""A password file as libpq reads it (https://www.postgresql.org/docs/current/libpq-pgpass.html)."""

from __future__ import annotations

import re


def pgpass(password: str) -> str:
    """The text of a file with one password, for every server that it is used for.

    Raises ValueError for a password that such a file cannot hold.
    """
    if re.search(r"[\r\n\0]", password):
        raise ValueError(
            "the database's password has a line end in it, which a password file of PostgreSQL cannot hold"
        )
    escaped = re.sub(r"([\\:])", r"\\\1", password)
    return f"*:*:*:*:{escaped}\n"


def password_in(text: str) -> str:
    """The password of a text that :func:`pgpass` made."""
    return re.sub(r"\\(.)", r"\1", text.rstrip("\n").removeprefix("*:*:*:*:"))
