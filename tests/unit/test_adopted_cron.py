"""The jobs of a script, doubled with every deploy, as one list."""

from __future__ import annotations

from pathlib import Path

from mcc.core.cron.adopted import taken_over
from mcc.core.cron.crontab import block_of, with_block, with_plain_lines

SITE = Path("/srv/live/notes")
OTHER = b"MAILTO=me\n*/5 * * * * true\n"


def job(name: str) -> bytes:
    return b"0 2 * * * cd %s/scripts && ./%s.sh >> %s/logs/%s.log 2>&1\n" % (
        str(SITE).encode(), name.encode(), str(SITE).encode(), name.encode(),
    )  # fmt: skip


def doubled(times: int) -> bytes:
    """As the script writes: it takes its marker away, and leaves the older line."""
    text = OTHER
    for _ in range(times):
        for name in ("one", "two"):
            marker = b"# MCC-%s\n" % name.upper().encode()
            text = text.replace(marker, b"") + marker + job(name)
    return text


def test_each_job_is_kept_once_right_behind_its_marker() -> None:
    before = doubled(3)
    assert before.count(b"./one.sh") == 3
    lines = [line for line in doubled(1).removeprefix(OTHER).split(b"\n") if line]
    after = with_block(before, SITE, lines)
    assert taken_over(before, after, SITE) == doubled(1).removeprefix(OTHER)


def test_what_stays_outside_is_not_taken_over_and_neither_is_the_block() -> None:
    """A job that nobody replaces stays where it is; mcc's own lines are no script's."""
    before = with_block(OTHER + job("stays"), SITE, [b"# MCC-ONE", job("one").rstrip()])
    after = with_block(before, SITE, [b"# MCC-TWO", job("two").rstrip()])
    assert taken_over(before, after, SITE) == b""


def test_plain_lines_stand_where_the_block_stood() -> None:
    text = with_block(OTHER, SITE, [b"# MCC-ONE", job("one").rstrip()]) + b"@daily true\n"
    plain = with_plain_lines(text, SITE, ["# MCC-ONE", job("one").rstrip()])
    assert plain == OTHER + b"# MCC-ONE\n" + job("one") + b"@daily true\n"
    assert block_of(plain, SITE) is None
