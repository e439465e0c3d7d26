"""The name of an environment: the same for the same lock file, interpreter and arguments."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass


def key(made_from: Mapping[str, str]) -> str:
    """Sixteen hexadecimal digits over everything that an environment is made from."""
    return hashlib.sha256(json.dumps(dict(made_from), sort_keys=True).encode()).hexdigest()[:16]


def free_name(wanted: str, altered: Collection[str]) -> str:
    """``wanted``, or with a number behind it where environments of that name were changed in place."""
    name, number = wanted, 1
    while name in altered:
        number += 1
        name = f"{wanted}-{number}"
    return name


@dataclass(frozen=True, slots=True)
class LocalPackage:
    """A package that uv builds from a folder of the project; its lock says nothing of its content."""

    name: str
    folder: str


_FROM_FOLDERS = re.compile(rb"editable|directory")


def may_have_local_packages(lock: bytes) -> bool:
    """Whether a lock file has to be read for :func:`local_packages`; most need not, and reading takes its time."""
    return _FROM_FOLDERS.search(lock) is not None


def local_packages(lock: str) -> tuple[LocalPackage, ...]:
    """The packages of a ``uv.lock`` that are built from folders. Raises ValueError if it is none."""
    packages = tomllib.loads(lock).get("package", [])
    found = []
    for package in packages:
        source = package.get("source", {})
        folder = source.get("editable") or source.get("directory")
        if folder:
            found.append(LocalPackage(str(package["name"]), str(folder)))
    return tuple(found)
