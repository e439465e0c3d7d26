"""The sudoers file of a site: what the deploy user may run as root, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mcc.core.layout import Site
from mcc.core.provisioned import site_name
from mcc.core.sudo import required, sudoers_line, useful
from mcc.model.conf import Component, Conf
from mcc.provision.wanted import File

SUDOERS = Path("/etc/sudoers.d")


def sudoers_file(conf: Conf, user: str, components: Sequence[Component]) -> File | None:
    """One line a command, made from the one list of commands; None where a deploy needs no root at all."""
    commands = (*required(conf, owned_paths(conf, components)), *useful(conf))
    if not commands:
        return None
    head = (
        f"# What {user} may run as root for this site. sudo compares whole command lines, letter by letter:",
        "# another verb, another unit, another path or one word more is refused.",
    )
    lines = (*head, *(sudoers_line(user, words) for words in commands))
    path = SUDOERS / f"mcc-{site_name(conf.server.base)}"
    return File(path, "\n".join(lines) + "\n", "sudoers", "visudo", 0o440)


def owned_paths(conf: Conf, components: Iterable[Component]) -> tuple[Path, ...]:
    """What a deploy with ``OWNERSHIP: sudo`` hands to the service user."""
    site = Site(conf.server.base)
    folders = [site.base / component.folder for component in components]
    single = conf.database.kind in (None, "sqlite") and not conf.domains
    paths = [*folders, *([site.domains] if conf.domains else []), site.logs, site.data]
    return tuple(dict.fromkeys([*paths, *([site.single_database] if single else [])]))
