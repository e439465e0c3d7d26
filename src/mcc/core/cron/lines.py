"""What one line of a crontab says: a schedule and a command, a variable, a marker (crontab(5)).

A crontab has no encoding, so lines are bytes.
"""

from __future__ import annotations

import re
from pathlib import Path

_NAME = rb"(?:\"([^\"]*)\"|'([^']*)'|([A-Za-z_]\w*))"
_VARIABLE = re.compile(rb"[ \t]*" + _NAME + rb"[ \t]*=[ \t]*(.*)", re.DOTALL)
_QUOTED = re.compile(rb"(?:\"([^\"]*)\"|'([^']*)')\s*")
_JOB = re.compile(rb"[ \t]*(@[a-z]+|[^\s@#]\S*(?:[ \t]+\S+){4})[ \t]+(\S.*)", re.DOTALL)
_BEHIND = re.compile(rb"(.*?\S)[ \t]+#+[ \t]*([^#]*[^#\s])\s*", re.DOTALL)
# What may stand right before and behind a path in a command line: a class of characters.
_AROUND = rb"\s\"'`=:;&|()<>"
_PATH = rb"(?<![^%(around)b])%(path)b(/[^%(around)b]*)?(?![^%(around)b])"


def parts(line: bytes) -> tuple[str, bytes] | None:
    """A line's schedule and command; None for comments, variables, empty and other lines."""
    text = line.strip()
    match = None if _VARIABLE.match(text) else _JOB.fullmatch(text)
    return (match[1].decode("ascii", "replace"), match[2]) if match else None


def variable(line: bytes) -> tuple[bytes, bytes] | None:
    """Name and value of a line that sets a variable for all jobs below it; None for other lines."""
    match = _VARIABLE.match(line)
    if match is None:
        return None
    name = next(group for group in match.group(1, 2, 3) if group is not None)
    quoted = _QUOTED.fullmatch(match[4])
    if quoted is None:
        return name, match[4].strip()
    return name, quoted[1] if quoted[1] is not None else quoted[2]


def marker_of(line: bytes) -> bytes | None:
    """The marker that a line of its own is: what stands behind its ``#``."""
    text = line.strip()
    return text.lstrip(b"#").strip() or None if text.startswith(b"#") else None


def without_marker(command: bytes) -> tuple[bytes, bytes | None]:
    """A command and the marker behind it (``… # MARKER``): a comment for the shell; None if it has none."""
    match = _BEHIND.fullmatch(command)
    return (match[1], match[2]) if match else (command, None)


def names_site(command: bytes, site: Path) -> bool:
    """Whether a command names a site, or something in it, by whole names: live/auth is not live/auth-dev."""
    whole = str(site).rstrip("/")
    # As it is, and as cron and the shell want it written.
    forms = {form.replace("%", sign) for form in (whole, whole.replace(" ", r"\ ")) for sign in ("%", r"\%")}
    return any(_names(command, form.encode("utf-8", "surrogateescape")) for form in forms)


def _names(command: bytes, path: bytes) -> bool:
    pattern = _PATH % {b"around": _AROUND, b"path": re.escape(path)}
    # With .. the way may lead out of the site again.
    return any(b".." not in (match[1] or b"").split(b"/") for match in re.finditer(pattern, command))


def command_and_input(command: bytes) -> tuple[bytes, bytes]:
    """What cron hands to the shell, and what the shell reads: the first bare ``%`` ends the command.

    Further ones are line ends of the input. A backslash makes a ``%`` an ordinary letter, and in the command another
    backslash too, as Debian's cron does it.
    """
    shell, rest = bytearray(), b""
    at = 0
    while at < len(command):
        here = command[at : at + 2]
        if here in (rb"\%", rb"\\"):
            shell += here[1:]
            at += 2
        elif here[:1] == b"%":
            rest = command[at + 1 :]
            break
        else:
            shell += here[:1]
            at += 1
    text = re.sub(rb"\\%|%", lambda match: b"%" if match[0] == rb"\%" else b"\n", rest)
    return bytes(shell), text + (b"\n" if text and not text.endswith(b"\n") else b"")
