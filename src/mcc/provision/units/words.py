"""Words as systemd reads them in unit files (systemd.syntax(7), systemd.unit(5), systemd.service(5))."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./%$-]+", re.ASCII)


def literal(text: str) -> str:
    """Text in which no specifier is looked for: ``%`` begins one. A last backslash would go on with the next line."""
    odd = (len(text) - len(text.rstrip("\\"))) % 2
    return text.replace("%", "%%") + "\\" * odd


def path_value(path: Path | str) -> str:
    """A path as the whole value of a setting: it takes no quotes, and blanks in it are fine."""
    return literal(str(path))


def word(text: str) -> str:
    """One word of a list, in quotes where it needs them."""
    escaped = text.replace("%", "%%")
    if _PLAIN.fullmatch(escaped):
        return escaped
    quoted = escaped.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


def words(texts: Iterable[str]) -> str:
    """Words of a list."""
    return " ".join(map(word, texts))


def command(texts: Iterable[str], slot: bool = False) -> str:
    """The words of a command, where ``$`` begins a variable. ``%i`` is left alone for a ``slot``."""
    line = words(text.replace("$", "$$") for text in texts)
    return line.replace("%%i", "%i") if slot else line
