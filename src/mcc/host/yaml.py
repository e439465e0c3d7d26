"""YAML 1.2, read with the line of every value, and without its traps.

ruamel.yaml gives the events; what they mean is decided here, by the core schema of YAML 1.2
(https://yaml.org/spec/1.2.2/#103-core-schema): ``12:30`` and ``yes`` are words. Tags are refused,
doubled keys too, and limits hold size, depth and what aliases unfold to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

from mcc.core.document import Document, Place, dotted
from mcc.errors import ConfigError
from mcc.model.problem import Problem

MAX_BYTES = 256 * 1024
MAX_VALUES = 20_000
MAX_DEPTH = 40

_NULL = {"", "~", "null", "Null", "NULL"}
_FLAGS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# Longer runs of digits are identifiers, and int() is slow on them.
_INT = re.compile(r"[-+]?[0-9]{1,40}", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]{1,40}")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,40}|[0-9]{1,40}(\.[0-9]{0,40})?)([eE][-+]?[0-9]{1,9})?", re.ASCII)
_HALF = re.compile(r"[\ud800-\udfff]")  # of UTF-16: it is no text in any other encoding
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

_QUOTES = "put the value in quotes"
# What ruamel.yaml says -> what a person needs to hear, and the way out.
_PLAIN_WORDS = (
    ("found character '\\t'", "there is a tab where only spaces may stand", "indent with spaces"),
    ("found a tab character", "there is a tab where only spaces may stand", "indent with spaces"),
    ("found character '%'", "a value cannot begin with %", _QUOTES),
    ("found character '@'", "a value cannot begin with @", _QUOTES),
    ("found character '`'", "a value cannot begin with `", _QUOTES),
    ("mapping values are not allowed", "there is a second ': ', or a line that is indented wrongly", _QUOTES),
    ("found unexpected end of stream", "a quote that is opened here is never closed", ""),
    ("found unexpected document separator", "a quote that is opened here is never closed", ""),
    ("expected ',' or ']'", "the list that is opened here with [ is not closed", ""),
    ("expected ',' or '}'", "the mapping that is opened here with { is not closed", ""),
    ("could not find expected ':'", "there is no ': ' behind the key", 'write "KEY: value"'),
    (
        "expected <block end>",
        "the line does not fit those above it",
        "look at the indentation and the quotes",
    ),
)


@dataclass(slots=True)
class _Node:
    line: int


@dataclass(slots=True)
class _Scalar(_Node):
    text: str
    plain: bool


@dataclass(slots=True)
class _List(_Node):
    items: list[_Node] = field(default_factory=list)


@dataclass(slots=True)
class _Map(_Node):
    pairs: dict[str, tuple[int, _Node]] = field(default_factory=dict)
    merged: list[_Map] = field(default_factory=list)


class _Unreadable(Exception):
    """Reading cannot go on; ``problem`` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read(path: Path, shown: str | None = None) -> Document:
    """Read a file whose top is a mapping.

    ``shown`` names the file in messages. Raises ConfigError with all that is wrong; never anything else.
    """
    file = shown or path.name
    try:
        return parse(_text(path, file), file)
    except _Unreadable as error:
        raise ConfigError([error.problem]) from None


def _text(path: Path, file: str) -> str:
    try:
        mode = path.stat().st_mode
        if not S_ISREG(mode):
            kind = "a folder" if S_ISDIR(mode) else "not a regular file"
            raise _Unreadable(Problem(file, 0, "", f"is {kind}", "a YAML file is needed"))
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _Unreadable(Problem(file, 0, "", f"cannot be read: {reason}", str(path))) from None
    return _decoded(data, file)


