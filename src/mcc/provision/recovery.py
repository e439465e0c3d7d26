"""A unit that ends deploys which a reboot cut short, as the deploy user.

Root runs nothing here: systemd starts the site's own mcc as the user who owns it. The unit says nothing of
``NoNewPrivileges``, since going back restarts services by sudo.
"""

from __future__ import annotations

from mcc.core.layout import Site
from mcc.core.provisioned import UNITS, recovery_unit
from mcc.core.slots import units_of
from mcc.model.conf import Conf
from mcc.provision.units.words import literal
from mcc.provision.wanted import File


def recovery_file(conf: Conf, user: str) -> File:
    """``mcc-recover-<site>.service``; it begins when the site's services have been started."""
    site = Site(conf.server.base)
    after = " ".join(("network.target", "nginx.service", "postgresql.service", *_services(conf)))
    text = f"""\
[Unit]
Description=End what a reboot interrupted in {literal(str(site.base))}
After={after}
ConditionPathExists={_unit_text(str(site.tool_command))}

[Service]
Type=oneshot
User={user}
ExecStart={_word(str(site.tool_command))} recover --site {_word(str(site.base))}
TimeoutStartSec=1h

[Install]
WantedBy=multi-user.target
"""
    return File(UNITS / recovery_unit(site.base), text, "recovery", "systemd-analyze", enable=True)


def _services(conf: Conf) -> tuple[str, ...]:
    names = units_of(conf.services) if conf.services.manager == "systemd" else ()
    return tuple(name if "." in name else f"{name}.service" for name in names)


def _unit_text(text: str) -> str:
    """systemd.unit(5): a percent sign begins a specifier."""
    return text.replace("%", "%%")


def _word(text: str) -> str:
    """systemd.service(5): a word of a command line."""
    plain = _unit_text(text).replace("$", "$$")
    if not set(plain) & set(" \t'\"\\;"):
        return plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
