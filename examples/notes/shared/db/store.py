"""Reading and writing notes."""

import os
import time
from pathlib import Path
from typing import Any

from shared.db.connection import reading, writing

SHOWN = 50


def newest(database: Path) -> dict[str, Any]:
    """The newest notes, and how many there are in all."""
    with reading(database) as connection:
        (count,) = connection.execute("SELECT COUNT(*) FROM notes").fetchone()
        rows = connection.execute(
            "SELECT id, title, text, created_at FROM notes ORDER BY id DESC LIMIT ?", (SHOWN,)
        ).fetchall()
    return {"domain": database.parent.name, "count": count, "notes": [dict(row) for row in rows]}


def add(database: Path, text: str) -> dict[str, Any]:
    """Keep a note; its title is its first line."""
    title, now = text.strip().split("\n")[0][:40], int(time.time())
    with writing(database) as connection:
        cursor = connection.execute(
            "INSERT INTO notes (title, text, created_at) VALUES (?, ?, ?)", (title, text, now)
        )
    return {"id": cursor.lastrowid, "title": title, "text": text, "created_at": now}


def beat(database: Path, name: str, version: str) -> None:
    """Say that a process is alive, and of which release it is."""
    with writing(database) as connection:
        connection.execute(
            "INSERT INTO heartbeats (name, version, pid, at) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE "
            "SET version = excluded.version, pid = excluded.pid, at = excluded.at",
            (name, version, os.getpid(), time.time()),
        )
