"""The senses of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mcc.host.access import may
from mcc.host.certificates import certificate
from mcc.host.postgres.capacity import capacity
from mcc.host.rights import RealRights
from mcc.host.senses import Capacity, Certificate
from mcc.model.database import PostgresDatabase


class RealSenses:
    """The port ``Senses``."""

    def may(self, user: str, path: Path, rights: str) -> bool:
        return may(RealRights(), user, path, rights)

    def certificate(self, domain: str, timeout: float) -> Certificate:
        return certificate(domain, timeout)

    def capacity(self, target: PostgresDatabase, passwords: Mapping[Path, str]) -> Capacity:
        return capacity(target, passwords)
