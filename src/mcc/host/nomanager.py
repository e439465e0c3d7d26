"""``SERVICE_MANAGER: none``: services are somebody else's business."""

from __future__ import annotations

from mcc.model.service import ServiceState


class NoManager:
    """Keeps the names and starts nothing; every service counts as up."""

    def state(self, name: str) -> ServiceState:
        return ServiceState(name=name, known=True, active=True, words="not managed (SERVICE_MANAGER: none)")

    def status(self, name: str) -> tuple[str, ...]:
        return (f"{name} is not managed here (SERVICE_MANAGER: none)",)

    def may_stop(self, name: str) -> bool:
        return False

    def definition(self, name: str) -> bytes | None:
        return None

    def restart(self, name: str, definition: bytes | None = None) -> None:
        """Nothing is restarted."""

    def stop(self, name: str) -> None:
        """Nothing is stopped."""
