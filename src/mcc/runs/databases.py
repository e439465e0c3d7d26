"""The databases of a site for one run, with their password where only this run finds it.

A password of the conf or the environment goes into a file of the run (mode 0600), so that a recovery has it
too and no argument list, journal or log. While a run is planned, the file is not there yet: the host knows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from mcc.core.databases import password, targets, with_password_file
from mcc.core.layout import Site
from mcc.core.pgpass import pgpass
from mcc.errors import SiteError
from mcc.host.ports import Host
from mcc.model.conf import Conf
from mcc.model.database import Target


@dataclass(frozen=True, slots=True)
class SiteDatabases:
    """``host`` can look at ``targets`` already; ``kept`` belongs to :class:`mcc.runs.work.Prepared`."""

    host: Host
    targets: tuple[Target, ...]
    kept: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def site_databases(conf: Conf, site: Site, host: Host, run: str, name: str = "pgpass") -> SiteDatabases:
    """The databases that a conf speaks of. ``site`` is the one of the run; ``name`` that of the file.

    Raises SiteError for an address that is none.
    """
    try:
        found = targets(conf, site)
        secret = password(conf.database, {}) if conf.database.kind == "postgresql" else None
        text = pgpass(secret) if secret else ""
    except ValueError as error:
        raise SiteError(f"{conf.path.name}: {error}") from error
    if not text:
        return SiteDatabases(host, found)
    file = site.kept(run) / name
    knowing = dataclasses.replace(host, postgres=host.postgres.knowing({file: text}))
    return SiteDatabases(knowing, with_password_file(found, file), {name: text.encode()})
