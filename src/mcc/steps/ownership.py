"""Whom the files of a site belong to: the specification's ``chown`` and ``chmod`` on fixed paths."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcc.core.sudo import chmod, chown, way_out
from mcc.errors import CommandFailed
from mcc.host.ports import Completed, Host
from mcc.host.sudo import denied
from mcc.model.plan import Facts, Seen

_GONE = ": No such file or directory"  # ENOENT in the words of strerror(3)
_TRIES = 20


@dataclass(frozen=True, slots=True)
class KeepOwnership:
    """Stands before the steps that make files, and puts owners right on the way back.

    A migration that failed half-way may leave files that the service could not write. ``databases`` are those
    that will be written: a service without our group has side files open there that we could not. ``optional``: see
    :class:`Own`.
    """

    paths: tuple[Path, ...]
    user: str
    group: str
    databases: tuple[Path, ...] = ()
    optional: tuple[Path, ...] = ()

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        closed = [each for each in self.databases if _is_closed(host, each)]
        above = {parent for each in closed for parent in each.parents}
        _own(host, tuple(path for path in self.paths if path in above), self.user, self.group, self.optional)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        _own(host, self.paths, self.user, self.group, self.optional)
        return None


@dataclass(frozen=True, slots=True)
class Own:
    """Give files to the service user and the deploy user's group, writable by both.

    ``optional`` are those of the paths that may come into being after the rights were looked at: without a right
    for one it stays as it is.
    """

    paths: tuple[Path, ...]
    user: str
    group: str
    optional: tuple[Path, ...] = ()

    def look(self, host: Host) -> Seen:
        return {}

    def do(self, host: Host, seen: Seen) -> Facts | None:
        _own(host, self.paths, self.user, self.group, self.optional)
        return None

    def undo(self, host: Host, seen: Seen) -> Facts | None:
        # Once more: what the new release's services wrote must be removable by the deploy user.
        _own(host, self.paths, self.user, self.group, self.optional)
        return None


def _is_closed(host: Host, database: Path) -> bool:
    """Whether SQLite keeps something beside a database that we may not write: then it is "readonly" for us."""
    sides = (database.with_name(database.name + suffix) for suffix in ("-wal", "-shm"))
    return any(host.files.kind(side) == "file" and not host.files.may_write(side) for side in sides)


def _own(host: Host, paths: tuple[Path, ...], user: str, group: str, optional: tuple[Path, ...]) -> None:
    for path in paths:
        if host.files.kind(path) not in ("folder", "file"):
            continue
        commands = (chown(user, group, path), chmod(path))
        if path in optional and not all(host.sudo.allows(words) for words in commands):
            host.listener.warn(f"{path} is new, and its owner stays as it is: sudo allows no {' '.join(commands[0])}")
            continue
        for words in commands:
            done = _run_to_the_end(host, words)
            if not done.ok:
                raise _failed(host, words, done)


def _failed(host: Host, words: tuple[str, ...], done: Completed) -> CommandFailed:
    if not denied(done):
        return CommandFailed(f"sudo {' '.join(words)} ended with exit code {done.code}", log=done.tail(5))
    user = host.machine.user()
    help = way_out(user, words)
    return CommandFailed(f"sudo does not let {user} run: {' '.join(words)}", help=help, log=done.tail(5))


def _run_to_the_end(host: Host, words: tuple[str, ...]) -> Completed:
    """Run it again while all that it complains of has gone meanwhile: side files come and go with each request."""
    for _ in range(_TRIES):
        done = host.sudo.run(words)
        lines = done.output.strip().splitlines()
        if done.ok or not lines or not all(line.endswith(_GONE) for line in lines):
            break
    return done
