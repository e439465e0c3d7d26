"""The worker: `python -m worker.main`. Every second it tells each database that it is alive."""

import signal
import sqlite3
import sys
import threading
from pathlib import Path

from shared.db.store import beat
from shared.site import databases, site_base
from shared.version import version

SECONDS = 1.0


def main() -> None:
    """Work until SIGTERM or Ctrl-C; a database that cannot be written to is said and tried again."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    base = site_base()
    print(f"worker {version()} works for {base}", flush=True)
    while not ended.is_set():
        beat_all(base)
        ended.wait(SECONDS)
    print(f"worker {version()} has ended", flush=True)


def beat_all(base: Path) -> None:
    for domain, database in databases(base).items():
        try:
            beat(database, "worker", version())
        except sqlite3.Error as error:
            print(f"{domain}: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
