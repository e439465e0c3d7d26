"""What a run is about, and what is to be done for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from mcc.core.layout import Site
from mcc.core.masking import Masker
from mcc.host.ports import Host
from mcc.model.build import BuildInfo
from mcc.model.conf import Services
from mcc.model.plan import Plan
from mcc.model.release import Release
from mcc.runs.notices import Told


@dataclass(frozen=True, slots=True)
class Work:
    """Known before anything is looked at. ``action`` is the word for the reader: ``deploy``, ``backup``.

    ``held_too`` are other sites that nobody may change while this one is worked on; only the lock of
    those is touched. ``although_frozen``: it may be done while somebody has frozen the site. ``told``: who
    is told how it ended; None: whom the live release's conf names. ``ask_first``: what the machine is asked
    before the site is held, and raises Refused; asked again by the plan, it need not take its time a second time.
    """

    site: Site
    action: str
    stage: str
    services: Services
    masker: Masker
    build: BuildInfo | None = None
    held_too: tuple[Site, ...] = ()
    although_frozen: bool = False
    told: Told | None = None
    ask_first: Callable[[Host], None] | None = None

    @property
    def words(self) -> str:
        """As a person would type it."""
        return f"{self.action} --stage {self.stage}" if self.stage else self.action


@dataclass(frozen=True, slots=True)
class Prepared:
    """The plan that was worked out; ``release`` is what it brings live, if it does.

    ``kept``: files that the steps need and that may hold secrets, by their names: they are written beside the
    journal (mode 0600) when it begins, and go with it. ``rehearsal``: all is undone at the end; these words say
    what it could not see.
    """

    plan: Plan
    release: Release | None = None
    kept: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    rehearsal: tuple[str, ...] | None = None


Prepare: TypeAlias = Callable[[Host, str], Prepared]
"""Look, check and plan with a host and the name of the run; nothing is changed. Raises Refused."""
