"""What changes in a crontab, for a reader: lines that go and lines that come, without their secrets."""

from __future__ import annotations

import difflib
import re

from mcc.core.masking import MASK, Masker, is_secret_name, url_passwords

_ASSIGNED = re.compile(r"\b([A-Za-z_]\w*)(\s*=\s*)(\"[^\"]*\"|'[^']*'|[^\s;&|]+)")


def changes(before: bytes, after: bytes) -> tuple[str, ...]:
    """``- `` and ``+ `` before each line that goes or comes, in their order; nothing of what stays."""
    old, new = _lines(before), _lines(after)
    shown: list[str] = []
    for kind, start, end, first, last in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            shown += [f"- {line}" for line in old[start:end]] + [f"+ {line}" for line in new[first:last]]
    return tuple(without_secrets(line) for line in shown)


def without_secrets(line: str) -> str:
    """A line with ``***`` for passwords of addresses and for what is assigned to names of secrets.

    What is no letter, and could be a command to a terminal, is spelt out.
    """
    hidden = "".join(map(_printable, Masker(url_passwords(line)).mask(line)))
    return _ASSIGNED.sub(lambda match: f"{match[1]}{match[2]}{MASK}" if is_secret_name(match[1]) else match[0], hidden)


def _printable(char: str) -> str:
    return char if char.isprintable() or char == "\t" else char.encode("unicode_escape").decode()


def _lines(text: bytes) -> list[str]:
    # Not splitlines: a crontab line ends at a line feed alone.
    lines = text.removesuffix(b"\n").split(b"\n") if text else []
    return [line.decode("utf-8", "backslashreplace").rstrip("\r") for line in lines]
