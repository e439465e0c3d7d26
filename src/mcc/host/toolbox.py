"""The site's own mcc: a copy of the running one that works without network, uv or ``output/``.

Cron, recovery and rollback use it, so it must not change when somebody upgrades or removes the
mcc that deployed. It is a plain folder of packages and one ``sh`` file that names the interpreter.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mcc.core.layout import Site
from mcc.host.ports import Commands, Files
from mcc.version import __version__

if TYPE_CHECKING:  # imported late: only a tool that is built needs it, and it is slow to import
    from importlib.metadata import Distribution

_PACKAGE = Path(__file__).parents[1]
_DISTRIBUTION = "mcc-deploy"
# Taken along where installed: the embedded service manager, the driver of PostgreSQL, what sends messages.
_EXTRAS = ("supervisor", "psycopg", "psycopg-binary", "apprise")
# Pygments alone is half of all files, and nothing of it is used; the others send messages, in a process that nobody
# waits for.
_SELDOM = "pygments|apprise|markdown|oauthlib|requests_oauthlib|requests|charset_normalizer"
_PARTS = ("__pycache__", "notes")  # bytecode is made anew; the demo's application stays behind


@dataclass(frozen=True, slots=True)
class Tool:
    """A version of mcc and the command that runs it."""

    version: str
    command: Path


def tool_for(site: Site) -> Tool:
    """The tool that the running mcc is; nothing is looked up on the site."""
    # A copy must not count again: what is installed beside it, and with it the hash, is another.
    version = _PACKAGE.parents[1].name if _is_a_sites_own() else f"{__version__}-{_contents_hash()}"
    return Tool(version, site.tool(version) / "mcc")


def _is_a_sites_own() -> bool:
    """Whether the running mcc is a copy that :func:`install` has made."""
    return _PACKAGE.match(str(Site(Path("*")).tool("*") / "lib" / "mcc"))


def install(site: Site, tool: Tool, files: Files, commands: Commands) -> None:
    """Put the running mcc into the site and point ``.mcc/bin/mcc`` at it."""
    folder = site.tool(tool.version)
    if files.kind(folder) != "folder":
        _build(folder, files, commands)
    files.make_folder(site.tool_command.parent)
    files.link(site.tool_command, f"../tool/{tool.version}/mcc")


def _build(folder: Path, files: Files, commands: Commands) -> None:
    """Copied under a hidden name, renamed when whole."""
    building = folder.with_name(f".{folder.name}.building")
    files.remove_tree(building)
    files.make_folder(building / "lib")
    for name, path in _packages().items():
        if path.is_dir():
            files.copy_tree(path, building / "lib" / name, skip=_PARTS)
        else:
            files.copy_file(path, building / "lib" / name)
    files.write(building / "mcc", _start_file(folder).encode(), 0o755)
    unused = f"/({_SELDOM})/"
    words = (sys.executable, "-I", "-m", "compileall", "-q", "-j", "0", "-x", unused, str(building / "lib"))
    commands.run(words, timeout=300)
    files.sync(building)
    files.rename(building, folder)


def _start_file(folder: Path) -> str:
    # -s and -P: nothing of the user's or of the present folder may be imported in its place.
    library = shlex.quote(str(folder / "lib"))
    python = shlex.quote(_interpreter())
    return f'#!/bin/sh\nPYTHONPATH={library} exec {python} -s -P -m mcc "$@"\n'


def _interpreter() -> str:
    """The interpreter itself, not the environment that mcc happens to be installed in."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def _packages() -> dict[str, Path]:
    """Top-level names that mcc needs, and where they are installed."""
    if _is_a_sites_own():
        return {path.name: path for path in _PACKAGE.parent.iterdir() if path.name not in _PARTS}
    found = {"mcc": _PACKAGE}
    for distribution in _distributions():
        base = Path(str(distribution.locate_file("")))
        for path in distribution.files or ():
            top = path.parts[0]
            if _belongs_in_library(top) and (base / top).exists():
                found.setdefault(top, base / top)
    return found


def library() -> frozenset[str]:
    """Top-level modules that the site's own mcc will have."""
    return frozenset(name.partition(".")[0] for name in _packages())


def _belongs_in_library(top: str) -> bool:
    return top not in ("..", "__pycache__") and not top.endswith((".dist-info", ".pth", ".data"))


def _distributions() -> list[Distribution]:
    """What ``mcc-deploy`` requires without its extras, all the way down."""
    from importlib.metadata import PackageNotFoundError, distribution

    waiting = [*_requirements(_DISTRIBUTION), *_EXTRAS]
    found: dict[str, Distribution] = {}
    while waiting:
        name = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            found[key] = distribution(name)
        except PackageNotFoundError:
            continue  # for another platform or Python, or an extra that is not here
        waiting += _requirements(name)
    return list(found.values())


def _requirements(name: str) -> list[str]:
    from importlib.metadata import distribution

    wanted = distribution(name).requires or []
    plain = (line for line in wanted if not re.search(r"\bextra\s*==", line))
    return [match.group(0) for line in plain if (match := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line))]


def _contents_hash() -> str:
    """Eight digits over mcc's own files, what is installed and the interpreter: what makes it another."""
    total = hashlib.sha256()
    package = _PACKAGE
    for path in sorted(package.rglob("*.py")):
        if "notes" not in path.relative_to(package).parts:
            total.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    total.update(json.dumps([_installed(), _interpreter(), sys.version]).encode())
    return total.hexdigest()[:8]


def _installed() -> list[str]:
    """Names and versions of all that is installed beside mcc, by the names of the metadata's folders.

    More than what mcc needs, but every deploy asks, and reading what each package requires is slow.
    """
    places = (Path(place) for place in sys.path if place)
    return sorted({path.name for place in places if place.is_dir() for path in place.glob("*.*-info")})
