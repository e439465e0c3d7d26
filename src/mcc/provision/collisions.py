"""What of a site is somebody else's already: domains in other sites of nginx, ports in other units.

Texts are taken as they are; nothing is started and nothing is asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

# A comment, a quoted word, a sign, or a plain word.
_TOKEN = re.compile(r"""#[^\n]*|"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([{};])|([^\s{};"'#][^\s{};]*)|\n""")
_LISTENS = re.compile(r"^\s*ListenStream\s*=\s*(.*)$", re.MULTILINE)
_RUNS = re.compile(r"^\s*ExecStart\s*=\s*((?:.*\\\n)*.*)$", re.MULTILINE)
_OPTION = re.compile(r"(?:--port|--bind|--listen|-p|-b)[=\s]+[\"']?(\S+?)[\"']?(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Collision:
    """``what`` (a domain, a port) stands in ``file`` on ``line``."""

    what: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.what} is taken: {self.file}:{self.line}"


def collisions(texts: Mapping[str, str], domains: Collection[str], own: Collection[str] = ()) -> tuple[Collision, ...]:
    """The domains that a site of nginx answers for already, by path of its file; files in ``own`` are the site's.

    A wildcard or a regular expression is no collision: nginx prefers an exact name.
    """
    wanted = {domain.lower() for domain in domains}
    return tuple(
        Collision(name, file, line)
        for file, text in sorted(texts.items())
        if file not in own
        for name, line in dict(_server_names(text)).items()
        if name in wanted
    )


def port_collisions(texts: Mapping[str, str], port: int, own: Collection[str] = ()) -> tuple[Collision, ...]:
    """The units (path to text) that listen on a port, by ``ListenStream`` or by an argument; not those in ``own``."""
    return tuple(
        Collision(f"port {port}", file, line)
        for file, text in sorted(texts.items())
        if file not in own
        for found, line in _ports(text)
        if found == port
    )


def _server_names(text: str) -> Iterator[tuple[str, int]]:
    line, inside, fresh = 1, False, True
    for match in _TOKEN.finditer(text):
        double, single, sign, plain = match.groups()
        name = next((word for word in (double, single, plain) if word is not None), None)
        if sign:
            inside, fresh = False, True
        elif name is not None and inside:
            yield name.lower().removesuffix("."), line
        elif name is not None:
            inside, fresh = fresh and name == "server_name", False
        line += match[0].count("\n")


def _ports(text: str) -> Iterator[tuple[int, int]]:
    for match in _LISTENS.finditer(text):
        number = match[1].strip().rpartition(":")[2]
        if number.isdigit():
            yield int(number), _line(text, match.start(1))
    for match in _RUNS.finditer(text):
        for option in _OPTION.finditer(match[1]):
            number = option[1].rpartition(":")[2]
            if number.isdigit():
                yield int(number), _line(text, match.start(1) + option.start())


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
