"""When a job runs: what cron takes, and what it would take wrongly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcc.core.cron.schedules import NICKNAMES, problem_with

GOOD = (
    "0 2 * * *",
    "*/5 * * * *",
    "*/60 */24 * * *",
    "0-59/15 9-17 1,15 */3 *",
    "00 02 * * *",
    "0\t2  * * *",
    "0 0 * jan,JUL mon-Fri",
    "0 0 * * 7",
    "0 0 29 2 *",
    "0 0 29 2 1-5",
    "0 0 30 2 1",  # Vixie cron: a day of the month or a day of the week
    "0 0 31 1,2 *",
    *NICKNAMES,
)
BAD = {
    "": "0 fields",
    "* * * *": "4 fields",
    "* * * * * *": "6 fields (cron knows no seconds)",
    "*/61 * * * *": "the step 61 is not in 1 to 60",
    "*/0 * * * *": "the step 0 is not in 1 to 60",
    "* */25 * * *": "the step 25",
    "60 * * * *": "60 is not in 0 to 59",
    "* 24 * * *": "24 is not in 0 to 23",
    "* * 0 * *": "0 is not in 1 to 31",
    "* * * 13 *": "13 is not in 1 to 12",
    "* * * * 8": "8 is not in 0 to 7",
    "* * * * -1": "cannot be read",
    "* * * * lun": "'lun' is no name",
    "* * * mon *": "'mon' is no name",
    "5/15 * * * *": "write 5-59/15",
    "* 22-2 * * *": "write 22-23,0-2",
    "1,,2 * * * *": "something is missing between commas",
    "0 0 L * *": "is no name",
    "0 0 * * 5#2": "cannot be read",
    "0 0 31 2 *": "never comes",
    "0 0 30 feb *": "never comes",
    "0 0 31 4,6,9,11 *": "never comes",
    "0 0 31 2 */2": "never comes",
    "@Daily": "small letters: @daily",
    "@every_minute": "not a name that cron knows",
    "@daily root": "not a name that cron knows",
    "# * * * *": "cannot be read",
    "0 2 * * *\n": "the character '\\n'",
    "0 2 * * *\r": "the character '\\r'",
    "0 2 * * \x00": "the character '\\x00'",
    "0 2 * * \x1b": "the character '\\x1b'",
    "0\u00a02 * * *": "the character '\\xa0'",
    "\u0663 * * * *": "the character '\u0663'",
    "0 2 * * * %": "%",
    "9" * 5000 + " * * * *": "minute",
}


@pytest.mark.parametrize("schedule", GOOD)
def test_what_cron_takes_is_good(schedule: str) -> None:
    assert problem_with(schedule) is None


@pytest.mark.parametrize(("schedule", "reason"), BAD.items(), ids=[repr(name)[:30] for name in BAD])
def test_what_cron_would_not_take_or_take_wrongly_is_named(schedule: str, reason: str) -> None:
    assert reason in (problem_with(schedule) or "")


def test_a_message_shows_what_was_found_and_what_is_allowed() -> None:
    assert problem_with("*/61 * * * *") == (
        "the schedule '*/61 * * * *' has '*/61' as minute: the step 61 is not in 1 to 60; "
        "minute takes 0 to 59, *, ranges (a-b), lists (a,b), steps (*/n, a-b/n)"
    )


@given(st.text())
def test_any_text_gets_an_answer_and_a_good_one_is_one_printable_line(schedule: str) -> None:
    if problem_with(schedule) is None:
        assert all(char == "\t" or " " <= char <= "~" for char in schedule)


@given(
    st.tuples(
        st.integers(0, 59), st.integers(0, 23), st.integers(1, 28), st.integers(1, 12), st.integers(0, 7)
    )
)
def test_every_minute_of_an_ordinary_day_is_good(numbers: tuple[int, ...]) -> None:
    assert problem_with(" ".join(str(number) for number in numbers)) is None
