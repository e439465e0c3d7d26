"""What a service of the site may not do (systemd.exec(5)).

The whole file system is read-only to it but for the folders where the application keeps its data. Left out, because
applications need them: a ban of memory that is written and run (just-in-time compilers), of namespaces (the sandbox
of a browser), and of set-gid bits (a copy of a folder below ``OWNERSHIP: acl`` has one).
"""

from __future__ import annotations

from mcc.core.backups import root_of
from mcc.core.layout import Site
from mcc.model.conf import Conf
from mcc.provision.units.words import word

_ALWAYS = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
# Readable, as far as its modes allow: the site, and the interpreter that uv keeps in a home.
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictRealtime=yes
LockPersonality=yes
SystemCallArchitectures=native
"""


def hardening(conf: Conf) -> str:
    """The lines of ``[Service]``. Folders that are not there yet are left out at a start (the ``-``)."""
    site = Site(conf.server.base)
    if conf.domains:
        return _ALWAYS + _line("ReadWritePaths", site.domains, site.data, site.logs, site.run)
    # SQLite makes files beside data.db: the site itself must be written, so that all else is closed one by one.
    parts = [component.folder for component in conf.components] if conf.components is not None else ["api", "ui"]
    kept = root_of(conf.backup.path, site.base)
    closed = [site.base / part.split("/")[0] for part in parts]
    closed += [site.environments, site.scripts, site.maintenance, site.own]
    closed += [kept] if site.base in kept.parents else []
    return _ALWAYS + _line("ReadWritePaths", site.base) + _line("ReadOnlyPaths", *closed)


def _line(setting: str, *paths: object) -> str:
    return f"{setting}={' '.join(word(f'-{path}') for path in dict.fromkeys(paths))}\n"
