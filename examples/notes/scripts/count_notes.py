"""Print one line a database: when, whose, how many notes. Argument: the site's folder."""

import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path


def main(base: Path) -> None:
    for database in sorted([*base.glob("domains/*/data.db"), *base.glob("data.db")]):
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=5)) as connection:
            (count,) = connection.execute("SELECT COUNT(*) FROM notes").fetchone()
        print(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), database.parent.name, count, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
