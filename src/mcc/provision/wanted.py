"""What should be on a server for one site, as values: no server is looked at here.

Makers of texts (units, nginx sites, sudoers) give :class:`File`; the whole is :class:`Wanted`. What reads
the server, shows the difference and writes the script knows only these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from mcc.core.provisioned import UNITS, marker

__all__ = [
    "ACME", "CERTIFICATES", "SITES", "SITES_ENABLED", "UNITS", "Certificate", "Checker", "File", "Part", "Templates",
    "marker",
]  # fmt: skip

Part = Literal["packages", "folders", "sudoers", "units", "nginx", "logrotate", "recovery"]
Checker = Literal["", "visudo", "systemd-analyze", "nginx", "logrotate"]

Templates: TypeAlias = Mapping[str, str]
"""A project's own templates: path in the output (``mcc/nginx.template``) to text."""

SITES = Path("/etc/nginx/sites-available")
SITES_ENABLED = Path("/etc/nginx/sites-enabled")
CERTIFICATES = Path("/etc/mcc/certificates")
"""For ``TLS: certbot``: ``<domain>/fullchain.pem`` and ``<domain>/privkey.pem``, links to certbot's files or,
until certbot has run, a self-signed stand-in, so that ``nginx -t`` passes."""

ACME = Path("/var/www/mcc-acme")
"""Where certbot leaves what the authority asks for: nginx serves ``/.well-known/acme-challenge/`` from here."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of root's. ``text`` ends with a line break and holds no secret.

    Makers need not write the marker: :func:`mcc.provision.wish.wish` puts it above every text that lacks it.
    ``checker`` judges the candidate before it is put in place. ``enable``: a unit that systemd starts at
    boot. ``link``: a symbolic link to the file (a site of nginx that is on).
    """

    path: Path
    text: str
    part: Part
    checker: Checker = ""
    mode: int = 0o644
    enable: bool = False
    link: Path | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate that nginx names for a domain.

    ``source`` certbot: the script makes a stand-in at these paths, and later links to certbot's own files;
    files: the owner brings them, and the script refuses if they are not there.
    """

    domain: str
    certificate: Path
    key: Path
    source: Literal["certbot", "files"] = "certbot"
