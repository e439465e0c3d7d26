"""The process that stays when a runner dies: nothing that the runner began goes on while its site is put right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from mcc.host.guardian import MARK, guarded

late = Path(sys.argv[1])

def work():
    if os.fork() == 0:
        time.sleep(0.3)
        os.execve("/bin/sh", ["sh", "-c", f"echo late >{late}"], {MARK: "the-run"})
    os.kill(os.getpid(), signal.SIGKILL)

def rescue(reason):
    before = late.exists()
    time.sleep(0.8)
    print(reason, before, late.exists())
    return 0

sys.exit(guarded("the-run", work, rescue))
"""


def test_a_command_that_was_only_being_started_is_ended_too(tmp_path: Path) -> None:
    """Between fork(2) and execve(2) nothing marks it; it would restart a service in the middle of a recovery."""
    words = [sys.executable, "-c", _PROGRAM, str(tmp_path / "late")]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert ended.stdout.split() == ["the", "deploying", "process", "died", "of", "SIGKILL", "False", "False"], ended
