"""What a project is made of, from what lies in its folder; nothing of it is run."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mcc.core.python_app import applications, health_path, imports
from mcc.errors import UsageError
from mcc.host.ports import Commands, Files
from mcc.init.front import front_end
from mcc.model.conf import DatabaseKind
from mcc.model.project import AppServer, Migrations, Project

# Folders that are no part of what runs on a server.
_NOT_SOURCE = frozenset(
    {
        "tests", "test", "docs", "doc", "examples", "scripts", "output", "dist", "build", "node_modules", "venv", "mcc",
        "data", "logs", "backups", "domains", "notebooks", "bench", "benchmarks", "tools", "ci", "deploy",
    }
)  # fmt: skip
_NOT_LOOSE = frozenset({"mcc_deploy.py", "mcc_build.py", "setup.py", "conftest.py", "noxfile.py", "tasks.py"})
_MIGRATIONS = ("shared/db/scripts/migrations", "migrations", "alembic", "db/migrations")
_MAX_SOURCE = 512 * 1024
_MAX_MODULES = 2000
# gunicorn alone speaks no ASGI: the package uvicorn-worker brings the class for it.
SERVERS: dict[AppServer, tuple[str, ...]] = {"uvicorn": ("uvicorn",), "gunicorn": ("gunicorn", "uvicorn-worker")}
_WORD = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")


def look_at_project(folder: Path, files: Files, commands: Commands) -> Project:
    """What is there. Raises UsageError if ``folder`` is no folder."""
    if files.kind(folder) != "folder":
        raise UsageError(f"{folder} is not a folder", help="mcc init takes the folder of a project")
    pyproject = _pyproject(folder, files)
    names = _dependencies(pyproject)
    modules = dict(_modules(folder, files))
    app = next(iter(_apps(modules)), None)
    migrations, worker, server = _migrations(folder, files), _worker(modules), _server(names)
    return Project(
        folder=folder,
        name=_name(folder, pyproject),
        app=app,
        server=server,
        lacks=tuple(package for package in SERVERS[server] if package not in names),
        sources=_sources(modules, (app, worker), migrations),
        loose=_loose(modules, app),
        packaged="build-system" in pyproject,
        has_pyproject=bool(pyproject),
        has_lock=files.kind(folder / "uv.lock") == "file",
        front=front_end(folder, files),
        migrations=migrations,
        database=_database(names, migrations, modules),
        worker=worker,
        scripts=files.kind(folder / "scripts") == "folder",
        health=health_path(modules.values()),
        branch=_branch(folder, commands),
    )


def _pyproject(folder: Path, files: Files) -> dict[str, Any]:
    path = folder / "pyproject.toml"
    if files.kind(path) != "file":
        return {}
    try:
        return tomllib.loads(files.read(path).decode()) or {"project": {}}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", help="put it right; uv needs it too") from error


def _dependencies(pyproject: dict[str, Any]) -> frozenset[str]:
    project = pyproject.get("project", {})
    listed = project.get("dependencies", []) if isinstance(project, dict) else []
    starts = (re.match(r"[A-Za-z0-9._-]+", text) for text in listed if isinstance(text, str))
    return frozenset(re.sub(r"[-_.]+", "-", match[0]).lower() for match in starts if match)


def _name(folder: Path, pyproject: dict[str, Any]) -> str:
    """For folders, units and users: small letters, digits and hyphens."""
    project = pyproject.get("project", {})
    said = project.get("name") if isinstance(project, dict) else None
    words = _WORD.findall(str(said or folder.resolve().name).lower())
    return "-".join(words).replace("_", "-") or "app"


def _server(names: frozenset[str]) -> AppServer:
    return "gunicorn" if "gunicorn" in names else "uvicorn"


def _modules(folder: Path, files: Files) -> Iterator[tuple[str, str]]:
    """Python files of what may run on a server, with their text."""
    count = 0
    for top in files.names(folder):
        kind = files.kind(folder / top)
        if kind == "file" and top.endswith(".py") and top not in _NOT_LOOSE:
            yield top, _text(folder / top, files)
        elif kind == "folder" and top not in _NOT_SOURCE and not top.startswith("."):
            for entry in files.walk(folder / top, skip=("__pycache__", "node_modules", ".venv", "venv", "tests")):
                if entry.kind == "file" and entry.path.endswith(".py") and count < _MAX_MODULES:
                    count += 1
                    yield f"{top}/{entry.path}", _text(folder / top / entry.path, files)


def _text(path: Path, files: Files) -> str:
    return files.read(path, _MAX_SOURCE).decode("utf-8", "replace")


def _apps(modules: dict[str, str]) -> Iterator[str]:
    """``module:attribute`` of each application, those with the usual names first."""
    found = [
        (path, attribute) for path, text in modules.items() for attribute in applications(text)
    ]  # fmt: skip
    for path, attribute in sorted(found, key=lambda each: (not each[0].endswith(("main.py", "app.py")), each[0])):
        yield f"{_module(path)}:{attribute}"


def _module(path: str) -> str:
    inside = path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__")
    return inside.replace("/", ".")


def _sources(modules: dict[str, str], starts: Iterable[str | None], migrations: Migrations | None) -> tuple[str, ...]:
    """Top folders that the application and the worker import from, and that of the migrations."""
    tops = {path.split("/")[0] for path in modules if "/" in path}
    wanted = {name.split(":")[0].split(".")[0] for name in starts if name}
    if "src" in tops and any(path.startswith(f"src/{name}") for path in modules for name in wanted):
        wanted = {"src"}
    reached: set[str] = set()
    while new := wanted - reached:
        reached |= new
        for path, text in modules.items():
            if path.split("/")[0].removesuffix(".py") in new:
                wanted |= imports(text)
    found = (tops & reached) | ({migrations.folder.split("/")[0]} if migrations and reached else set())
    return tuple(sorted(found))


def _loose(modules: dict[str, str], app: str | None) -> tuple[str, ...]:
    """Modules without a folder, where the application is one of them."""
    loose = tuple(path for path in modules if "/" not in path)
    return loose if app is not None and f"{app.split(':')[0]}.py" in loose else ()


def _migrations(folder: Path, files: Files) -> Migrations | None:
    for name in _MIGRATIONS:
        place = folder / name
        names = files.names(place) if files.kind(place) == "folder" else []
        if "env.py" in names:
            return Migrations(name, "alembic")
        if any(each.endswith(".sql") for each in names):
            return Migrations(name, "sql")
    return None


def _database(names: frozenset[str], migrations: Migrations | None, modules: dict[str, str]) -> DatabaseKind:
    if names & {"psycopg", "psycopg2", "psycopg2-binary", "asyncpg", "pg8000"}:
        return "postgresql"
    if migrations is not None or "aiosqlite" in names:
        return "sqlite"
    return "sqlite" if any("import sqlite3" in text for text in modules.values()) else "none"


def _worker(modules: dict[str, str]) -> str | None:
    for path in ("worker/main.py", "worker/__main__.py", "worker.py"):
        if path in modules:
            return _module(path).removesuffix(".__main__")
    return None


def _branch(folder: Path, commands: Commands) -> str:
    if commands.find("git") is None:
        return "main"
    done = commands.run(("git", "-C", str(folder), "symbolic-ref", "--short", "HEAD"), timeout=10)
    return done.stdout.decode().strip() if done.ok and done.stdout.strip() else "main"
