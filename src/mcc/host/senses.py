"""What a look at a server needs to know beyond what a run does: nothing here changes anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from mcc.host.access import Facts, facts, may
from mcc.host.certificates import certificate
from mcc.host.postgres.capacity import Capacity, capacity
from mcc.model.database import PostgresDatabase

Trust = Literal["good", "expired", "not-trusted", "wrong-name", "unreachable"]


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a domain's https server shows. ``until`` is in UTC, None where nobody could read it."""

    domain: str
    trust: Trust
    until: datetime | None = None
    reason: str = ""


class Senses(Protocol):
    """How the machine and its neighbours are."""

    def facts(self, path: Path) -> Facts | None:
        """Owner, group and mode of what is there; links are not followed. None: nothing, or not to be seen."""
        ...

    def may(self, user: str, path: Path, rights: str) -> bool:
        """Whether a user has all of ``rights`` (``rwx``) on what is there, folders above aside.

        Groups and access control lists count. True where it cannot be told.
        """
        ...

    def certificate(self, domain: str, timeout: float) -> Certificate:
        """The certificate that ``domain:443`` shows to a visitor of this machine."""
        ...

    def capacity(self, target: PostgresDatabase, passwords: dict[Path, str]) -> Capacity:
        """How many connections a server takes, and has. Raises MigrationFailed."""
        ...


class RealSenses:
    """This machine."""

    def facts(self, path: Path) -> Facts | None:
        return facts(path)

    def may(self, user: str, path: Path, rights: str) -> bool:
        return may(user, path, rights)

    def certificate(self, domain: str, timeout: float) -> Certificate:
        trust, until, reason = certificate(domain, 443, timeout)
        return Certificate(domain, trust, until, reason)

    def capacity(self, target: PostgresDatabase, passwords: dict[Path, str]) -> Capacity:
        return capacity(target, passwords)
