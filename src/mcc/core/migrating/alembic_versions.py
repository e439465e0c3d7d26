"""What alembic's files say without running them: revisions, heads, what a database still lacks.

A revision file says ``revision = "…"`` and ``down_revision = None``, one name or several
(https://alembic.sqlalchemy.org/en/latest/tutorial.html#create-a-migration-script). What is written in
another way is not guessed at: then only alembic itself knows, in the release's environment.
"""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_LINE = re.compile(r"([0-9A-Za-z_.-]+)(?: \((?:head|branchpoint|mergepoint|effective head|[\w, -]+)\))*")


@dataclass(frozen=True, slots=True)
class Versions:
    """All revisions of a project, each with those that it stands on, and those that it needs besides."""

    parents: Mapping[str, tuple[str, ...]]
    needs: Mapping[str, tuple[str, ...]]

    @property
    def heads(self) -> tuple[str, ...]:
        """Revisions that no other one stands on; more than one, and ``upgrade head`` has no meaning."""
        below = {parent for parents in self.parents.values() for parent in parents}
        return tuple(sorted(revision for revision in self.parents if revision not in below))

    def pending(self, current: Iterable[str]) -> tuple[str, ...]:
        """Revisions that a database at ``current`` has not had, in no order."""
        return tuple(sorted(self._upto(self.heads) - self._upto(current)))

    def unknown(self, current: Iterable[str]) -> tuple[str, ...]:
        """Revisions of a database that the project does not have."""
        return tuple(revision for revision in current if revision not in self.parents)

    def _upto(self, revisions: Iterable[str]) -> set[str]:
        found: set[str] = set()
        waiting = [revision for revision in revisions if revision in self.parents]
        while waiting:
            revision = waiting.pop()
            if revision not in found:
                found.add(revision)
                waiting += (*self.parents[revision], *self.needs[revision])
        return found


def read_versions(files: Mapping[str, bytes]) -> Versions | None:
    """The revisions of a folder's files, by their names; None if one of them cannot be read like that."""
    parents: dict[str, tuple[str, ...]] = {}
    needs: dict[str, tuple[str, ...]] = {}
    for name, data in files.items():
        if not name.endswith(".py") or name == "__init__.py":
            continue
        try:
            found = _assigned(ast.parse(data))
            revision = str(found["revision"])
            parents[revision] = _names(found.get("down_revision"))
            needs[revision] = _names(found.get("depends_on"))
        except (SyntaxError, ValueError, KeyError):
            return None
    # A dependency by a branch's label, or on a part of a name, is not a revision of these files.
    whole = {each for names in (*parents.values(), *needs.values()) for each in names} <= set(parents)
    return Versions(parents, needs) if whole and parents else None


def script_location(ini: bytes | None, pyproject: bytes | None) -> str | None:
    """Where the scripts are, as it is written (``%(here)s`` for the configuration's own folder).

    None if it is not said, or said together with other places of versions, which are alembic's to find.
    """
    found = (_ini(ini) if ini is not None else {}) or {}
    more = _pyproject(pyproject) if pyproject is not None else {}
    settings = {**more, **found}
    if "version_locations" in settings or "recursive_version_locations" in settings:
        return None
    location = settings.get("script_location")
    return location if location and ":" not in location else None


def revisions_in(output: bytes) -> tuple[str, ...]:
    """The revisions that ``alembic heads`` and ``alembic current`` print, one a line, among what env.py prints."""
    lines = output.decode("utf-8", "replace").splitlines()
    return tuple(match[1] for line in lines if (match := _LINE.fullmatch(line.strip())))


def moved_words(before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]], direction: str) -> str:
    """``shop at a1b2 (was 9f8e), ahead``: where alembic's revisions are, for the databases that have moved."""
    moved = [name for name in after if sorted(after[name]) != sorted(before.get(name, ()))]
    if not moved:
        return "as before"
    parts = [f"{name} at {_shown(after[name])} (was at {_shown(before.get(name, ()))})" for name in moved[:5]]
    more = f" and {len(moved) - 5} more" if len(moved) > 5 else ""
    return f"{', '.join(parts)}{more}, {direction}"


def _shown(revisions: Sequence[str]) -> str:
    return "+".join(sorted(revisions)) or "none"


def _assigned(tree: ast.Module) -> dict[str, object]:
    found: dict[str, object] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            targets, value = [node.target], node.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in ("revision", "down_revision", "depends_on"):
                found[target.id] = ast.literal_eval(value)
    return found


def _names(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list | tuple | set) and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise ValueError("no name of a revision")


def _ini(data: bytes) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(data.decode())
        return {key: value for key, value in parser.items("alembic") if value}
    except (configparser.Error, UnicodeDecodeError):
        return {}


def _pyproject(data: bytes) -> dict[str, str]:
    try:
        found = tomllib.loads(data.decode()).get("tool", {}).get("alembic", {})
    except (ValueError, AttributeError):
        return {}
    return {key: value for key, value in found.items() if value} if isinstance(found, dict) else {}
