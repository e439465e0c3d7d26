"""What all looks at a server share."""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from mcc.core.layout import Site
from mcc.core.ledger import Ledger
from mcc.core.looks.findings import Finding
from mcc.deploy.request import Request
from mcc.host.ports import Host
from mcc.host.senses import Senses
from mcc.model.conf import Component, Conf
from mcc.model.release import Release


@dataclass(frozen=True, slots=True)
class Scene:
    """A site on this machine. ``request`` and ``components`` are there where an output folder is."""

    host: Host
    senses: Senses
    site: Site
    conf: Conf
    ledger: Ledger
    request: Request | None = None
    components: tuple[Component, ...] = ()
    tool: str = field(default="", repr=False)
    """The version of mcc that runs."""

    @property
    def live(self) -> Release | None:
        return self.ledger.live

    @property
    def serves(self) -> bool:
        """Whether something is live, by mcc or by a script that was there before."""
        return self.live is not None or any(
            self.host.files.kind(self.site.base / link) == "link" for link in self.links
        )

    @property
    def user(self) -> str:
        """Whoever deploys."""
        return self.host.machine.user()

    @property
    def service_user(self) -> str | None:
        """Whoever runs the services, if that is somebody else."""
        user = self.conf.ownership.user
        return user if user is not None and user != self.user else None

    @property
    def links(self) -> tuple[str, ...]:
        """The links of the site that a deploy switches."""
        found = [link for link, _ in self.live.links] if self.live else []
        found += [link for component in self.components for link, _ in component.links]
        return tuple(dict.fromkeys(found))

    @property
    def by_systemd(self) -> bool:
        return self.conf.services.manager == "systemd"

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of the site that hold versions."""
        found = [str(Path(folder).parent) for folder in self.live.folders] if self.live else []
        return tuple(dict.fromkeys([*(component.folder for component in self.components), *found]))

    def end_of(self, path: Path) -> Path:
        """Where a path leads to in the end; a circle of links ends anywhere on it."""
        for _ in range(20):
            if self.host.files.kind(path) != "link":
                break
            path = self.next_of(path)
        return path

    def next_of(self, link: Path) -> Path:
        """Where a link leads to, one link far."""
        target = Path(self.host.files.read_link(link))
        return target if target.is_absolute() else Path(os.path.normpath(link.parent / target))


Look: TypeAlias = Callable[[Scene], Iterator[Finding]]
"""One kind of look; it changes nothing."""
