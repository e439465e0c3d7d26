"""What a run may do to the world: one protocol a tool, each small enough for a fake to fill.

Steps and the engine see only these. The real ones stand in the files beside this one; a fake
for tests can be killed at every effect. Methods under "effects" change something, the others
never do. All of them raise :class:`mcc.errors.StepError` (or ``OSError`` from :class:`Files`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from mcc.host.database_ports import Clones, Copier, Migrator, PostgresMigrator, SqliteMigrator
from mcc.model.database import PostgresDatabase, SqliteDatabase, Target
from mcc.model.hooks import HookCall, ProjectCode
from mcc.model.service import ServiceState

Kind = Literal["absent", "file", "folder", "link", "other"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One name below a folder. ``path`` is relative to it; ``target`` is set for links."""

    path: str
    kind: Kind
    size: int
    mode: int
    mtime_ns: int
    target: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """How much was copied."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Space:
    """What a file system has left for this user, in bytes and in inodes."""

    bytes: int
    inodes: int


class Files(Protocol):
    """The file system. Paths are absolute; links are never followed at the last name."""

    def kind(self, path: Path) -> Kind: ...
    def read_link(self, path: Path) -> str: ...
    def read(self, path: Path, limit: int | None = None, offset: int = 0) -> bytes: ...
    def size(self, path: Path) -> int: ...
    def names(self, folder: Path) -> list[str]:
        """The sorted names in a folder; none if there is no such folder."""
        ...

    def walk(self, folder: Path, skip: Collection[str] = ()) -> Iterator[Entry]:
        """Everything below a folder, parents first, names in order; links are not entered.

        Names in ``skip`` are left out, with all below them.
        """
        ...

    def space(self, path: Path) -> Space:
        """What is free where ``path`` is, or where it would be made."""
        ...

    def may_write(self, path: Path) -> bool:
        """Whether the file can be written, or files can be made in the folder."""
        ...

    # effects
    def make_folder(self, path: Path, mode: int = 0o755) -> None:
        """Make a folder and those above it; one that exists is left as it is."""
        ...

    def copy_tree(self, source: Path, target: Path, skip: Collection[str] = ()) -> Tally:
        """Copy all below ``source`` into ``target`` (made if missing). Links stay links.

        Modes are kept, group read is not taken away; memory does not grow with the tree. What is
        there already under the same name is replaced. Nothing is synced: call :meth:`sync`.
        """
        ...

    def copy_files(self, source: Path, target: Path, names: Collection[str]) -> Tally:
        """Copy files below ``source`` to the same places below ``target``, their folders made.

        Modes are as :meth:`copy_tree` has them. What is there already stays as it is, and a file that ``source`` has
        not is passed over; neither is counted. Nothing is synced: call :meth:`sync`.
        """
        ...

    def copy_file(self, source: Path, target: Path, mode: int | None = None) -> None:
        """Put a copy in place of ``target`` in one rename, on disk when it returns."""
        ...

    def write(self, path: Path, data: bytes, mode: int = 0o644) -> None:
        """Put a file in place in one rename, on disk when it returns."""
        ...

    def append(self, path: Path, data: bytes, mode: int = 0o600) -> None:
        """Add to the end of a file (made if missing), on disk when it returns."""
        ...

    def link(self, path: Path, target: str) -> None:
        """Point a symbolic link at ``target`` in one rename(2); it is never missing."""
        ...

    def hard_link(self, source: Path, target: Path) -> None:
        """A second name for a file; nothing happens if ``target`` exists."""
        ...

    def rename(self, source: Path, target: Path) -> None: ...
    def exchange(self, first: Path, second: Path) -> None:
        """What two names stand for changes places in one stroke (renameat2(2)): neither is ever missing.

        Raises OSError with EINVAL or ENOSYS where the file system or the kernel cannot.
        """
        ...

    def chmod(self, path: Path, mode: int) -> None: ...
    def remove(self, path: Path) -> None:
        """Remove a file or a link; one that is gone is fine."""
        ...

    def remove_tree(self, path: Path) -> None:
        """Remove a folder with all below it; one that is gone is fine."""
        ...

    def sync(self, folder: Path) -> None:
        """Return when all below ``folder``, and its own name, would survive a power cut."""
        ...


@dataclass(frozen=True, slots=True)
class Access:
    """Whose something is, and who may do what with it.

    ``mode`` has the set-gid and sticky bits too; ``acl`` is the whole access control list, in the order of
    :func:`mcc.core.acl.canonical`, or empty where the mode says all.
    """

    owner: str
    group: str
    mode: int
    acl: tuple[str, ...] = ()


class Rights(Protocol):
    """Owners, modes and access control lists. Links are never followed at the last name."""

    def look(self, path: Path) -> Access | None:
        """None if nothing is there."""
        ...

    def supported(self, path: Path) -> bool:
        """Whether the file system that ``path`` is on, or would be, knows access control lists."""
        ...

    def knows(self, user: str) -> bool:
        """Whether this machine has a user of that name."""
        ...

    def knows_group(self, group: str) -> bool:
        """Whether this machine has a group of that name."""
        ...

    # effects
    def set(self, path: Path, access: Access) -> None:
        """Give a folder or file of this user group, mode and list; its owner stays.

        Its group stays too where this user is no member of the other one: only root gives files to strange groups.
        A file with a second name is refused: another folder's rights would be given by this one.
        """
        ...


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that has ended.

    ``output`` holds standard output and error, interleaved; ``stdout`` standard output alone, as bytes.
    """

    words: tuple[str, ...]
    code: int
    output: str
    stdout: bytes = b""

    @property
    def ok(self) -> bool:
        return self.code == 0

    def tail(self, lines: int = 20) -> tuple[str, ...]:
        """The last lines of the output."""
        return tuple(self.output.rstrip().splitlines()[-lines:])


