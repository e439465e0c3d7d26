"""Who owns which folder of a site, and who else may do what in it: ``OWNERSHIP: acl``.

The deploy user owns what it makes. The service user (``DIR_USER``) reads releases, environments and scripts, and
writes in four places: ``domains/``, ``data/``, ``logs/`` and ``run/``. What is made there by one of the two can be
written by the other: default entries (acl(5)) say so, whatever the umask. Names of the deploy user in ``domains/``,
``logs/`` and ``run/`` cannot be taken away by the service (sticky bit); the folders with databases lack that bit,
since SQLite removes the side files of whoever was there before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mcc.core.acl import canonical
from mcc.core.backups import root_of
from mcc.core.layout import Site
from mcc.core.slots import template_of
from mcc.model.conf import Conf

Use = Literal["passed", "read", "written", "private"]
"""What the service user does in a folder: goes through it, reads all below it, writes in it, or nothing at all."""

WEB_USER = "www-data"
"""Who nginx runs as, where a machine has that user: it connects to the sockets of two slots."""

_STICKY = 0o1000
_SETGID = 0o2000


VARIABLES_MODE = 0o640
"""Of a ``.env`` with a list: its group's bits are what the list grants at most, and the group itself gets nothing."""


def variables_acl(user: str) -> tuple[str, ...]:
    """The list of a ``.env`` that the services read as their user."""
    return canonical(("u::rw-", f"u:{user}:r--", "g::---", "m::r--", "o::---"))


def closing(path: Path, reader: str = "", acl: Iterable[str] = ()) -> str:
    """What a person types to close ``.env`` to all but its owner and ``reader``. ``acl``: the list that it has."""
    if reader:
        return f"setfacl --set {','.join(variables_acl(reader))} {path}"
    return f"{f'setfacl -b {path} && ' if [*acl] else ''}chmod 600 {path}"


@dataclass(frozen=True, slots=True)
class FolderRule:
    """One folder of a site.

    ``group`` is empty for the login group of ``owner``, ``owner`` for whoever deploys. ``mode`` has the set-gid and
    sticky bits too. ``acl`` is the folder's whole access control list in the words of setfacl(1), for ``--set``;
    entries with ``d:`` are for what is made in it. It is empty for folders that have none.
    """

    path: Path
    owner: str
    group: str
    mode: int
    acl: tuple[str, ...]
    use: Use

    @property
    def owners(self) -> str:
        """``owner:group`` as chown(1) takes it."""
        return f"{self.owner}:{self.group}"


def folders(conf: Conf, web: str = "") -> tuple[FolderRule, ...]:
    """The folders of a site, those above before those below; the same whatever ``OWNERSHIP`` says.

    ``web``: the web server's user, who gets through to the sockets of two slots.
    """
    site, rule = Site(conf.server.base), _Maker(conf)
    backups = root_of(conf.backup.path, site.base)
    parts = [component.folder for component in conf.components] if conf.components is not None else ["api", "ui"]
    return (
        rule.passed(site.base),
        rule.private(site.own),
        *((rule.private(backups),) if site.base in backups.parents else ()),  # elsewhere it is not ours alone
        *(rule.read(path) for part in parts for path in _each(site.base, part)),
        *(rule.read(path) for path in (site.environments, site.scripts, site.maintenance)),
        *((rule.written(site.domains, sticky=True),) if conf.domains else ()),
        *(rule.written(site.domains / domain) for domain in conf.domains),
        rule.written(site.data),
        rule.written(site.logs, sticky=True),
        rule.sockets(site.run, web if template_of(conf.services) else ""),
    )


def _each(base: Path, part: str) -> list[Path]:
    """``parts/api``: both folders."""
    path = base / part
    return [*(above for above in reversed(path.parents) if base in above.parents), path]


class _Maker:
    """Makes the rules of one site."""

    def __init__(self, conf: Conf) -> None:
        self._owner = conf.server.user or ""
        self._group = conf.ownership.group or ""
        self._service = conf.ownership.user or ""

    def passed(self, path: Path) -> FolderRule:
        """The service may look, but what is made here is not for it to read by itself."""
        return self._rule(path, _SETGID | 0o755, "passed", (*_base("rwx", "r-x", "r-x"), *self._named("r-x")))

    def read(self, path: Path) -> FolderRule:
        entries = (*_base("rwx", "r-x", "r-x"), *self._named("r-x"))
        return self._rule(path, _SETGID | 0o755, "read", (*entries, *(f"d:{entry}" for entry in entries)))

    def written(self, path: Path, sticky: bool = False) -> FolderRule:
        """Both users write, others do not even look; both are named, since either may own what is made here."""
        owner = (f"u:{self._owner}:rwx",) if self._owner else ()
        entries = (*_base("rwx", "rwx", "---"), *owner, *self._named("rwx"))
        mode = _SETGID | (_STICKY if sticky else 0) | 0o770
        return self._rule(path, mode, "written", (*entries, *(f"d:{entry}" for entry in entries)))

    def sockets(self, path: Path, web: str) -> FolderRule:
        """Written in by both, and a third user connects, who does not even see names: the web server's."""
        rule = self.written(path, sticky=True)
        if not web or web in (self._owner, self._service):
            return rule
        return replace(rule, acl=(*rule.acl, f"u:{web}:--x", f"d:u:{web}:rw-"))

    def private(self, path: Path) -> FolderRule:
        return self._rule(path, 0o700, "private", ())

    def _named(self, rights: str) -> tuple[str, ...]:
        if not self._service or self._service == self._owner:
            return ()
        return (f"u:{self._service}:{rights}",)

    def _rule(self, path: Path, mode: int, use: Use, entries: tuple[str, ...]) -> FolderRule:
        return FolderRule(path, self._owner, self._group, mode, entries, use)


def _base(owner: str, group: str, others: str) -> tuple[str, ...]:
    """The entries that every list has; the mask is what the group and named users may have at most."""
    return f"u::{owner}", f"g::{group}", f"m::{group}", f"o::{others}"
