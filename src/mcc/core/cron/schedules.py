"""When cron runs a job: the first five fields of a crontab line, or an ``@`` name.

What is allowed follows crontab(5) of Debian's cron (Vixie cron), the narrowest in use, so that a
schedule that passes here means the same to every cron. Names may stand in ranges and lists: the
manual forbids it, every implementation does it, and ``mon-fri`` is what people write.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from datetime import datetime

from cronsim import CronSim, CronSimError

NICKNAMES = (
    "@reboot",
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
)
_FIVE = "five fields (minute hour day-of-month month day-of-week)"
_FORM = f"allowed are {_FIVE} or one of {' '.join(NICKNAMES)}"


@dataclass(frozen=True, slots=True)
class _Field:
    """One of the five fields; ``steps`` is the largest step that still means something."""

    name: str
    low: int
    high: int
    steps: int
    words: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        words = f" or {self.words[0]} to {self.words[-1]}" if self.words else ""
        numbers = f"{self.low} to {self.high}{words}"
        return f"{self.name} takes {numbers}, *, ranges (a-b), lists (a,b), steps (*/n, a-b/n)"


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS = (
    _Field("minute", 0, 59, 60),
    _Field("hour", 0, 23, 24),
    _Field("day-of-month", 1, 31, 31),
    _Field("month", 1, 12, 12, _MONTHS),
    _Field("day-of-week", 0, 7, 7, _DAYS),
)
_ITEM = re.compile(r"(?:\*|([0-9a-z]+)(?:-([0-9a-z]+))?)(?:/([0-9]{1,9}))?", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
# 29 February on a given day of the week comes back within 28 years, within 40 over 2100.
_START = datetime(2024, 1, 1)


_AS_FIVE = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


def next_times(schedule: str, after: datetime, count: int) -> tuple[datetime, ...]:
    """The next times in the time zone of ``after``, as cron takes a change of the clock; none for ``@reboot``."""
    try:
        return tuple(itertools.islice(CronSim(_AS_FIVE.get(schedule, schedule), after), count))
    except CronSimError:
        return ()


def in_words(schedule: str) -> str:
    """``at 02:00 every day``; the schedule itself if there are no words for it."""
    if schedule == "@reboot":
        return "when the machine starts"
    try:
        words: str = CronSim(_AS_FIVE.get(schedule, schedule), _START).explain()
    except CronSimError:
        return schedule
    return words[:1].lower() + words[1:]


def problem_with(schedule: str) -> str | None:
    """What is wrong with a schedule and what is allowed; None if it is good and will come."""
    return _problem_with_text(schedule) or _problem_with_form(schedule)


def _problem_with_text(schedule: str) -> str | None:
    """Characters that would end or change the crontab line."""
    bad = next((char for char in schedule if char != "\t" and not " " <= char <= "~"), None)
    if bad is not None:
        return f"the schedule {schedule!r} has the character {bad!r} in it; {_FORM}"
    if "%" in schedule:
        return f"the schedule {schedule!r} has a % in it, which ends a line for cron; {_FORM}"
    return None


def _problem_with_form(schedule: str) -> str | None:
    words = schedule.split()
    if words and words[0].startswith("@"):
        return None if len(words) == 1 and words[0] in NICKNAMES else _problem_with_nickname(schedule)
    if len(words) != len(_FIELDS):
        seconds = " (cron knows no seconds)" if len(words) == len(_FIELDS) + 1 else ""
        found = f"{len(words)} field{'' if len(words) == 1 else 's'}{seconds}"
        return f"the schedule {schedule!r} has {found}; {_FORM}"
    for field, text in zip(_FIELDS, words, strict=True):
        reason = _problem_with_field(field, text.lower())
        if reason is not None:
            return f"the schedule {schedule!r} has {text!r} as {field.name}: {reason}; {field.allowed}"
    return None if _comes(schedule) else f"the schedule {schedule!r} never comes: no month has that day"


def _problem_with_nickname(schedule: str) -> str:
    if schedule.strip().lower() in NICKNAMES:
        return f"the schedule {schedule!r} must be written in small letters: {schedule.strip().lower()}"
    return f"the schedule {schedule!r} is not a name that cron knows; {_FORM}"


def _problem_with_field(field: _Field, text: str) -> str | None:
    reasons = (_problem_with_item(field, item) for item in text.split(","))
    return next((reason for reason in reasons if reason is not None), None)


def _problem_with_item(field: _Field, item: str) -> str | None:
    match = _ITEM.fullmatch(item)
    if match is None:
        return "something is missing between commas" if not item else f"{item!r} cannot be read"
    first, last, step = match.groups()
    for word in (first, last):
        if word is not None and _value(field, word) is None:
            return _no_value(field, word)
    if first is not None and last is not None:
        return _problem_with_range(field, first, last) or _problem_with_step(field, step)
    if first is not None and step is not None:
        return f"a step needs a range (crons differ on {item}): write {first}-{field.high}/{step}"
    return _problem_with_step(field, step)


def _problem_with_range(field: _Field, first: str, last: str) -> str | None:
    low, high = _value(field, first), _value(field, last)
    if low is not None and high is not None and low > high:
        return f"the range {first}-{last} runs backwards: write {first}-{field.high},{field.low}-{last}"
    return None


def _problem_with_step(field: _Field, step: str | None) -> str | None:
    if step is None or 1 <= int(step) <= field.steps:
        return None
    return f"the step {step} is not in 1 to {field.steps}"


def _value(field: _Field, word: str) -> int | None:
    """The number that a word stands for; None if the field does not take it."""
    if word in field.words:
        return field.words.index(word) + (1 if field.low == 1 else 0)
    if not _NUMBER.fullmatch(word):
        return None
    return int(word) if field.low <= int(word) <= field.high else None


def _no_value(field: _Field, word: str) -> str:
    return f"{word} is not in {field.low} to {field.high}" if word.isdigit() else f"{word!r} is no name"


def _comes(schedule: str) -> bool:
    """Whether there is a next time at all: 31 February has none."""
    try:
        return next(CronSim(schedule, _START), None) is not None
    except CronSimError:  # a day that none of the months has
        return False