class Commands(Protocol):
    """Programs of the machine, as lists of words; no shell ever reads them."""

    def find(self, name: str) -> str | None:
        """Where a program is, or None."""
        ...

    # effects
    def run(
        self,
        words: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 600.0,
        stdin: bytes | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Completed:
        """Run to the end; any exit code is an answer.

        ``env`` is added to the environment. Raises CommandFailed if the program is not there or
        does not end within ``timeout`` seconds (it and its children are killed then).
        """
        ...

    def detach(self, words: Sequence[str]) -> None:
        """Start a program that outlives this one: in a session of its own, without our output and our lock.

        Raises CommandFailed if it is not there.
        """
        ...


class Sudo(Protocol):
    """Commands as root, never with a password prompt: ``sudo -n``."""

    def allows(self, words: Sequence[str]) -> bool:
        """Whether sudoers allows exactly these words (``sudo -n -l``)."""
        ...

    # effects
    def run(self, words: Sequence[str], *, timeout: float = 120.0) -> Completed: ...


class Services(Protocol):
    """A service manager: systemd, mcc's embedded one, or none."""

    def state(self, name: str) -> ServiceState: ...
    def status(self, name: str) -> tuple[str, ...]:
        """Lines for a person that say how a service is and why; never raises."""
        ...

    def may_stop(self, name: str) -> bool: ...
    def definition(self, name: str) -> bytes | None:
        """How the manager starts a service now, secrets included; None if it got that from no deploy."""
        ...

    # effects
    def restart(self, name: str, definition: bytes | None = None) -> None:
        """Start or restart, as the conf says or, if it is given, as an earlier :meth:`definition`.

        Raises ServiceFailed with the reason.
        """
        ...

    def stop(self, name: str) -> None: ...


class Crontab(Protocol):
    """The deploy user's crontab, byte for byte. All sites of that user have it in common."""

    def available(self) -> bool: ...
    def alone(self) -> AbstractContextManager[None]:
        """Inside, no other mcc of this user changes it: what is read there may be written back changed."""
        ...

    def read(self) -> bytes:
        """The whole text; empty when there is none."""
        ...

    # effects
    def write(self, text: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request. ``status`` 0: nothing did, and ``reason`` says why.

    ``retry_after`` is the header of that name: a 503 that has it is meant.
    """

    url: str
    status: int
    reason: str
    retry_after: str = ""

    @property
    def ok(self) -> bool:
        return self.status == 200


class Http(Protocol):
    """Asking a web address, as a visitor does."""

    def get(self, url: str, timeout: float, socket: Path | None = None) -> Answer:
        """One GET, redirects followed; never raises for what the other side does.

        ``socket``: the request goes to whoever listens on that unix socket, as if nginx had passed it on. Redirects
        are not followed then.
        """
        ...

    def connections(self, socket: Path) -> int | None:
        """How many clients are connected to a unix socket, or wait to be; None: nobody listens there."""
        ...

    def tcp(self, host: str, port: int, timeout: float) -> str:
        """Whether somebody accepts a connection: an empty text, or the reason why not."""
        ...


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Python that an environment is made with."""

    path: str
    version: str
    platform: str


class Uv(Protocol):
    """uv, which makes Python environments."""

    def interpreter(self, project: Path) -> Interpreter: ...

    # effects
    def sync(
        self,
        project: Path,
        environment: Path,
        arguments: Sequence[str],
        local_packages: Sequence[str],
        on_line: Callable[[str], None],
    ) -> None:
        """``uv sync --frozen`` of ``project`` into ``environment``, copied and byte-compiled.

        ``local_packages`` are built anew, whatever uv's cache holds. Raises CommandFailed.
        """
        ...


class Hooks(Protocol):
    """A project's own Python, in processes of its own: ``mcc_deploy.py``."""

    def read(self, folder: Path) -> ProjectCode | None:
        """What the file in ``folder`` says of itself; None if there is none, or if it does not import mcc.

        It is run for that, once. Raises ConfigError with the project's own lines.
        """
        ...

    # effects
    def run(self, call: HookCall, undo: bool, on_line: Callable[[str], None]) -> Mapping[str, Any]:
        """Run a function of the kept code, or its undo; the facts that it gives back, secrets masked.

        Raises StepError with the project's own lines, or if the time is over (all that it started is ended then).
        """
        ...


class Notifier(Protocol):
    """Messages to people."""

    def lacks(self, addresses: Sequence[str]) -> tuple[str, ...]:
        """What this machine lacks to send to such addresses, in words."""
        ...

    # effects
    def send(self, addresses: Sequence[str], title: str, text: str, weight: str, limit: float) -> Mapping[str, str]:
        """Send to all addresses at the same time, each within ``limit`` seconds; what went wrong, by the address.

        ``weight`` is failure, warning or success. No part of an address is in the words. Never raises.
        """
        ...


class Clock(Protocol):
    """Time."""

    def now(self) -> datetime:
        """Now, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def sleep(self, seconds: float) -> None: ...


class Machine(Protocol):
    """Who and where this process is."""

    def user(self) -> str: ...
    def name(self) -> str: ...
    def pid(self) -> int: ...
    def variable(self, name: str) -> str | None: ...
    def token(self) -> str:
        """A few random hexadecimal digits, for names that are used once."""
        ...

    def blocked(self, user: str, path: Path) -> Path | None:
        """The first folder on the way to ``path`` that ``user`` cannot pass, or None.

        Only what is certain counts: a folder with an ACL is taken to be open.
        """
        ...

    def may_make_files(self, user: str, folder: Path) -> bool:
        """Whether ``user`` can make files in a folder; True where that is not certain."""
        ...


class Listener(Protocol):
    """Where a step says how it is getting on."""

    def say(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def progress(self, done: int, total: int, what: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Host:
    """Everything that a step may use, in one hand."""

    files: Files
    rights: Rights
    commands: Commands
    sudo: Sudo
    services: Services
    crontab: Crontab
    http: Http
    sqlite: SqliteMigrator
    postgres: PostgresMigrator
    sqlite_copies: Copier[SqliteDatabase]
    postgres_copies: Copier[PostgresDatabase]
    clones: Clones
    uv: Uv
    hooks: Hooks
    notifier: Notifier
    clock: Clock
    machine: Machine
    listener: Listener


def migrator(host: Host, target: Target) -> Migrator[Any]:
    """The port that brings databases of this target's kind forward."""
    return host.sqlite if target.kind == "sqlite" else host.postgres


def copier(host: Host, target: Target) -> Copier[Any]:
    """The port that copies databases of this target's kind, and puts copies back."""
    return host.sqlite_copies if target.kind == "sqlite" else host.postgres_copies
