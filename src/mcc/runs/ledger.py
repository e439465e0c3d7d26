"""The ledger of a site, read."""

from __future__ import annotations

from mcc.core import ledger as ledgers
from mcc.core.layout import Site
from mcc.core.ledger import Ledger
from mcc.host.ports import Files


def read_ledger(files: Files, site: Site) -> Ledger:
    """The site's releases; none for a site that is new."""
    if files.kind(site.ledger) != "file":
        return Ledger()
    return ledgers.read(files.read(site.ledger))
