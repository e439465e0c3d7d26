"""alembic, run in the release's own environment (https://alembic.sqlalchemy.org).

A project writes paths as they are in its own folder (``script_location = migrations``) or as they are on
the site (``current-api/migrations``, ``data.db``). Both must lead to the new release before the links of the
site do. So alembic runs in a room of its own: a folder of links, to all that is in the site, in front of it
what is in the release, and ``current-*`` to the new version.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcc.core.masking import Masker, url_passwords
from mcc.core.migrating.alembic_versions import revisions_in
from mcc.errors import CommandFailed, MigrationFailed
from mcc.host.ports import Commands, Completed, Files
from mcc.host.way import StrangersLink, looked_at

INI = "alembic.ini"
_ERROR = re.compile(r"[\w.]+(Error|Exception|Warning|Interrupt|\.\w+): |FAILED: ")
_NO_LIMIT = 7 * 24 * 3600.0
_ASKING = 300.0
_ALWAYS = ("data.db", "data", "domains", "logs", ".env")
"""Linked although they are not there yet: what is made by these names is made in the site."""


@dataclass(frozen=True, slots=True)
class Room:
    """Where alembic runs. ``links`` are names in the site and what they lead to in the new release.

    ``configuration``: files of the output that stand there under their own names (``alembic.ini``,
    ``pyproject.toml``), instead of the site's.
    """

    folder: Path
    site: Path
    release: Path
    environment: Path
    links: tuple[tuple[str, Path], ...]
    configuration: tuple[tuple[str, Path], ...]

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Tenant:
    """One database. ``url_file`` holds its DATABASE_URL (0600), which may have a password in it; else ``url``.

    ``file`` is an SQLite database's. ``variables`` are no secrets.
    """

    name: str
    url: str = ""
    url_file: Path | None = None
    password_file: Path | None = None
    file: Path | None = None
    variables: tuple[tuple[str, str], ...] = ()


def furnish(files: Files, room: Room) -> None:
    """Make the room, anew if it is there."""
    files.remove_tree(room.folder)
    files.make_folder(room.folder, 0o700)
    there = [name for name in files.names(room.site) if name not in (".mcc", "venvs")]
    inside = {name: room.site / name for name in (*there, *_ALWAYS)}
    inside |= {name: room.release / name for name in files.names(room.release)}
    inside |= dict(room.links) | {".venv": room.environment}
    for name, target in inside.items():
        if name not in dict(room.configuration):
            files.link(room.folder / name, str(target))
    for name, source in room.configuration:
        files.copy_file(source, room.folder / name, 0o600)


class Alembic:
    """The commands of one room."""

    def __init__(self, files: Files, commands: Commands, room: Room) -> None:
        self._files = files
        self._commands = commands
        self._room = room

    def heads(self, tenant: Tenant) -> tuple[str, ...]:
        """The newest revisions of the release. Raises MigrationFailed."""
        return revisions_in(self._ask(tenant, "heads").stdout)

    def current(self, tenant: Tenant) -> tuple[str, ...]:
        """Where a database is. An SQLite file that is not there is not made by looking. Raises MigrationFailed."""
        if tenant.file is not None and self._files.kind(tenant.file) == "absent":
            return ()
        return revisions_in(self._ask(tenant, "current").stdout)

    def upgrade(self, tenant: Tenant, on_line: Callable[[str], None]) -> None:
        """``alembic upgrade head``. Raises MigrationFailed with the end of its output."""
        made = self._make_folders(tenant.file) if tenant.file else ()
        try:
            self._run(tenant, ("upgrade", "head"), _NO_LIMIT, on_line)
        except MigrationFailed:
            self._discard(tenant.file, made)
            raise

    def _make_folders(self, file: Path) -> tuple[Path, ...]:
        """SQLite makes a file, but no folder for it. What is missing, deepest first, the file included."""
        made = tuple(path for path in (file, *file.parents) if self._files.kind(path) == "absent")
        self._files.make_folder(file.parent, 0o775)
        return made

    def _discard(self, file: Path | None, made: Sequence[Path]) -> None:
        """A failure leaves nothing empty behind; what holds something stays."""
        for path in made:
            kind = self._files.kind(path)
            if path == file and kind == "file" and not self._files.size(path):
                self._files.remove(path)
            elif path != file and kind == "folder" and not self._files.names(path):
                self._files.remove_tree(path)

    def _ask(self, tenant: Tenant, word: str) -> Completed:
        return self._run(tenant, (word,), _ASKING, None)

    def _run(
        self, tenant: Tenant, words: Sequence[str], timeout: float, on_line: Callable[[str], None] | None
    ) -> Completed:
        if tenant.file is not None:
            _refuse_links(tenant.file)
        url = self._url(tenant)
        mask = Masker(_secrets(url)).mask
        say = (lambda line: on_line(mask(line))) if on_line else None
        # As alembic's own command: the present folder is on the path only if alembic.ini says so.
        command = (str(self._room.python), "-I", "-B", "-m", "alembic", *words)
        try:
            done = self._commands.run(
                command, cwd=self._room.folder, env=self._variables(tenant, url), timeout=timeout, on_line=say
            )
        except CommandFailed as error:
            log = [mask(line) for line in error.log]
            raise MigrationFailed(f"{tenant.name}: {error.message}", help=error.help, log=log) from error
        if not done.ok:
            raise _failed(tenant, words, [mask(line) for line in done.tail(30)])
        return done

    def _url(self, tenant: Tenant) -> str:
        if tenant.url_file is None:
            return tenant.url
        try:
            return self._files.read(tenant.url_file).decode()
        except OSError as error:
            raise MigrationFailed(f"{tenant.name}: {tenant.url_file} cannot be read: {error.strerror}") from error

    def _variables(self, tenant: Tenant, url: str) -> Mapping[str, str]:
        environment = self._room.environment
        password = {"PGPASSFILE": str(tenant.password_file)} if tenant.password_file else {}
        return {
            "DATABASE_URL": url,
            # What env.py starts must not find mcc's own library either.
            "PYTHONPATH": "",
            "VIRTUAL_ENV": str(environment),
            "ALEMBIC_CONFIG": INI,
            **password,
            **dict(tenant.variables),
        }


def _refuse_links(file: Path) -> None:
    """alembic opens the file by its path, and would follow a link of the service's user. Raises MigrationFailed."""
    try:
        with looked_at(file, follow=True):
            pass
    except StrangersLink as error:
        raise MigrationFailed(f"{file}: {error.strerror}", help="put the file itself in its place") from error
    except OSError:
        return  # it is not there yet, or alembic says what is wrong


def _secrets(url: str) -> frozenset[str]:
    return url_passwords(url) | ({url} if url_passwords(url) else set())


def _failed(tenant: Tenant, words: Sequence[str], log: Sequence[str]) -> MigrationFailed:
    what = f"{tenant.name}: alembic {' '.join(words)} failed"
    if any("No module named alembic" in line for line in log):
        return MigrationFailed(
            f"{tenant.name}: the release's environment has no alembic",
            help="add alembic to the dependencies of the project, lock and build again",
        )
    lines = [line.strip() for line in reversed(log) if line.strip()]
    # SQLAlchemy says more behind the error itself: the statement, and where to read about it.
    reason = next((line for line in lines if _ERROR.match(line)), lines[0] if lines else "")
    return MigrationFailed(f"{what}: {reason}" if reason else what, log=log)
