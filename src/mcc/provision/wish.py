"""All that one site wants of a server, put together from its parts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mcc.core.layout import Site
from mcc.core.ownership import WEB_USER, FolderRule, folders
from mcc.core.provisioned import marker, site_name
from mcc.core.slots import template_of
from mcc.errors import UsageError
from mcc.model.conf import Component, Conf
from mcc.provision.logrotate import logrotate_file
from mcc.provision.recovery import recovery_file
from mcc.provision.sudoers import sudoers_file
from mcc.provision.wanted import Certificate, File, Part

ALL: tuple[Part, ...] = ("packages", "folders", "sudoers", "units", "nginx", "logrotate", "recovery")

# The program that tells whether a package is there, and Debian's name of the package.
_PACKAGES: dict[str, tuple[str, Part]] = {
    "visudo": ("sudo", "sudoers"),
    "setfacl": ("acl", "folders"),
    "crontab": ("cron", "folders"),
    "nginx": ("nginx", "nginx"),
    "openssl": ("openssl", "nginx"),
    "certbot": ("certbot", "nginx"),
    "logrotate": ("logrotate", "logrotate"),
}


@dataclass(frozen=True, slots=True)
class Made:
    """Files and certificates from the makers of units and nginx sites."""

    files: tuple[File, ...] = ()
    certificates: tuple[Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """What should be on the server. ``user`` deploys, ``service`` runs the services (may be empty).

    ``packages`` maps programs to Debian's packages. ``folders`` are made by the deploy user, never by root;
    where the deploy makes its own, ``REMOTE_BASE`` is the only one. ``email``: whom certbot writes to.
    """

    base: Path
    source: str
    parts: frozenset[Part]
    user: str
    group: str
    service: str
    packages: tuple[tuple[str, str], ...]
    folders: tuple[FolderRule, ...]
    files: tuple[File, ...]
    certificates: tuple[Certificate, ...]
    email: str | None
    domains: tuple[str, ...]
    port: int | None
    services: tuple[str, ...]
    needs_uv: bool

    @property
    def name(self) -> str:
        return site_name(self.base)

    @property
    def passing(self) -> tuple[str, ...]:
        """The users that must get through to the site: the service's, and nginx's."""
        web = (WEB_USER,) if any(file.part == "nginx" for file in self.files) else ()
        return tuple(dict.fromkeys(name for name in (self.service, *web) if name and name != self.user))

    def wants(self, part: Part) -> bool:
        return part in self.parts


def wish(conf: Conf, made: Made, components: Sequence[Component], only: Collection[Part] = ()) -> Wish:
    """Everything, or the parts of ``only``. Raises UsageError if the conf does not say who deploys."""
    user = conf.server.user
    if not user:
        help = "add the line REMOTE_USER: and the user who deploys, such as stenvala"
        raise UsageError(f"{conf.path.name} has no REMOTE_USER, and provision sets a server up for it", help=help)
    if user == "root":
        raise UsageError(f"{conf.path.name}: REMOTE_USER is root, who needs no rights", help="name another user")
    parts = frozenset(only or ALL)
    found = [file for file in _files(conf, user, made, components) if file.part in parts]
    files = tuple(_marked(file, conf.server.base) for file in found)
    certificates = made.certificates if "nginx" in parts else ()
    return Wish(
        base=conf.server.base,
        source=conf.path.name,
        parts=parts,
        user=user,
        group=conf.ownership.group or "",
        service=conf.ownership.user or "",
        packages=_packages(parts, files, certificates),
        folders=_folders(conf) if "folders" in parts else (),
        files=files,
        certificates=certificates,
        email=conf.web.email,
        domains=conf.domains if "nginx" in parts else (),
        port=conf.api_port if "units" in parts else None,
        services=conf.services.all if conf.services.manager == "systemd" else (),
        needs_uv=any(component.environment for component in components),
    )


def _files(conf: Conf, user: str, made: Made, components: Sequence[Component]) -> tuple[File, ...]:
    sudoers = sudoers_file(conf, user, components)
    systemd = conf.services.manager == "systemd"
    return (
        *((sudoers,) if sudoers else ()),
        *made.files,
        logrotate_file(conf, user),
        *((recovery_file(conf, user),) if systemd else ()),
    )


def _marked(file: File, base: Path) -> File:
    line = marker(base) + "\n"
    return file if file.text.startswith(line) else replace(file, text=line + file.text)


def _folders(conf: Conf) -> tuple[FolderRule, ...]:
    """The whole table where access lists do the work; else the deploy makes what it needs below the base.

    But for the folder of sockets: a deploy cannot let the service make names beside its own.
    """
    rules = folders(conf, WEB_USER)
    if conf.ownership.mode == "acl":
        return rules
    site = Site(conf.server.base)
    base = (replace(rule, acl=(), mode=0o755) for rule in rules if rule.path == site.base)
    sockets = (rule for rule in rules if rule.path == site.run and template_of(conf.services))
    return (*base, *sockets)


def _packages(
    parts: Collection[Part], files: Sequence[File], certificates: Sequence[Certificate]
) -> tuple[tuple[str, str], ...]:
    """What the other parts need; all of it for ``packages`` alone."""
    served = any(file.part == "nginx" for file in files) or (parts == {"packages"})
    made_up = any(certificate.source == "certbot" for certificate in certificates)
    found = []
    for program, (package, part) in _PACKAGES.items():
        if part not in parts and parts != {"packages"}:
            continue
        if part == "nginx" and not (served and (program == "nginx" or made_up)):
            continue
        found.append((program, package))
    return tuple(found)
