"""The service manager of a site: systemd, mcc's embedded one, or none."""

from __future__ import annotations

from collections.abc import Callable

from mcc.core.layout import Site
from mcc.host.machine import RealMachine
from mcc.host.ports import Commands, Sudo
from mcc.host.ports import Services as ServicesPort
from mcc.model.conf import Services


def service_manager(
    site: Site, services: Services, commands: Commands, sudo: Sudo, say: Callable[[str], None]
) -> ServicesPort:
    """What runs the services of a site. Each is imported late: a site has one of them."""
    if services.manager == "embedded":
        from mcc.host.embedded import Embedded

        return Embedded(site.base, services.embedded, commands, say=say)
    if services.manager == "none":
        from mcc.host.nomanager import NoManager

        return NoManager()
    from mcc.host.systemd import Systemd

    return Systemd(commands, sudo, RealMachine().user())