def _decoded(data: bytes, file: str) -> str:
    if len(data) > MAX_BYTES:
        raise _Unreadable(Problem(file, 0, "", f"is larger than {MAX_BYTES // 1024} KiB"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _Unreadable(Problem(file, line, "", "is not UTF-8", "save the file as UTF-8")) from None


def parse(text: str, file: str) -> Document:
    """Read the text of a file whose top is a mapping. Raises ConfigError with all that is wrong."""
    composer = _Composer(text, file)
    try:
        top = composer.top()
        if not composer.problems:
            return _Unfolding(file).document(top)
    except _Unreadable as error:
        # Where reading ended, what was said of the same line is a consequence.
        earlier = [problem for problem in composer.problems if problem.line != error.problem.line]
        composer.problems = [*earlier, error.problem]
    raise ConfigError(composer.problems)


def _events(text: str, file: str) -> Iterator[Any]:
    """The parser's events; what it cannot read is said in plain words."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except YAMLError as error:
        raise _Unreadable(_in_words(error, text, file)) from None
    except _Unreadable:
        raise
    except Exception as error:  # the scanner lets its own slips through on some broken input
        raise _Unreadable(Problem(file, 0, "", f"is not YAML: {error}")) from None


def _in_words(error: Any, text: str, file: str) -> Problem:
    position = getattr(error, "position", None)
    if isinstance(position, int):
        line = text[:position].count("\n") + 1
        return Problem(file, line, "", f"holds the control character U+{error.character:04X}", "remove it")
    said = getattr(error, "problem", None) or str(error)
    mark, context = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    message, help = next((words for start, *words in _PLAIN_WORDS if said.startswith(start)), (said, ""))
    if "opened here" in message:
        mark = context or mark
    line = mark.line + 1 if mark is not None else 0
    if "{{" in _line(text, line):
        help = 'a value with {{...}} needs quotes: "{{REMOTE_BASE}}/backups"'
    return Problem(file, line, "", f"is not YAML: {message}", help)


def _line(text: str, line: int) -> str:
    lines = text.split("\n")
    return lines[line - 1] if 0 < line <= len(lines) else ""


class _Composer:
    """Events into nodes; collects what is wrong on the way."""

    def __init__(self, text: str, file: str) -> None:
        self._events = _events(text, file)
        self._file = file
        self._anchors: dict[str, _Node | None] = {}
        self._count = 0
        self.problems: list[Problem] = []

    def top(self) -> _Map:
        event = next(self._events)
        while type(event).__name__ in ("StreamStartEvent", "DocumentStartEvent", "CommentEvent"):
            event = next(self._events)
        if type(event).__name__ == "StreamEndEvent":
            raise _Unreadable(Problem(self._file, 0, "", "is empty", "see docs/configuration.md"))
        node = self._node(event, ())
        self._only_one()
        if isinstance(node, _Map):
            return node
        kind = "a list" if isinstance(node, _List) else "text"
        if isinstance(node, _Scalar) and node.plain and node.text in _NULL:
            raise _Unreadable(Problem(self._file, 0, "", "is empty", "see docs/configuration.md"))
        raise _Unreadable(Problem(self._file, node.line, "", f"holds {kind}", 'allowed: lines of "key: value"'))

    def _only_one(self) -> None:
        for event in self._events:
            if type(event).__name__ == "DocumentStartEvent":
                line = event.start_mark.line + 1
                raise _Unreadable(Problem(self._file, line, "", "holds more than one document", "remove ---"))

    def _wrong(self, line: int, place: Place, message: str, help: str = "") -> None:
        self.problems.append(Problem(self._file, line, dotted(place), message, help))

    def _node(self, event: Any, place: Place) -> _Node:
        line = event.start_mark.line + 1
        self._count += 1
        if self._count > MAX_VALUES:
            raise _Unreadable(Problem(self._file, line, "", f"holds more than {MAX_VALUES:,} values"))
        if len(place) > MAX_DEPTH:
            raise _Unreadable(Problem(self._file, line, "", f"is nested more than {MAX_DEPTH} levels deep"))
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self._alias(event, line, place)
        if event.tag is not None:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
            self._wrong(line, place, f"found the tag {tag}: tags are not allowed", "text in quotes needs none")
        if kind == "ScalarEvent" and _HALF.search(event.value):
            self._wrong(line, place, r"found half of a character (\ud800 to \udfff)", "write the character itself")
        return self._new(kind, event, line, place)

    def _new(self, kind: str, event: Any, line: int, place: Place) -> _Node:
        if event.anchor is not None:
            self._anchors[event.anchor] = None  # until it is whole, it cannot be meant
        node: _Node
        if kind == "ScalarEvent":
            node = _Scalar(line, event.value, plain=bool(event.implicit[0]))
        elif kind == "SequenceStartEvent":
            node = self._list(line, place)
        else:
            node = self._map(line, place)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: Any, line: int, place: Place) -> _Node:
        node = self._anchors.get(event.anchor)
        if node is not None:
            return node
        if event.anchor in self._anchors:
            self._wrong(line, place, f"found *{event.anchor} inside of what it stands for")
        else:
            quotes = "a value that begins with * needs quotes"
            self._wrong(line, place, f"found *{event.anchor}, but there is no &{event.anchor} above", quotes)
        return _Scalar(line, "", plain=True)

    def _list(self, line: int, place: Place) -> _List:
        node = _List(line)
        for event in self._events:
            if type(event).__name__ == "SequenceEndEvent":
                break
            node.items.append(self._node(event, (*place, len(node.items))))
        return node

    def _map(self, line: int, place: Place) -> _Map:
        node = _Map(line)
        for event in self._events:
            if type(event).__name__ == "MappingEndEvent":
                break
            self._pair(node, event, place)
        return node

    def _pair(self, node: _Map, event: Any, place: Place) -> None:
        key = self._node(event, (*place, "?"))
        name = key.text if isinstance(key, _Scalar) else "?"
        value = self._node(next(self._events), (*place, name))
        if not isinstance(key, _Scalar):
            quotes = 'a value that begins with {{ needs quotes: "{{KEY}}"'
            self._wrong(key.line, place, "found a list or a mapping as a key", quotes)
        elif name == "<<" and key.plain:
            self._merge(node, value, place)
        elif name in node.pairs:
            first = node.pairs[name][0]
            self._wrong(key.line, (*place, name), f"stands here and on line {first}", "keep one of them")
        else:
            node.pairs[name] = (key.line, value)

    def _merge(self, node: _Map, value: _Node, place: Place) -> None:
        for part in value.items if isinstance(value, _List) else [value]:
            if isinstance(part, _Map):
                node.merged.append(part)
            else:
                self._wrong(part.line, (*place, "<<"), "found no mapping to merge", "allowed: <<: *name")


class _Unfolding:
    """Nodes into plain data; aliases become copies, within a limit."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._count = 0
        self._lines: dict[Place, int] = {}
        self._texts: dict[Place, str] = {}

    def document(self, top: _Map) -> Document:
        data = self._value(top, ())
        return Document(self._file, data, self._lines, self._texts)

    def _value(self, node: _Node, place: Place) -> Any:
        self._count += 1
        if self._count > MAX_VALUES or len(place) > 2 * MAX_DEPTH:
            message = f"unfolds to more than {MAX_VALUES:,} values, or too deep: too many aliases (*name)"
            raise _Unreadable(Problem(self._file, node.line, dotted(place[:1]), message))
        if isinstance(node, _Map):
            return {name: self._at(line, part, (*place, name)) for name, (line, part) in self._pairs(node).items()}
        if isinstance(node, _List):
            return [self._at(part.line, part, (*place, index)) for index, part in enumerate(node.items)]
        assert isinstance(node, _Scalar)
        if node.plain:
            self._texts[place] = node.text
        return scalar(node.text) if node.plain else node.text

    def _at(self, line: int, node: _Node, place: Place) -> Any:
        self._lines[place] = line
        return self._value(node, place)

    def _pairs(self, node: _Map, depth: int = 0) -> dict[str, tuple[int, _Node]]:
        """The pairs of a mapping and of those merged into it; nearer ones win."""
        self._count += len(node.merged)
        if self._count > MAX_VALUES or depth > MAX_DEPTH:
            raise _Unreadable(Problem(self._file, node.line, "", "merges too many mappings (<<: *name)"))
        pairs: dict[str, tuple[int, _Node]] = {}
        for part in reversed(node.merged):
            pairs.update(self._pairs(part, depth + 1))
        return {**pairs, **node.pairs}


def scalar(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means in YAML 1.2."""
    if text in _NULL:
        return None
    if text in _FLAGS:
        return _FLAGS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if _INFINITE.fullmatch(text) else text
