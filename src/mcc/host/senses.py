"""What a look at a server needs to know beyond what a run does: nothing here changes anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from mcc.model.database import PostgresDatabase

Trust = Literal["good", "expired", "not-trusted", "wrong-name", "unreachable"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a domain's https server shows. ``until`` is in UTC, None where nobody could read it."""

    domain: str
    trust: Trust
    until: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Capacity:
    """A PostgreSQL server. ``free``: connections that this user may still make; ``most``: all of them."""

    version: str
    most: int
    free: int


class Senses(Protocol):
    """How the machine and its neighbours are."""

    def may(self, user: str, path: Path, rights: str) -> bool:
        """Whether a user has all of ``rights`` (``rwx``) on what is there, folders above aside.

        Groups and access control lists count; links are not followed. True where it cannot be told.
        """
        ...

    def certificate(self, domain: str, timeout: float) -> Certificate:
        """The certificate that ``domain:443`` shows to a visitor of this machine."""
        ...

    def capacity(self, target: PostgresDatabase, passwords: Mapping[Path, str]) -> Capacity:
        """How many connections a server takes, and has. ``passwords``: contents of files that are not written.

        Raises MigrationFailed.
        """
        ...
