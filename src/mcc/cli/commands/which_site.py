"""The site that a command is about, by ``--site`` or by ``--stage``; nothing but its place is read."""

from __future__ import annotations

from pathlib import Path

from mcc.core.layout import Site
from mcc.errors import UsageError
from mcc.host.files import RealFiles
from mcc.host.settings import stage_base


def site_of(stage: str | None, base: Path | None, *, new: bool = False) -> Site:
    """The site; with ``new`` also one that is not there yet, if a stage names it. Raises Refused."""
    if (base is None) == (stage is None):
        raise UsageError("which site?", help="--site DIR, or --stage S in an output folder")
    site = Site((base or stage_base(Path.cwd(), str(stage))).absolute())
    kind = RealFiles().kind(site.base)
    if kind not in ("folder", "link", "absent"):
        raise UsageError(f"{site.base} is a {kind}, not a site", help="name the folder: its REMOTE_BASE")
    if kind == "absent" and not (new and base is None):
        help = "make the folder first, if this is to be a site" if new else "nothing has been deployed there yet"
        raise UsageError(f"there is no site at {site.base}", help=help)
    return site
