"""The text that the build gave this release."""

from functools import cache
from pathlib import Path


@cache
def version() -> str:
    """Read once: a process belongs to one release."""
    file = Path(__file__).with_name("VERSION")
    return file.read_text().strip() if file.is_file() else "unbuilt"
