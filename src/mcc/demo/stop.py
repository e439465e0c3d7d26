"""Ends what a demo left running: ``python -m mcc.demo.stop FOLDER``; also removes the folder."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from mcc.demo.side import manager_of
from mcc.errors import SiteError

SIDES = ("mcc", "script")
_STOP = "#!/bin/sh\n# Ends the services of this demo and removes its folder.\nexec {words}\n"


def place_stop(folder: Path) -> Path:
    """Put the command that ends a kept demo into its folder; it is what marks the folder as a demo's."""
    words = shlex.join((sys.executable, "-P", "-m", "mcc.demo.stop", str(folder)))
    (folder / "stop").write_text(_STOP.format(words=words))
    (folder / "stop").chmod(0o755)
    return folder / "stop"


def stop_services(folder: Path) -> None:
    """End all services of both sides; those that do not run are fine."""
    for name in SIDES:
        if (folder / name / "site" / ".mcc" / "embedded").is_dir():
            manager_of(folder / name / "site").shutdown()


def remove(folder: Path, itself: bool = True) -> None:
    """End the services, and remove what the demo made. Raises SiteError if no demo made this folder."""
    if not (folder / "stop").is_file():
        raise SiteError(f"{folder} is not the folder of a demo")
    stop_services(folder)
    if itself:
        shutil.rmtree(folder)
        return
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


if __name__ == "__main__":
    try:
        remove(Path(sys.argv[1]))
    except SiteError as error:
        sys.exit(error.message)
