"""What a function of a project's own gets: ``from mcc import Context``."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcc.core.dotenv import variables
from mcc.core.layout import Site
from mcc.core.masking import SHORTEST
from mcc.errors import CommandFailed, StepError
from mcc.host.commands import RealCommands
from mcc.host.hooks.programs import inherited, run_program, say, write_durably
from mcc.host.ports import Completed
from mcc.model.build import BuildInfo
from mcc.model.conf import Services


@dataclass(frozen=True, slots=True)
class HookRelease:
    """A release on disk.

    ``folders`` are its version folders by their components (``api``, ``ui``); ``home`` is the one with the
    back end, where :meth:`Context.run` works; ``environment`` is its Python environment, or None.
    """

    name: str
    folders: Mapping[str, Path]
    home: Path | None
    environment: Path | None


@dataclass(frozen=True, slots=True)
class HookDatabase:
    """A database of the site. ``name`` is the tenant: a domain, ``data.db``, a schema.

    ``path`` is an SQLite file's; ``schema`` PostgreSQL's. ``url`` is for a variable of a program, never for
    one of its arguments: it may hold the password.
    """

    name: str
    kind: str
    url: str
    path: Path | None = None
    schema: str | None = None

    def open(self) -> Any:
        """A connection: sqlite3's, or psycopg's with this schema in front. Close it."""
        if self.path is not None:
            return sqlite3.connect(self.path, timeout=30.0)
        try:
            import psycopg
        except ImportError as error:
            what = f"{self.name}: PostgreSQL needs psycopg, which is not installed"
            raise StepError(what, help='pip install "mcc-deploy[postgres]"') from error
        connection = psycopg.connect(self.url, connect_timeout=10)
        if self.schema is not None:
            connection.execute("SELECT set_config('search_path', quote_ident(%s), false)", (self.schema,))
            connection.commit()
        return connection


class HookServices:
    """The site's services, with the rights that a deploy has: ``names`` are all of them, web services first."""

    def __init__(self, site: Site, data: Mapping[str, Any]) -> None:
        self._site = site
        self._data = data
        self.names: tuple[str, ...] = (*data["names"], *data["workers"])

    def restart(self, name: str) -> None:
        """Start or restart one. Raises StepError with the reason."""
        self._manager().restart(self._known(name))

    def status(self, name: str) -> tuple[str, ...]:
        """Lines that say how one is, and why."""
        lines: tuple[str, ...] = self._manager().status(self._known(name))
        return lines

    def is_active(self, name: str) -> bool:
        """Whether one runs now."""
        return bool(self._manager().state(self._known(name)).active)

    def _known(self, name: str) -> str:
        if name not in self.names:
            raise StepError(f"the conf names no service {name!r}", help=f"services: {', '.join(self.names) or 'none'}")
        return name

    def _manager(self) -> Any:
        from pydantic import TypeAdapter

        from mcc.host.managers import service_manager
        from mcc.host.sudo import RealSudo

        services = TypeAdapter(Services).validate_python(self._data)
        commands = RealCommands(inherited())
        return service_manager(self._site, services, commands, RealSudo(commands), say)


class Context:
    """Where a hook stands, and what it may do.

    ``step`` says where (``before migrate``, ``stage reset-dev``). ``conf`` holds every key of the conf with its
    placeholders filled in. ``release`` is the one that is being deployed, ``previous`` the one that is live
    until the cut-over, or None (also in a reset, which begins from nothing); for a stage that is no deploy
    ``release`` is the live one. ``facts`` are what the function has remembered: in an undo what it did, as far as
    it came.
    """

    def __init__(self, data: Mapping[str, Any], result: Path, step: str) -> None:
        self._result = result
        self._secrets = [secret for secret in data["secrets"] if len(secret.strip()) >= SHORTEST]
        self.step = step
        self.stage: str = data["stage"]
        self.conf: Mapping[str, Any] = data["conf"]
        self.parameters: Mapping[str, Any] = data["parameters"]
        self.site = Site(Path(data["site"]))
        self.output = Path(data["output"])
        self.release = _release(data["release"])
        self.previous = _release(data["previous"])
        self.build = BuildInfo(**data["build"]) if data["build"] else None
        self.services = HookServices(self.site, data["services"])
        self.databases = tuple(_database(each) for each in data["databases"])
        self.facts: dict[str, Any] = json.loads(result.read_text()) if result.exists() else {}

    @classmethod
    def read(cls, file: Path, result: Path, key: str) -> Context:
        """What is known of a run, for one of its hooks."""
        return cls(json.loads(file.read_text()), result, key.rpartition(": ")[0])

    def log(self, text: object) -> None:
        """Say something to whoever watches the deploy."""
        say(text)

    def remember(self, **facts: Any) -> None:
        """Have facts for the undo, on disk when this returns: say here what you are about to make.

        They are JSON values; others become text.
        """
        self.facts.update(json.loads(json.dumps(facts, default=str)))
        write_durably(self._result, self.facts)

    def run(
        self,
        words: Sequence[str | os.PathLike[str]],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | bytes = b"",
        check: bool = True,
        show: bool = True,
    ) -> Completed:
        """Run a program in the release: its folder, its environment on the PATH, the variables of ``.env``.

        ``words`` are no shell's. ``env`` is added to the variables. ``show``: its lines are shown as they come.
        Raises StepError if it does not end with 0 and ``check`` is not false.
        """
        command = tuple(os.fspath(word) for word in words)
        self._refuse(command)
        done = run_program(command, cwd or self._home(), self._variables(env or {}), stdin, show)
        if check and not done.ok:
            log = () if show else done.tail()
            raise CommandFailed(f"{' '.join(command)} ended with exit code {done.code}", log=log)
        return done

    def _refuse(self, command: tuple[str, ...]) -> None:
        if any(secret in word for secret in self._secrets for word in command):
            raise StepError(
                f"an argument of {command[0]} holds a secret, which every user of the machine could read",
                help="give it by env=, stdin= or a file",
            )
        environment = self.release.environment if self.release else None
        if command[0].startswith("python") and environment is not None and not environment.exists():
            raise StepError(f"the release has no {command[0]} yet", help="its environment is made by the step venv")

    def _home(self) -> Path:
        """The release, if it is placed already; what is left of an undo after a crash may be the site alone."""
        home = self.release.home if self.release else None
        places = [place for place in (home, self.output) if place is not None and place.is_dir()]
        return next(iter(places), self.site.base)

    def _variables(self, more: Mapping[str, str]) -> dict[str, str]:
        found = dict(os.environ)
        if self.site.variables.is_file():
            found |= variables(self.site.variables.read_text())
        environment = self.release.environment if self.release else None
        if environment is not None and environment.exists():
            found |= {"VIRTUAL_ENV": str(environment), "PATH": f"{environment / 'bin'}:{found.get('PATH', os.defpath)}"}
        return {**found, **more}


def _release(data: Mapping[str, Any] | None) -> HookRelease | None:
    if data is None:
        return None
    folders = {name: Path(path) for name, path in data["folders"].items()}
    home, environment = (Path(data[key]) if data[key] else None for key in ("home", "environment"))
    return HookRelease(data["name"], folders, home, environment)


def _database(data: Mapping[str, Any]) -> HookDatabase:
    path = Path(data["path"]) if data["path"] else None
    return HookDatabase(data["name"], data["kind"], data["url"], path, data["schema"])
