"""What is deployed: releases of one front end, of which each has changed in a twentieth of its files.

Names carry a hash, as those of bundlers do; files that did not change keep their time, as with a bundler's cache.
"""

from __future__ import annotations

import hashlib
import os
import random
from dataclasses import dataclass
from pathlib import Path

FILES, SIZE = 2000, 20_000_000
CHANGED = 20
"""One file in so many is another in the next release."""
RELEASES = 5
_SEED = 20_000
_BEGIN = 1_700_000_000
_PAGE = '<!doctype html>\n<title>Release {number}</title>\n<script src="/{script}"></script>\n'
_CONFIG = "deploy:\n  prod:\n    parameters: {conf: conf-prod.yml, keep_builds: 3}\n"
_CONF = "REMOTE_BASE: /home/stenvala/live/mcc\nSERVICE_MANAGER: none\nOWNERSHIP: none\nSMOKE_URLS: []\n"
_BUILD = "build_number: {number}\nbranch: main\ncommit_sha: {sha}\n"


@dataclass(frozen=True, slots=True)
class Tree:
    """One output folder. ``files``: the hash of each file in ``ui/``, by its path there."""

    number: int
    folder: Path
    files: dict[str, str]


def make_trees(folder: Path, files: int = FILES, size: int = SIZE) -> list[Tree]:
    """As many releases as the benchmark needs, in folders ``1``, ``2``, …"""
    sizes, trees = _sizes(files - 1, size), []
    places: list[_Place] = []
    for number in range(1, RELEASES + 1):
        places = [_place(place, number, sizes, places) for place in range(len(sizes))]
        trees.append(_make(folder, number, places))
    return trees


@dataclass(frozen=True, slots=True)
class _Place:
    """A file as it is in one release: since which, its name and its content."""

    since: int
    name: str
    content: bytes
    sha: str


def _sizes(count: int, size: int) -> list[int]:
    """Spread as in real front ends: many small files, few large ones."""
    source = random.Random(_SEED)
    weights = [source.lognormvariate(0, 1.3) for _ in range(count)]
    return [int(size * weight / sum(weights)) for weight in weights]


def changes(place: int, number: int) -> bool:
    """Whether a file is another in a release than in the one before; the first, the script, changes in each."""
    return number == 1 or place == 0 or random.Random(f"{place}/{number}").randrange(CHANGED) == 0


def _place(place: int, number: int, sizes: list[int], before: list[_Place]) -> _Place:
    if not changes(place, number):
        return before[place]
    content = random.Random(f"{place} of {number}").randbytes(sizes[place])
    sha = hashlib.sha256(content).hexdigest()
    kind = "app" if place == 0 else f"part{place}"
    return _Place(number, f"assets/{place % 40:02}/{kind}-{sha[:8]}.js", content, sha)


def _make(above: Path, number: int, places: list[_Place]) -> Tree:
    folder = above / str(number)
    for each in places:
        _write(folder / "ui" / each.name, each.content, each.since)
    page = _PAGE.format(number=number, script=places[0].name).encode()
    build = _BUILD.format(number=number, sha=hashlib.sha1(page).hexdigest())
    _write(folder / "ui/index.html", page, number)
    for name, text in {"config.yml": _CONFIG, "conf-prod.yml": _CONF, "build_info.yml": build}.items():
        _write(folder / name, text.encode(), number)
    files = {each.name: each.sha for each in places} | {"index.html": hashlib.sha256(page).hexdigest()}
    return Tree(number, folder, files)


def _write(path: Path, content: bytes, release: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (_BEGIN + 60 * release,) * 2)
