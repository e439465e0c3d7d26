"""What of a site is somebody else's already: domains in other sites of nginx, ports in other units.

Texts are taken as they are; nothing is started and nothing is asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mcc.core.looks.nginx_site import Directive, parse

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
        for name, line in dict(_server_names(parse(text))).items()
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


def _server_names(directives: Iterable[Directive]) -> Iterator[tuple[str, int]]:
    for directive in directives:
        if directive.name == "server_name":
            yield from ((name.lower().removesuffix("."), directive.line) for name in directive.words)
        elif directive.name in ("http", "server"):
            yield from _server_names(directive.block)


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
