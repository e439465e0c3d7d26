"""Changing ``.env``: one line a variable, everything else stays letter by letter.

What is written is read the same way by us, by systemd and by a shell; what would not be is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mcc.core.conf.unfit import Unfit
from mcc.core.dotenv import Assignment, assignments, for_systemd, is_name, variables

_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=^-]*", re.ASCII)
_NEEDS_BACKSLASH = re.compile(r'["\\$`]')
LONGEST = 32 * 1024
"""Bytes of a value: a process takes 128 KiB for one, and a file of variables is read up to 64 KiB."""


def line_for(name: str, value: str) -> str:
    """``NAME=value``, quoted where it must be. Raises Unfit; the value is in no message."""
    if not is_name(name):
        raise Unfit(f"{name!r} is no name of a variable", "allowed: letters, digits and _, not a digit first")
    bad = next((char for char in value if not char.isprintable() and char != "\t"), None)
    if bad is not None:
        what = "a line break" if bad in "\r\n" else f"the character {bad!r}"
        raise Unfit(f"the value of {name} has {what} in it", "keep it in a file, which {{file:PATH}} reads")
    if len(value.encode("utf-8", "surrogatepass")) > LONGEST:
        raise Unfit(f"the value of {name} is longer than {LONGEST // 1024} KiB", "keep it in a file")
    if _PLAIN.fullmatch(value):
        return f"{name}={value}"
    return f'{name}="{_NEEDS_BACKSLASH.sub(lambda match: f"{chr(92)}{match[0]}", value)}"'


def with_variables(text: str, values: Mapping[str, str]) -> str:
    """The text with these values: each where its name was given last, a new one at the end. Raises Unfit."""
    changed = text
    for name, value in values.items():
        changed = _with_one(changed, name, line_for(name, value))
    return _proved(text, changed, values, ())


def without_variables(text: str, names: Iterable[str]) -> str:
    """The text without these variables. Raises Unfit."""
    gone, changed = tuple(names), text
    for name in gone:
        for each in reversed(_given(changed, name)):
            changed = _cut(changed, each)
    return _proved(text, changed, {}, gone)


def _with_one(text: str, name: str, line: str) -> str:
    given = _given(text, name)
    if not given:
        return f"{text}{_line_end(text)}{line}\n"
    *others, last = given
    text = text[: last.start] + line + text[last.end :]
    for each in reversed(others):
        text = _cut(text, each)
    return text


def _given(text: str, name: str) -> list[Assignment]:
    return [each for each in assignments(text) if each.name == name]


def _cut(text: str, each: Assignment) -> str:
    """Without an assignment, its indentation and the end of its line."""
    start = text.rfind("\n", 0, each.start) + 1
    end = text.find("\n", each.end)
    return text[:start] + (text[end + 1 :] if end >= 0 else "")


def _line_end(text: str) -> str:
    return "" if not text or text.endswith("\n") else "\n"


def _proved(before: str, after: str, values: Mapping[str, str], gone: Iterable[str]) -> str:
    """``after``, if it means what it should, and the same as before for every other variable."""
    for read in (variables, for_systemd):
        wanted = {name: value for name, value in {**read(before), **values}.items() if name not in gone}
        if read(after) != wanted:
            message = "a quote or a backslash in the file makes one variable of several lines"
            raise Unfit(message, "put it right by hand")
    return after
