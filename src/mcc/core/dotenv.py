"""``.env``: variables, one a line, as systemd's ``EnvironmentFile=`` and shells read them."""

from __future__ import annotations

import re

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"(?:\s+#.*)?')
_SINGLE = re.compile(r"'([^']*)'(?:\s+#.*)?")


def variables(text: str) -> dict[str, str]:
    """Names and values; lines of another form are left out. Nothing is expanded."""
    matches = (_LINE.fullmatch(line) for line in text.splitlines())
    return {match[1]: _value(match[2]) for match in matches if match}


def _value(written: str) -> str:
    if double := _DOUBLE.fullmatch(written):
        return re.sub(r"\\(.)", r"\1", double[1])
    if single := _SINGLE.fullmatch(written):
        return single[1]
    return re.split(r"\s+#", written, maxsplit=1)[0]
