"""Whether a site is in maintenance, and what visitors see then."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from mcc.core.layout import Site
from mcc.core.maintenance import Maintained, read_switch
from mcc.errors import SiteError
from mcc.host.ports import Files
from mcc.model.conf import Conf


def maintained(site: Site, files: Files) -> Maintained | None:
    """Since when and by whom a site rests; None: it does not."""
    kind = files.kind(site.maintenance_switch)
    if kind == "absent":
        return None
    return read_switch(files.read(site.maintenance_switch)) if kind == "file" else Maintained()


def maintenance_data(site: Site, files: Files) -> dict[str, Any] | None:
    """The same for programs."""
    found = maintained(site, files)
    return dataclasses.asdict(found) if found else None


def page_source(conf: Conf, output: Path, files: Files) -> Path | None:
    """``MAINTENANCE_PAGE`` in the output; None: the conf names none. Raises SiteError."""
    if conf.maintenance.page is None:
        return None
    source = output / conf.maintenance.page
    if files.kind(source) != "file":
        raise SiteError(f"MAINTENANCE_PAGE: {conf.maintenance.page} is not in {output}", help=f"see {conf.path.name}")
    return source
