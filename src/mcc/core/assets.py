"""Files of a front end that have a hash of their content in their names, and which of them a new release takes over.

A visitor who has loaded the page of one release asks for its files later, by names that no other release has: parts
that are loaded when they are needed, pictures, fonts. Such a name stands for one content for ever, so that an old
file beside the new ones hurts nobody.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

MOST_BYTES = 256_000_000
"""What old files may take in one new release."""
MOST_FILES = 20_000

Sizes = Mapping[str, int]
"""Paths of files in a release, with their sizes in bytes."""

# Documents name the newest files; code of a back end is no part of a page.
_NEVER = frozenset(
    ("html", "htm", "xhtml", "shtml", "webmanifest", "appcache", "php", "py", "pyc", "so", "sql", "sh", "rb")
)
_WORKERS = ("serviceworker", "ngsw")
_HEX = re.compile(r"[0-9a-f]{8,64}|[0-9A-F]{8,64}")
_DATE = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])(\d{4}|\d{6})?")
_LETTERS = re.compile(r"[A-Za-z0-9]{8,64}")
_WITH_SIGNS = re.compile(r"[A-Za-z0-9_-]{8,32}")
_VERSION = re.compile(r"[a-z]+(?:[_-](?:[a-z]+|v?\d+))+")  # words and numbers: jquery-3, my-page-2
_BASE32 = re.compile(r"[A-Z2-7]{8}")
_SEPARATED = re.compile(r"(?:^|(?<=[.~_-]))(?=[A-Za-z0-9_-])")
_SHORTEST = 8
_KINDS = tuple(map(re.compile, ("[a-z]", "[A-Z]", "[0-9]")))
_ROLLUP = 8  # [hash] of Rollup and Vite: base64 with - and _ in it
_FOLDER = 16  # Next.js names a folder by the build


def is_hashed(path: str) -> bool:
    """Whether the name of a file, or of a folder that it is in, has a hash of eight signs or more in it.

    ``index-BHgl4SYk.js`` (Vite, Rollup), ``main.8e0d5f3c.chunk.css`` (webpack, parcel), ``chunk-5NZVVBQX.js`` (esbuild,
    Angular), ``app.27e20196a850.css.gz`` (Django, Rails): signs of two kinds, or hexadecimal ones. Words in small
    letters are none. Never documents, manifests of web applications and service workers: of these the newest counts.
    """
    *folders, name = path.split("/")
    if not path.isprintable() or _is_excluded(name):
        return False
    return any(_is_folder_hash(folder) for folder in folders) or _has_hash(name)


def _is_excluded(name: str) -> bool:
    kinds = name.lower().split(".")[1:]
    if not kinds or _NEVER & {*kinds}:
        return True
    words = re.split(r"[^a-z0-9]+", name.lower())
    joined = "".join(words)
    return "sw" in words or any(word in joined for word in _WORKERS) or _is_manifest(name)


def _is_manifest(name: str) -> bool:
    return "manifest" in name.lower() and ".json" in name.lower()


def _has_hash(name: str) -> bool:
    """Whether a hash stands before a dot: ``app-HASH.js``, ``HASH.js``, ``app.HASH.min.js.map``."""
    dots = [at for at, sign in enumerate(name) if sign == "."]
    return any(_is_hash(part) for end in dots for part in _endings(name[:end]))


def _endings(text: str) -> Iterator[str]:
    for start in _SEPARATED.finditer(text):
        yield text[start.end() :]


def _is_hash(text: str) -> bool:
    if len(text) < _SHORTEST:
        return False
    if _DATE.fullmatch(text) or _VERSION.fullmatch(text):
        return False
    if _HEX.fullmatch(text) or _BASE32.fullmatch(text):
        return True
    if _LETTERS.fullmatch(text) or (len(text) == _ROLLUP and _WITH_SIGNS.fullmatch(text)):
        return _kinds_of_signs(text) >= 2
    return bool(_WITH_SIGNS.fullmatch(text)) and _kinds_of_signs(text) == 3


def _is_folder_hash(name: str) -> bool:
    return len(name) >= _FOLDER and bool(
        _HEX.fullmatch(name) or (_WITH_SIGNS.fullmatch(name) and _kinds_of_signs(name) == 3)
    )


def _kinds_of_signs(text: str) -> int:
    return sum(bool(kind.search(text)) for kind in _KINDS)


@dataclass(frozen=True, slots=True)
class Listed:
    """Which files of a release's folder are its ``own``, and which it took over: ``older`` by their release."""

    own: Sizes
    older: Mapping[str, tuple[str, ...]]


def to_json(listed: Listed) -> bytes:
    """The list, as it is kept with the release."""
    data = {"own": dict(listed.own), "older": {name: list(files) for name, files in listed.older.items()}}
    return json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True).encode("utf-8", "surrogatepass") + b"\n"


def from_json(text: bytes) -> Listed | None:
    """What :func:`to_json` wrote; None if it is none, or names anything outside of its folder."""
    try:
        data = json.loads(text.decode("utf-8", "surrogatepass"))
        own = {str(path): int(size) for path, size in data["own"].items()}
        older = {str(name): tuple(map(str, files)) for name, files in data["older"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    every = [*own, *(file for files in older.values() for file in files)]
    return Listed(own, older) if all(map(_stays_inside, every)) else None


def _stays_inside(path: str) -> bool:
    parts = path.split("/")
    return not {"", ".", ".."} & {*parts} and "\0" not in path


@dataclass(frozen=True, slots=True)
class Older:
    """Files of one older release that a new one takes over: paths below its version ``folder``."""

    folder: str
    files: tuple[str, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a new release takes over, newest release first; ``left_out`` files were too many or too big."""

    older: tuple[Older, ...] = ()
    left_out: int = 0

    @property
    def files(self) -> int:
        return sum(len(each.files) for each in self.older)

    @property
    def bytes(self) -> int:
        return sum(each.bytes for each in self.older)


def choose(
    taken: Collection[str],
    releases: Sequence[tuple[str, Sizes]],
    most_bytes: int = MOST_BYTES,
    most_files: int = MOST_FILES,
) -> Chosen:
    """Files of older releases that a new one has not, within bounds; ``releases`` (folder, own) newest first.

    ``taken`` are the files and links of the new release: they stay as they are, and nothing goes below them.
    """
    names = set(taken)
    room, left, left_out, chosen = most_bytes, most_files, 0, []
    for folder, own in releases:
        files = []
        for path in sorted(own):
            # most files are those of the new release too, and a name is looked up faster than it is read
            if path in names or not is_hashed(path) or _is_below(path, names):
                continue
            if own[path] > room or left == 0:
                left_out += 1
                continue
            room, left = room - own[path], left - 1
            files.append(path)
            names.add(path)
        if files:
            chosen.append(Older(folder, tuple(files), sum(own[path] for path in files)))
    return Chosen(tuple(chosen), left_out)


def _is_below(path: str, names: Collection[str]) -> bool:
    return any(str(parent) in names for parent in PurePosixPath(path).parents)
