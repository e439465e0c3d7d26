"""Copy every database while it is in use. Arguments: the site's folder, and how many days to keep."""

import os
import shutil
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path


def main(base: Path, days: int) -> None:
    daily = base / "backups" / "daily"
    today = daily / time.strftime("%Y-%m-%d", time.gmtime())
    today.mkdir(parents=True, exist_ok=True)
    for database in sorted([*base.glob("domains/*/data.db"), *base.glob("data.db")]):
        copy(database, today / f"{database.parent.name}.db")
    for old in sorted(path for path in daily.iterdir() if path.is_dir())[:-days]:
        shutil.rmtree(old)


def copy(database: Path, target: Path) -> None:
    """A whole copy or none: it gets its name after it was checked."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with (
            closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=5)) as source,
            closing(sqlite3.connect(unfinished)) as copied,
        ):
            source.backup(copied)
            (answer,) = copied.execute("PRAGMA quick_check").fetchone()
        if answer != "ok":
            raise SystemExit(f"{database}: the copy is damaged: {answer}")
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)
    print(f"{database} -> {target} ({target.stat().st_size} bytes)", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]))
