"""The lock of a site, on a real file: whom it waits for, and whose name it says."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from mcc.errors import SiteLocked
from mcc.host import lock as locks
from mcc.host.lock import SiteLock

SINCE = "2026-11-24T04:50:12+00:00"


def holder(what: str, pid: int, **more: object) -> Mapping[str, object]:
    return {"what": what, "user": "ann", "pid": pid, "since": SINCE, **more}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def gone() -> int:
    """The id of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def later() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Do something beside the test."""
    threads: list[threading.Thread] = []

    def begin(work: Callable[[], None]) -> None:
        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join()


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when the text of a lock was read so often that nobody had to hurry to write it."""
    event, judge, texts = threading.Event(), locks._patience, list[bytes]()

    def seen(text: bytes) -> float:
        texts.append(text)
        if len(texts) == 10:
            event.set()
        return judge(text)

    monkeypatch.setattr(locks, "_patience", seen)
    return event


def test_who_holds_it_is_said(path: Path) -> None:
    mine = SiteLock.take(path, holder("backup", os.getpid()))
    with pytest.raises(SiteLocked, match=f"the site is held by backup of ann since .* process {os.getpid()}\\)"):
        SiteLock.take(path, holder("deploy", os.getpid()))
    mine.release()
    SiteLock.take(path, holder("deploy", os.getpid())).release()


def test_who_says_that_it_is_done_in_a_moment_is_waited_for(
    path: Path, looked: threading.Event, later: Callable[[Callable[[], None]], None]
) -> None:
    brief = SiteLock.take(path, holder("the end of a drained slot", os.getpid(), brief=True))
    later(lambda: (looked.wait(60), brief.release())[1])
    SiteLock.take(path, holder("deploy", os.getpid())).release()


def test_who_has_not_written_its_name_yet_is_given_the_time(
    path: Path,
    gone: int,
    looked: threading.Event,
    later: Callable[[Callable[[], None]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What stands there is of the run before; the refusal names the one that holds it now."""
    monkeypatch.setattr(locks, "_UNNAMED", 60.0)
    SiteLock.take(path, holder("deploy", gone)).release()
    descriptor = os.open(path, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    new = SiteLock(descriptor)
    later(lambda: (looked.wait(60), new.name(holder("backup", os.getpid())))[1])
    with pytest.raises(SiteLocked, match="held by backup of ann"):
        SiteLock.take(path, holder("restore", os.getpid()))
    new.release()


def test_a_command_that_a_dead_run_left_is_said_to_hold_it(path: Path, gone: int) -> None:
    left = SiteLock.take(path, holder("deploy", gone))
    with pytest.raises(SiteLocked, match="it is gone, but a command that it started still runs"):
        SiteLock.take(path, holder("restore", os.getpid()))
    left.release()
