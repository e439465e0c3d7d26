"""Where the site is, and the databases in it."""

import os
from collections.abc import Iterator
from pathlib import Path

SIGNS = ("current-api", "domains", "data.db")


def site_base() -> Path:
    """The folder that holds `domains/` or `data.db`.

    `NOTES_BASE` says it; otherwise it is the first folder with a sign of a site, going up from
    the working directory (`<base>/current-api`), then from this file.
    """
    said = os.environ.get("NOTES_BASE")
    if said:
        return Path(said)
    for folder in _upwards():
        if any((folder / sign).exists() for sign in SIGNS):
            return folder
    raise RuntimeError(f"no site here: set NOTES_BASE to the folder that holds one of {', '.join(SIGNS)}")


def databases(base: Path) -> dict[str, Path]:
    """Every database by its domain, in order of their names; one tenant without domains is called `notes`."""
    found = {path.parent.name: path for path in sorted((base / "domains").glob("*/data.db"))}
    if found or (base / "domains").is_dir():
        return found
    single = base / "data.db"
    return {"notes": single} if single.is_file() else {}


def _upwards() -> Iterator[Path]:
    for start in (Path.cwd(), Path(__file__).resolve().parent):
        yield start
        yield from start.parents
