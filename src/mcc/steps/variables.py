"""``.env``: the site's variables, exchanged as a whole; and who may read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.core.ownership import VARIABLES_MODE, variables_acl
from mcc.core.provisioned import is_ours, start_program
from mcc.errors import StepError
from mcc.host.ports import Access, Files, Host
from mcc.model.plan import Facts, Seen

_MODE = 0o600


@dataclass(frozen=True, slots=True)
class WriteVariables:
    """Put ``text``, a file that the run keeps beside its journal, in place of ``path``.

    Its owner may read it, and ``reader``, as whom services that read it themselves run. What is in it is secret and
    in no field of this step.
    """

    path: Path
    text: Path
    reader: str = ""

    def look(self, host: Host) -> Seen:
        kind = host.files.kind(self.path)
        if kind not in ("absent", "file"):
            raise StepError(f"{self.path} is a {kind}, not a file")
        access = host.rights.look(self.path) if kind == "file" else None
        before = host.files.read(self.path) if kind == "file" else None
        return {"before": before, "mode": access.mode if access else None, "acl": list(access.acl) if access else []}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        named = self.reader and may_be_named(host, self.path, self.reader)
        rights = (VARIABLES_MODE, variables_acl(self.reader)) if named else (_MODE, ())
        self._put(host, host.files.read(self.text), *rights)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        before, acl = seen["before"], tuple(seen["acl"])
        if before is None:
            host.files.remove(self.path)
            return None
        now = host.rights.look(self.path) if host.files.kind(self.path) == "file" else None
        same = now is not None and host.files.read(self.path) == before
        if not same or now is None or (now.mode, now.acl) != (seen["mode"], acl):
            self._put(host, before, seen["mode"], acl)
        return None

    def _put(self, host: Host, data: bytes, mode: int, acl: tuple[str, ...]) -> None:
        """In one rename with its rights: a service that starts meanwhile reads the old file or the new one."""
        aside = self.text.with_name("aside")
        host.files.write(aside, data, _MODE)
        now = host.rights.look(aside)
        if now is not None and (mode, acl) != (now.mode, now.acl):
            host.rights.set(aside, Access(now.owner, now.group, mode, acl))
        host.files.rename(aside, self.path)


@dataclass(frozen=True, slots=True)
class ShareVariables:
    """Let the user of services that read ``.env`` themselves read it, and nobody else; another's file is left alone."""

    path: Path
    reader: str

    def look(self, host: Host) -> Seen:
        now = host.rights.look(self.path) if host.files.kind(self.path) == "file" else None
        return {"mode": now.mode, "acl": list(now.acl)} if now is not None else {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        if seen and may_be_named(host, self.path, self.reader):
            self._set(host, VARIABLES_MODE, variables_acl(self.reader))
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        if seen:
            self._set(host, seen["mode"], tuple(seen["acl"]))
        return None

    def _set(self, host: Host, mode: int, acl: tuple[str, ...]) -> None:
        now = host.rights.look(self.path) if host.files.kind(self.path) == "file" else None
        if now is not None and now.owner == host.machine.user() and (mode, acl) != (now.mode, now.acl):
            host.rights.set(self.path, Access(now.owner, now.group, mode, acl))


def read_by_services(files: Files, base: Path) -> bool:
    """Whether root's program starts the services of the site, which reads ``.env`` as their user."""
    program = start_program(base)
    return files.kind(program) == "file" and is_ours(files.read(program), base)


def may_be_named(host: Host, path: Path, user: str) -> bool:
    """Whether a list there can name the user; if not, that is said."""
    if not host.rights.knows(user):
        host.listener.warn(f"this machine has no user {user}, who would read {path.name}")
    elif not host.rights.supported(path.parent):
        host.listener.warn(f"the disk of {path} knows no access control lists: {user} may not read it")
    else:
        return True
    return False
