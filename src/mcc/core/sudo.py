"""The one list of commands that need root.

What runs them, what asks whether they are allowed, and what tells a person which line is missing
in sudoers are all made from these words, so that they cannot differ: sudo compares the whole
command line, letter by letter (sudoers(5)).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from mcc.core.slots import restarted, units_of
from mcc.core.unit_names import is_instance, socket_of
from mcc.model.conf import Conf

Words: TypeAlias = tuple[str, ...]

_SYSTEMCTL = "/bin/systemctl"
_FULL_PATHS = {"chown": "/bin/chown", "chmod": "/bin/chmod"}

# sudoers(5): these have a meaning of their own in the arguments of a command. The blank is not
# named there, but ends a word; the rest are wildcards, or begin a comment or a regular expression.
_SPECIAL = re.compile(r"[,:=\s#*?\[\]!^]")


def restart(unit: str) -> Words:
    """Restart a unit; the name goes to systemd as it stands in the conf."""
    return (_SYSTEMCTL, "restart", unit)


def status(unit: str) -> Words:
    """Show a unit with the last lines of its journal, which only root may read."""
    return (_SYSTEMCTL, "status", unit)


def stop(unit: str) -> Words:
    """Stop a unit."""
    return (_SYSTEMCTL, "stop", unit)


def start(unit: str) -> Words:
    """Start a unit."""
    return (_SYSTEMCTL, "start", unit)


def chown(user: str, group: str, path: str | Path) -> Words:
    """Give all below a path to a user and a group."""
    return ("chown", "-R", f"{user}:{group}", str(path))


def chmod(path: str | Path) -> Words:
    """Let the group of all below a path read and write it."""
    return ("chmod", "-R", "g+rw", str(path))


def required(conf: Conf, owned: Sequence[str | Path] = ()) -> tuple[Words, ...]:
    """The commands without which a deploy cannot be done.

    ``owned`` are the paths whose owner and mode the deploy sets (``OWNERSHIP: sudo``).
    """
    return _restarts(conf) + _ownership(conf, owned)


def useful(conf: Conf) -> tuple[Words, ...]:
    """The commands that are used where sudoers allows them: status, stop and start of each unit.

    A web service that has a socket can only be stopped together with it.
    """
    if conf.services.manager != "systemd":
        return ()
    units = tuple(words(unit) for unit in units_of(conf.services) for words in (status, stop, start))
    return units + tuple(stop(socket_of(unit)) for unit in conf.services.names if not is_instance(unit))


def _restarts(conf: Conf) -> tuple[Words, ...]:
    if conf.services.manager != "systemd":
        return ()
    names = restarted(conf.services)
    slots = tuple(unit for unit in units_of(conf.services) if unit not in names)
    # A slot that is not live is stopped, where an ordinary unit is only restarted.
    return (*(words(unit) for unit in slots for words in (restart, stop)), *(restart(unit) for unit in names))


def _ownership(conf: Conf, owned: Sequence[str | Path]) -> tuple[Words, ...]:
    user, group = conf.ownership.user, conf.ownership.group
    if conf.ownership.mode != "sudo" or not user or not group:
        return ()
    return tuple(words for path in owned for words in (chown(user, group, path), chmod(path)))


def sudoers_line(user: str, *commands: Sequence[str]) -> str:
    """The line of a sudoers file that lets ``user`` run exactly these commands as root.

    sudo matches all arguments joined by blanks, so ``a b`` as one word and as two are the same to
    it. Raises ValueError for a word with a line break, which no sudoers file can hold.
    """
    return f"{user} ALL=(root) NOPASSWD: " + ", ".join(_command(words) for words in commands)


def way_out(user: str, *commands: Sequence[str]) -> str:
    """What to do about a missing right, in one sentence with the line to add."""
    return f"add this line to /etc/sudoers.d/{_file_name(user)}: {sudoers_line(user, *commands)}"


def _command(words: Sequence[str]) -> str:
    program, *arguments = words
    return " ".join([_escaped(_FULL_PATHS.get(program, program)), *map(_escaped, arguments)])


def _escaped(word: str) -> str:
    if "\n" in word or "\r" in word:
        raise ValueError(f"a sudoers file cannot hold a word with a line break: {word!r}")
    # A backslash is read twice: by the reader of the file, and as an escape of the pattern that
    # the arguments are matched with.
    return _SPECIAL.sub(r"\\\g<0>", word.replace("\\", "\\\\\\\\"))


def _file_name(user: str) -> str:
    # sudo skips files of that folder with a dot in their names.
    return re.sub(r"[^A-Za-z0-9_-]", "_", user)
