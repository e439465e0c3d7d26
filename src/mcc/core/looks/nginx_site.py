"""What nginx's site files say, as far as a deploy is concerned (https://nginx.org/en/docs/).

Nothing is understood here that a look at a site does not need: variables, maps and regular expressions
stay as they are written.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)|(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<mark>[{};])|(?P<word>(?:[^\s{};"'\\]|\\.|\$\{[^}]*\})+)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Directive:
    """``name words {block}``; ``line`` counts from 1."""

    name: str
    words: tuple[str, ...]
    line: int
    block: tuple[Directive, ...] = ()


@dataclass(frozen=True, slots=True)
class Use:
    """A directive of a server that leads somewhere: ``root``, ``alias``, ``proxy_pass``."""

    kind: str
    target: str
    line: int


@dataclass(frozen=True, slots=True)
class Server:
    """One ``server`` block."""

    file: str
    line: int
    names: tuple[str, ...]
    tls: bool
    plain: bool
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class Sites:
    """All servers of some files; ``upstreams``: addresses by name."""

    servers: tuple[Server, ...] = ()
    upstreams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_sites(files: Mapping[str, str], included: Mapping[str, str] | None = None) -> Sites:
    """Servers and upstreams of site files, by their paths. A file that is cut off gives what is whole in it.

    ``included`` holds files that servers may include, by their paths.
    """
    servers: list[Server] = []
    upstreams: dict[str, tuple[str, ...]] = {}
    for name, text in files.items():
        for directive in _all(parse(text), ("http",)):
            if directive.name == "server":
                servers.append(_server(name, _with(directive, included or {})))
            elif directive.name == "upstream" and directive.words:
                members = (each.words[0] for each in directive.block if each.name == "server" and each.words)
                upstreams[directive.words[0]] = tuple(members)
    return Sites(tuple(servers), upstreams)


def parse(text: str) -> tuple[Directive, ...]:
    """The directives of a file."""
    tokens = list(_tokens(text))
    found, _ = _block(tokens, 0)
    return tuple(found)


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    line, at = 1, 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", at, match.start())
        at = match.start()
        kind = match.lastgroup or ""
        if kind != "comment":
            yield kind, match[0][1:-1] if kind == "quoted" else match[0], line


def _block(tokens: Sequence[tuple[str, str, int]], at: int) -> tuple[list[Directive], int]:
    found: list[Directive] = []
    words: list[str] = []
    line = 0
    while at < len(tokens):
        kind, word, here = tokens[at]
        at += 1
        if kind != "mark":
            line = line if words else here
            words.append(word)
            continue
        inside: list[Directive] = []
        if word == "{":
            inside, at = _block(tokens, at)
        if words:
            found.append(Directive(words[0], tuple(words[1:]), line, tuple(inside)))
        words = []
        if word == "}":
            break
    return found, at


def _all(directives: Sequence[Directive], into: Sequence[str]) -> Iterator[Directive]:
    for directive in directives:
        yield directive
        if directive.name in into:
            yield from _all(directive.block, into)


def _with(server: Directive, included: Mapping[str, str]) -> Directive:
    """The server with what it includes."""
    more = [
        directive
        for each in server.block
        if each.name == "include" and each.words
        for directive in parse(included.get(posixpath.join("/etc/nginx", each.words[0]), ""))
    ]
    return replace(server, block=(*server.block, *more))


def _server(file: str, server: Directive) -> Server:
    listens = [each.words for each in server.block if each.name == "listen"]
    tls = any("ssl" in words or words[0].endswith((":443", "443")) for words in listens if words)
    plain = not listens or any("ssl" not in words and not words[0].endswith("443") for words in listens if words)
    names = tuple(name for each in server.block if each.name == "server_name" for name in each.words)
    inside = _all(server.block, ("location", "if"))
    uses = tuple(
        Use(each.name, each.words[0], each.line)
        for each in inside
        if each.name in ("root", "alias", "proxy_pass") and each.words
    )
    return Server(file, server.line, names, tls, plain, uses)
