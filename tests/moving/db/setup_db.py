"""The project's own way with its databases: ``setup_db.py create|update SCHEMA``.

Each schema is a file below SHOP_DATA here, which a variable of the site names, so that the project can be tried
without a server.
"""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

CHANGES = sorted((Path(__file__).parent / "changes").glob("*.sql"))


def create(database: sqlite3.Connection) -> None:
    if database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        sys.exit("there is something already; it is not created again")
    database.execute("CREATE TABLE changes (name TEXT PRIMARY KEY)")
    update(database)


def update(database: sqlite3.Connection) -> None:
    done = {name for (name,) in database.execute("SELECT name FROM changes")}
    for change in CHANGES:
        if change.name not in done:
            database.execute(change.read_text())
            database.execute("INSERT INTO changes VALUES (?)", (change.name,))
            print(f"applied {change.name}")
    database.commit()


def main() -> None:
    action, schema = sys.argv[1:]
    file = Path(os.environ["SHOP_DATA"]) / f"{schema}.db"
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as database:
        {"create": create, "update": update}[action](database)


if __name__ == "__main__":
    main()
