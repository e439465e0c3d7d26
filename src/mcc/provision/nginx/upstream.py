"""What a site needs at the top level of nginx: the application, and maps for its requests."""

from __future__ import annotations

from mcc.core.layout import Site
from mcc.core.unit_names import is_template
from mcc.model.conf import Conf
from mcc.provision.nginx.words import quoted
from mcc.provision.units.names import site_name, word


def has_application(conf: Conf) -> bool:
    """Whether something answers behind nginx: on a port, or on the sockets of two slots."""
    return conf.api_port is not None or has_slots(conf)


def has_slots(conf: Conf) -> bool:
    return any(is_template(name) for name in conf.services.names)


def zone(conf: Conf) -> str:
    """The beginning of all names that the site defines; every site of a server shares one space of names."""
    return f"mcc_{word(site_name(conf))}"


def upstream(conf: Conf) -> str:
    """The application, the maps, and the zone of the rate limit."""
    parts = [_allowed(conf)]
    if has_application(conf):
        parts += [_application(conf), _upgrade(conf)]
        parts += [_rate(conf)] if conf.web.rate_limit else []
    return "\n".join(parts)


def _application(conf: Conf) -> str:
    socket = Site(conf.server.base).run / "current-api.sock"
    address = quoted(f"unix:{socket}") if has_slots(conf) else f"127.0.0.1:{conf.api_port}"
    return f"""\
upstream {zone(conf)}_app {{
    # Twice the same: what the application drops unanswered while it restarts is asked again, unless it is a POST
    # or the like. No connection is kept open, since a request could be sent into one that is just being closed.
    server {address} max_fails=0;
    server {address} max_fails=0 backup;
}}
"""


def _upgrade(conf: Conf) -> str:
    return f"""\
map $http_upgrade ${zone(conf)}_connection {{
    default upgrade;
    '' close;
}}
"""


def _rate(conf: Conf) -> str:
    return f"limit_req_zone $binary_remote_addr zone={zone(conf)}_rate:10m rate={conf.web.rate_limit};\n"


def _allowed(conf: Conf) -> str:
    """Who passes while the site rests."""
    rows = "".join(f"    {network} 1;\n" for network in conf.maintenance.allow)
    return f"geo ${zone(conf)}_allowed {{\n    default 0;\n{rows}}}\n"
