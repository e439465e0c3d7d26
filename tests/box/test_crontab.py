"""The contract of every ``Crontab``, kept by the real one: Debian's cron, as the deploy user."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from box.harness import DEPLOY_USER, Box, Boxes
from contract.test_crontab import (  # noqa: F401  (they run here too, with the fixtures of this file)
    test_a_machine_without_cron,
    test_a_text_that_cron_does_not_take_changes_nothing,
    test_nothing_can_be_written,
    test_there_is_none_at_first,
    test_what_was_written_is_read_byte_for_byte,
)
from mcc.core.cron.schedules import NICKNAMES, problem_with
from mcc.errors import CommandFailed
from mcc.host.commands import RealCommands
from mcc.host.crontab import SystemCrontab
from mcc.host.ports import Completed


class InBox(RealCommands):
    """The programs of a box, run as the deploy user."""

    def __init__(self, box: Box) -> None:
        super().__init__()
        self._box = box

    def find(self, name: str) -> str | None:
        return self._box.exec(["which", name], DEPLOY_USER, check=False).stdout.strip() or None

    def run(self, words: Any, *, env: Any = None, **options: Any) -> Completed:
        pairs = [f"{name}={value}" for name, value in (env or {}).items()]
        return super().run(self._box.command(["env", *pairs, *words], DEPLOY_USER), **options)


@pytest.fixture(scope="module")
def server(module_boxes: Boxes) -> Box:
    return module_boxes(mcc=False)


@pytest.fixture
def crontab(server: Box, tmp_path: Path) -> SystemCrontab:
    server.exec(["crontab", "-r", "-u", DEPLOY_USER], check=False)
    return SystemCrontab(InBox(server), tmp_path)


@pytest.fixture
def none(server: Box, tmp_path: Path) -> Iterator[SystemCrontab]:
    """A machine without cron."""
    server.exec(["mv", "/usr/bin/crontab", "/root/"])
    yield SystemCrontab(InBox(server), tmp_path)
    server.exec(["mv", "/root/crontab", "/usr/bin/"])


@pytest.mark.parametrize("text", [b"*/0 * * * * true\n", b"61 * * * * true\n", b"\xff\xfe\n", b"@sometimes true\n"])
def test_what_is_no_crontab_is_refused_with_the_reason(crontab: SystemCrontab, text: bytes) -> None:
    """Cron names the line; the crontab is as before."""
    crontab.write(b"0 0 * * * true\n")
    with pytest.raises(CommandFailed, match=r"the crontab cannot be written: .*(bad|errors)"):
        crontab.write(text)
    assert crontab.read() == b"0 0 * * * true\n"


FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
ODD = ("jan", "DEC", "mon", "Fri", "sun", "xyz", "*/61", "5/2", "7-1", "", "L", "?", "-1", "1,", "mon-fri", "jan,3")


def test_cron_takes_every_schedule_that_mcc_takes(crontab: SystemCrontab) -> None:
    """One that cron does not take would stop the whole crontab, in the middle of a deploy."""
    random = Random("schedules")
    tried = set()
    while len(tried) < 3000:
        words = []
        for low, high in FIELDS:
            first, last = sorted(random.randint(low - 1, high + 1) for _ in range(2))
            stepped = f"{first}-{last}/{random.randint(0, high)}"
            usual = ["*", "*/5", "1-5/2", "1,2,3", str(last), f"{first}-{last}", stepped]
            words.append(random.choice(ODD if random.random() < 0.2 else usual))
        tried.add(" ".join(words))
    taken = [*NICKNAMES, *(schedule for schedule in tried if problem_with(schedule) is None)]
    assert len(taken) > 100
    crontab.write("".join(f"{schedule} true\n" for schedule in taken).encode())


def test_a_user_who_may_have_none_is_told_so(crontab: SystemCrontab, server: Box) -> None:
    """With the file to ask root for."""
    server.write("/etc/cron.deny", f"{DEPLOY_USER}\n")
    try:
        for use in (crontab.read, lambda: crontab.write(b"0 0 * * * true\n")):
            with pytest.raises(CommandFailed, match="not allowed") as refused:
                use()
            assert "/etc/cron.deny" in refused.value.help
    finally:
        server.exec(["rm", "/etc/cron.deny"])
