"""Whether ``uv.lock`` was made from this ``pyproject.toml``: what both say of the project's own needs."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def normal(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def missing(pyproject: str, lock: str) -> tuple[str, ...]:
    """Dependencies of the project that its lock knows nothing of. Raises ValueError for what is no TOML.

    Only names are compared: what ``uv lock --check`` says of versions needs uv.
    """
    project = tomllib.loads(pyproject)
    known = {normal(str(package.get("name", ""))) for package in tomllib.loads(lock).get("package", [])}
    wanted = [name for text in _wanted(project) if (name := _name(text))]
    return tuple(dict.fromkeys(name for name in wanted if normal(name) not in known))


def requires_python(pyproject: str) -> str:
    """``requires-python``, or an empty text."""
    return str(tomllib.loads(pyproject).get("project", {}).get("requires-python", ""))


def _wanted(pyproject: Mapping[str, Any]) -> Iterable[object]:
    project = pyproject.get("project", {})
    yield from project.get("dependencies", [])
    for group in (*project.get("optional-dependencies", {}).values(), *pyproject.get("dependency-groups", {}).values()):
        yield from group


def _name(requirement: object) -> str:
    match = _NAME.match(requirement) if isinstance(requirement, str) else None
    return match[1] if match else ""
