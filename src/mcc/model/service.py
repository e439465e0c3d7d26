"""What a service manager says of one service."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service at one moment.

    ``start_id`` changes with every start (systemd's InvocationID), empty when it never ran.
    ``active_for`` is in seconds, None when it is not active. ``restarts`` counts the automatic
    restarts since the last one that was asked for (systemd.service(5), NRestarts). ``resting``: it did
    its work, ended well and counts as active. ``triggers`` are units that start it, such as a socket.
    ``starting``: it is on its way up, or waits for its next try; ``stopping``: it is on its way down.
    """

    name: str
    known: bool
    active: bool
    words: str
    start_id: str = ""
    active_for: float | None = None
    restarts: int = 0
    failed: bool = False
    resting: bool = False
    triggers: tuple[str, ...] = ()
    starting: bool = False
    stopping: bool = False

    @property
    def running(self) -> bool:
        """Whether there is something to be stopped."""
        return self.active and not self.resting
