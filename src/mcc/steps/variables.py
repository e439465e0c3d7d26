"""``.env``: the site's variables, exchanged as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.errors import StepError
from mcc.host.ports import Host
from mcc.model.plan import Facts, Seen

_MODE = 0o600


@dataclass(frozen=True, slots=True)
class WriteVariables:
    """Put ``text``, a file that the run keeps beside its journal, in place of ``path``: readable by its owner only.

    What is in it is secret and in no field of this step.
    """

    path: Path
    text: Path

    def look(self, host: Host) -> Seen:
        kind = host.files.kind(self.path)
        if kind not in ("absent", "file"):
            raise StepError(f"{self.path} is a {kind}, not a file")
        return {"before": host.files.read(self.path) if kind == "file" else None}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        host.files.write(self.path, host.files.read(self.text), _MODE)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        before = seen["before"]
        if before is None:
            host.files.remove(self.path)
        elif host.files.kind(self.path) != "file" or host.files.read(self.path) != before:
            host.files.write(self.path, before, _MODE)
        return None
