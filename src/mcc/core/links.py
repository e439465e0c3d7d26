"""Where the links of a site lead, seen from its base."""

from __future__ import annotations

import os.path
from pathlib import Path


def inside(base: Path, target: str) -> str | None:
    """A link's target as a path from the site's base on (a script writes absolute ones); None if it leads out."""
    path = os.path.normpath(base / target)
    relative = os.path.relpath(path, base)
    return None if relative == "." or relative.split("/")[0] == ".." else relative
