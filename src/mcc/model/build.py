"""``build_info.yml``: where an output folder comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """What the pipeline wrote at build time; any part may be missing."""

    number: int | None = None
    branch: str | None = None
    commit: str | None = None
    committer: str | None = None
    message: str | None = None

    def __str__(self) -> str:
        number = f"build #{self.number}" if self.number is not None else "build"
        commit = f" @ {self.commit[:8]}" if self.commit else ""
        return f"{number} from {self.branch or '?'}{commit}"
