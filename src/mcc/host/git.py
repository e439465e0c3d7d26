"""What git knows of a project. Where there is no git, or no repository, the answers are empty."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcc.errors import CommandFailed
from mcc.host.ports import Commands, Completed

_ENGLISH = {"LC_ALL": "C.UTF-8", "GIT_OPTIONAL_LOCKS": "0"}
_LIMIT = 30.0


def branches(commands: Commands, folder: Path) -> tuple[str, ...]:
    """Names of all branches, here and of the remotes, each once; a remote's name is left out."""
    done = _ask(commands, folder, ["for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes"])
    if done is None or not done.ok:
        return ()
    names = (_branch(ref) for ref in done.stdout.decode("utf-8", "replace").split())
    return tuple(sorted({name for name in names if name and name != "HEAD"}))


def tracked(commands: Commands, folder: Path) -> frozenset[str]:
    """Files below a folder that git tracks, relative to it."""
    done = _ask(commands, folder, ["ls-files", "-z"])
    if done is None or not done.ok:
        return frozenset()
    return frozenset(name for name in done.stdout.decode("utf-8", "surrogateescape").split("\0") if name)


def _branch(ref: str) -> str:
    if ref.startswith("refs/heads/"):
        return ref.removeprefix("refs/heads/")
    return ref.removeprefix("refs/remotes/").partition("/")[2]


def _ask(commands: Commands, folder: Path, words: Sequence[str]) -> Completed | None:
    if commands.find("git") is None:
        return None
    try:
        return commands.run(["git", "-C", str(folder), *words], env=_ENGLISH, timeout=_LIMIT)
    except CommandFailed:
        return None
