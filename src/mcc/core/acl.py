"""Access control lists as text (acl(5)), in the words of setfacl(1).

``u::rwx``: the owner; ``u:NAME:r-x``: a user; ``g::…``, ``g:NAME:…``: the group, another group; ``m::…``: the most
that all but the owner and others may have; ``o::…``: others. ``d:`` before it: what is made in the folder gets it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

_TAGS = "ugmo"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. ``tag`` is u, g, m or o; ``name`` is empty for the owner, the owning group, mask and others."""

    default: bool
    tag: str
    name: str
    rights: int

    def __str__(self) -> str:
        letters = "".join(letter if self.rights & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
        return f"{'d:' if self.default else ''}{self.tag}:{self.name}:{letters}"


def entry(text: str) -> Entry:
    """One entry, read. Raises ValueError."""
    default = text.startswith("d:")
    tag, name, letters = text.removeprefix("d:").split(":")
    if tag not in _TAGS or set(letters) - set("rwx-"):
        raise ValueError(f"not an entry of an access control list: {text!r}")
    rights = sum(bit for letter, bit in (("r", 4), ("w", 2), ("x", 1)) if letter in letters)
    return Entry(default, tag, name, rights)


def canonical(acl: Iterable[str]) -> tuple[str, ...]:
    """The same list in the one order in which two lists can be compared."""
    entries = (entry(text) for text in acl)
    return tuple(str(each) for each in sorted(entries, key=lambda one: (one.default, _TAGS.index(one.tag), one.name)))


def for_file(acl: Iterable[str]) -> tuple[str, ...]:
    """What a folder's list would give to a file in it: nobody runs it."""
    entries = (entry(text) for text in acl)
    return canonical(str(Entry(False, each.tag, each.name, each.rights & 6)) for each in entries if not each.default)


def others_in(mode: int, acl: Iterable[str], readers: Collection[str]) -> tuple[str, ...]:
    """Who may do something with a file besides its owner, and besides ``readers`` who may only read it; in words."""
    entries = [each for each in map(entry, acl) if not each.default]
    mask = next((each.rights for each in entries if each.tag == "m"), 7)
    owning = next((each.rights for each in entries if each.tag == "g" and not each.name), 0)
    group = owning if entries else mode >> 3 & 7
    found = ["its group"] if group & mask else []
    for each in entries:
        allowed = 4 if each.tag == "u" and each.name in readers else 0
        if each.name and each.rights & mask & ~allowed:
            found.append(f"{'the group ' if each.tag == 'g' else ''}{each.name}")
    return (*found, *(("others",) if mode & 7 else ()))


def readers_in(acl: Iterable[str]) -> tuple[str, ...]:
    """The users who are named in a list for reading alone."""
    return tuple(each.name for each in map(entry, acl) if each.tag == "u" and each.name and each.rights == 4)
