"""What ``sudo -n -l`` says that a user may run, and what of it is broader than a deploy needs (sudo(8), sudoers(5))."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mcc.core.looks.findings import Finding, error, warning
from mcc.core.sudo import Words, way_out

_RULE = re.compile(r"\((?P<as>[^)]*)\)\s*(?P<rest>.*)")
_TAG = re.compile(r"(?P<tag>[A-Z_]+):\s*(?P<rest>.*)", re.DOTALL)
_COMMA = re.compile(r"(?<!\\),\s*")
_WILDCARD = re.compile(r"(?<!\\)[*?\[]")
_ANY_ARGUMENTS = ("systemctl", "chown", "chmod", "service")
_OWNERS = ("/bin/chown -R ", "/bin/chmod -R ")


@dataclass(frozen=True, slots=True)
class Right:
    """One command of a rule. ``command`` is as sudo prints it, with its escapes."""

    command: str
    password: bool

    @property
    def plain(self) -> str:
        """Without escapes, and with one name for ``/bin`` and ``/usr/bin``."""
        return normal(re.sub(r"\\(.)", r"\1", self.command))


@dataclass(frozen=True, slots=True)
class Meant:
    """What a user's sudo rules are for: the commands of this site, and the sites beside it of the same user."""

    user: str
    required: tuple[Words, ...]
    useful: tuple[Words, ...]
    units: frozenset[str] = frozenset()
    bases: tuple[str, ...] = ()

    @property
    def commands(self) -> frozenset[str]:
        return frozenset(joined(words) for words in (*self.required, *self.useful))


def normal(command: str) -> str:
    """A command line with ``/bin`` for ``/usr/bin``: Debian has one for the other."""
    program, blank, rest = command.partition(" ")
    folder = posixpath.dirname(program)
    if folder in ("", "/usr/bin", "/usr/sbin", "/sbin"):
        program = f"/bin/{posixpath.basename(program)}"
    return program + blank + rest


def joined(words: Sequence[str]) -> str:
    """Words as one line, as sudo compares them."""
    return normal(" ".join(words))


def read_list(output: str) -> tuple[Right, ...]:
    """The commands in what ``sudo -n -l`` prints."""
    _, _, text = output.partition("may run the following commands")
    rules: list[str] = []
    for line in text.splitlines()[1:]:
        if line.strip().startswith("("):
            rules.append(line.strip())
        elif rules and line.strip():
            rules[-1] += " " + line.strip()  # sudo breaks long lines
    return tuple(right for rule in rules for right in _rights(rule))


def _rights(rule: str) -> Iterator[Right]:
    match = _RULE.match(rule)
    password = True
    for part in _COMMA.split(match["rest"]) if match else ():
        while tag := _TAG.match(part):
            password = {"NOPASSWD": False, "PASSWD": True}.get(tag["tag"], password)
            part = tag["rest"]
        if part:
            yield Right(part.strip(), password)


def judge(rights: Sequence[Right], meant: Meant) -> Iterator[Finding]:
    """What is broader than needed, and what is needed and would ask for a password."""
    yield from _asks(rights, meant)
    broad = [right for right in rights if right.plain not in meant.commands]
    everything = [right for right in broad if right.plain == "/bin/ALL"]
    if any(not right.password for right in everything):
        yield _broader("sudo.all", meant, "everything", "whoever can deploy is root")
    rest = [right for right in broad if right not in everything and not right.password]
    for code, found, why in _kinds(rest, meant):
        yield _broader(code, meant, ", ".join(found), why)


def _kinds(rights: Iterable[Right], meant: Meant) -> Iterator[tuple[str, list[str], str]]:
    groups: dict[str, list[str]] = {
        "sudo.wildcard": [],
        "sudo.any-arguments": [],
        "sudo.other-unit": [],
        "sudo.other": [],
    }
    for right in rights:
        code = _kind(right, meant)
        if code:
            groups[code].append(right.plain)
    for code, found in groups.items():
        if found:
            yield code, found, _WHY[code]


_WHY = {
    "sudo.wildcard": "a wildcard also matches blanks and slashes, so more than it looks like",
    "sudo.any-arguments": "a command without arguments may be run with any",
    "sudo.other-unit": "these units are not of a site that this user deploys",
    "sudo.other": "a deploy does not need this",
}


def _kind(right: Right, meant: Meant) -> str:
    words = right.plain.split()
    program = posixpath.basename(words[0])
    if _WILDCARD.search(right.command) or right.command.partition(" ")[2].startswith("^"):
        return "sudo.wildcard"
    if program in _ANY_ARGUMENTS and len(words) == 1:
        return "sudo.any-arguments"
    if program == "systemctl":
        return "" if len(words) == 3 and words[2] in meant.units else "sudo.other-unit"
    return "" if _is_inside(right.plain, meant.bases) else "sudo.other"


def _is_inside(command: str, bases: Collection[str]) -> bool:
    """Whether a command sets owners or modes below a site of this user."""
    path = command.rpartition(" ")[2]
    inside = ".." not in path.split("/") and any(path.startswith(f"{base}/") for base in bases)
    return inside and command.startswith(_OWNERS)


def _broader(code: str, meant: Meant, what: str, why: str) -> Finding:
    message = f"{meant.user} may run more than a deploy needs as root: {what} ({why})"
    return warning(
        code, "sudoers", message, "as root: narrow the rule with visudo, to the lines that mcc provision writes"
    )


def _asks(rights: Sequence[Right], meant: Meant) -> Iterator[Finding]:
    free = {right.plain for right in rights if not right.password}
    wanted = [words for words in meant.required if joined(words) not in free]
    asked = {right.plain for right in rights if right.password}
    behind = [words for words in wanted if joined(words) in asked or "/bin/ALL" in asked]
    if behind and "/bin/ALL" not in free and not _may_match(rights):
        what = ", ".join(" ".join(words) for words in behind)
        yield error(
            "sudo.password",
            "sudoers",
            f"sudo would ask {meant.user} for a password: {what}",
            way_out(meant.user, *behind),
        )


def _may_match(rights: Sequence[Right]) -> bool:
    """Whether a free rule has a pattern, which may cover what is needed: sudo itself knows."""
    return any(not right.password and _WILDCARD.search(right.command) for right in rights)
