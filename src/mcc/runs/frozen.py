"""Whether a site is frozen, and what is refused then."""

from __future__ import annotations

import dataclasses
import shlex
from typing import Any

from mcc.core.freeze import Frozen, read_frozen
from mcc.core.layout import Site
from mcc.errors import SiteError
from mcc.host.ports import Files


def frozen(site: Site, files: Files) -> Frozen | None:
    """By whom, since when and why a site is frozen; None: it is not. Anything of that name freezes it."""
    kind = files.kind(site.frozen)
    if kind == "absent":
        return None
    try:
        return read_frozen(files.read(site.frozen)) if kind == "file" else Frozen()
    except FileNotFoundError:
        return None  # gone since
    except OSError:
        return Frozen()  # another user's, closed to us


def frozen_data(site: Site, files: Files) -> dict[str, Any] | None:
    """The same for programs."""
    found = frozen(site, files)
    return dataclasses.asdict(found) if found else None


def refuse_frozen(site: Site, files: Files) -> None:
    """Raise SiteError that says who froze the site, since when and why, if somebody did."""
    found = frozen(site, files)
    if found is not None:
        help = f"when that is over: mcc unfreeze --site {shlex.quote(str(site.base))}"
        raise SiteError(f"{site.base} is frozen {found.words}", help=help)
