"""Which domains and which port of a site are somebody else's on this machine, by the files that are there."""

from __future__ import annotations

from mcc.core.provisioned import UNITS
from mcc.host.ports import Host
from mcc.provision.nginx.collisions import Collision, collisions, port_collisions
from mcc.provision.server.look_around import texts
from mcc.provision.wanted import SITES_ENABLED
from mcc.provision.wish import Wish

_CONF_D = SITES_ENABLED.parent / "conf.d"


def taken(wish: Wish, host: Host) -> tuple[Collision, ...]:
    """What other sites of nginx and other units have; files that only root may read are left out."""
    own = {str(path) for file in wish.files for path in (file.path, file.link) if path}
    sites = {**texts(SITES_ENABLED, (), host.files), **texts(_CONF_D, (".conf",), host.files)}
    found = collisions({str(path): text for path, text in sites.items()}, wish.domains, own)
    if wish.port is None or not wish.wants("units"):
        return found
    units = texts(UNITS, (".service", ".socket"), host.files)
    return found + port_collisions({str(path): text for path, text in units.items()}, wish.port, own)
