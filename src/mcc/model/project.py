"""A project as it lies in a checkout, and what ``mcc init`` is told about where it goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mcc.model.conf import DatabaseKind

AppServer = Literal["uvicorn", "gunicorn"]


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """Pages in ``folder``; ``result`` holds what visitors load, from the project on.

    ``package_manager`` builds them (``npm``); None: they are served as they are.
    """

    folder: str
    result: str
    package_manager: str | None = None


@dataclass(frozen=True, slots=True)
class Migrations:
    """A folder of migrations, from the project on."""

    folder: str
    tool: Literal["sql", "alembic"]


@dataclass(frozen=True, slots=True)
class Project:
    """What was found in a checkout.

    ``app`` is ``module:attribute`` of an ASGI application. ``sources`` are folders that the back end is made
    of; ``loose`` are modules beside them, without a folder. ``lacks`` are packages that
    the server needs and the project does not name. ``health`` is a path that answers 200, if one was
    seen. ``branch`` is the one that git is on.
    """

    folder: Path
    name: str
    app: str | None = None
    server: AppServer = "uvicorn"
    lacks: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    packaged: bool = False
    has_pyproject: bool = False
    has_lock: bool = False
    front: FrontEnd | None = None
    migrations: Migrations | None = None
    database: DatabaseKind = "none"
    worker: str | None = None
    scripts: bool = False
    health: str | None = None
    branch: str = "main"


@dataclass(frozen=True, slots=True)
class Answers:
    """What only a person knows.

    ``base`` is the folder of all sites; ``domains`` empty: one tenant without a name of its own.
    """

    name: str
    host: str
    user: str
    base: str
    domains: tuple[str, ...] = ()
    database: DatabaseKind = "none"


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that the project lacks, at ``path`` from the project on."""

    path: str
    text: str
    executable: bool = False
