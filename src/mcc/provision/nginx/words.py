"""Words as nginx reads them."""

from __future__ import annotations

from pathlib import Path


def quoted(text: str | Path) -> str:
    """One word, in quotes; a ``$`` in it would begin a variable, whatever the quotes."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
