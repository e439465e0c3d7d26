"""By which names root's files of a site are known, to those who write them and to those who look for them."""

from __future__ import annotations

import re
from pathlib import Path

UNITS = Path("/etc/systemd/system")
PROGRAMS = Path("/usr/local/lib/mcc")
_AT_BOOT = UNITS / "multi-user.target.wants"


def marker(base: Path) -> str:
    """The first line of every file that provision writes for a site: by it mcc knows its own."""
    return f"# made by mcc for {base}"


def site_name(base: Path) -> str:
    """The last part of ``REMOTE_BASE`` as file names and units can hold it; sudo skips names with a dot."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", base.name)


def recovery_unit(base: Path) -> str:
    """The unit that ends a site's dead runs at boot."""
    return f"mcc-recover-{site_name(base)}.service"


def recovery_files(base: Path) -> tuple[Path, Path]:
    """The unit's file, and the link by which systemd starts it at boot."""
    name = recovery_unit(base)
    return UNITS / name, _AT_BOOT / name


def start_program(base: Path) -> Path:
    """Root's program that starts the services of a site: it reads ``.env`` as their user."""
    return PROGRAMS / f"start-{site_name(base)}.pl"


def is_ours(text: bytes, base: Path) -> bool:
    """Whether a file begins with the marker of this site."""
    return text.partition(b"\n")[0] == marker(base).encode("utf-8", "surrogateescape")
