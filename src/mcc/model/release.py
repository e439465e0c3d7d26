"""A release: one version over all components, its environment, its build, its state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mcc.model.build import BuildInfo

State = Literal["live", "good", "bad", "failed", "pruned"]


@dataclass(frozen=True, slots=True)
class Release:
    """What the ledger knows of one version.

    ``folders`` are its version folders and ``links`` its ``(link, target)`` pairs, both relative
    to the site's base; ``environment`` is the name below ``venvs/``. ``at`` and ``live_at`` are
    ISO times in UTC. ``good``: it was live and may be gone back to.

    ``origin`` is ``adopted`` for a release that mcc found live and did not make; ``fingerprint`` tells whether
    somebody has changed its environment since. ``back_from`` is the release that was live before, if mcc rollback
    brought this one live.

    ``bad``: why somebody never wants it back (``mcc rollback --mark-bad``), with who that was and when; such a release
    is ``bad`` as soon as another one is live.
    """

    name: str
    state: State
    at: str
    run: str
    stage: str = ""
    by: str = ""
    folders: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    environment: str | None = None
    services: tuple[str, ...] = ()
    manager: str = ""
    build: BuildInfo = field(default_factory=BuildInfo)
    error: str = ""
    origin: str = ""
    fingerprint: str = ""
    back_from: str = ""
    bad: str = ""
    bad_by: str = ""
    bad_at: str = ""
