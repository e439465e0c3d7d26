"""Many databases at the same time, within a bound.

Threads, because the time of large migrations is spent in SQLite and in syncs, where Python's lock is
free. Small ones are bound by that lock: more threads than processors only fight for it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

from mcc.errors import MigrationFailed
from mcc.host.database_ports import Each
from mcc.model.database import SqliteDatabase

_AT_MOST = 8
_FEW = 3

Work = Callable[[SqliteDatabase, threading.Event], tuple[str, ...]]


def in_threads(targets: Sequence[SqliteDatabase], work: Work, each: Each) -> None:
    """Work on all; ``each`` is told in this thread. What it raises, and a signal, ends all soon."""
    stop = threading.Event()
    if len(targets) <= _FEW:
        for target in targets:
            each(target, _answer(target, work, stop))
        return
    with ThreadPoolExecutor(min(_AT_MOST, os.cpu_count() or 1), "migrate") as pool:
        futures = {pool.submit(work, target, stop): target for target in targets}
        try:
            for future in as_completed(futures):
                each(futures[future], _result(future))
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _answer(target: SqliteDatabase, work: Work, stop: threading.Event) -> tuple[str, ...] | MigrationFailed:
    try:
        return work(target, stop)
    except MigrationFailed as error:
        return error


def _result(future: Future[tuple[str, ...]]) -> tuple[str, ...] | MigrationFailed:
    try:
        return future.result()
    except MigrationFailed as error:
        return error
