"""Passwords that stand readable in a file which is to be committed: where, never what.

A value that comes from ``{{env:…}}``, ``{{file:…}}`` or ``${…}`` is none; ``{{KEY}}`` is judged where KEY stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mcc.core.document import Document, Place, dotted
from mcc.core.masking import is_secret_name, url_passwords

_ELSEWHERE = re.compile(r"\{\{[^{}\n]*\}\}|\$\{[^{}\n]*\}|\$[A-Za-z_][A-Za-z0-9_]*")
# Stands for what comes from elsewhere: no address and no path has such a character.
_AWAY = "\x00"
_ENDING = re.compile(r"(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|_KEY)$", re.IGNORECASE)
# TLS_KEY: /etc/ssl/…, TOKEN_FILE: secrets/token: where a secret is, not what it is.
_NAMES_A_PATH = re.compile(r"(_KEY|_FILE|_PATH|_DIR)$", re.IGNORECASE)
_PATH = re.compile(r"(~|\.{1,2})?/?[\w.@+-]+(/[\w.@+-]+)+")


@dataclass(frozen=True, slots=True)
class PlainSecret:
    """``key`` as a person would name it (``EMBEDDED_SERVICES.api.environment.TOKEN``); ``line`` counts from 1."""

    file: str
    line: int
    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key}: {self.what} stands here for all who can read the file"

    @property
    def help(self) -> str:
        """The way out."""
        name = re.sub(r"\W+", "_", self.key.rpartition(".")[2]).strip("_").upper()
        return f'write "{{{{env:{name}}}}}" in its place, and on the server: mcc env set {name}'


def plain_secrets(document: Document) -> tuple[PlainSecret, ...]:
    """Every password that is written out in a file, in the order of its lines."""
    found = (
        PlainSecret(document.file, document.lines.get(document.known(place), 0), dotted(place), what)
        for place, value in _scalars(document.data)
        if (what := _what(place, value))
    )
    return tuple(sorted(found, key=lambda each: each.line))


def _scalars(data: object, place: Place = ()) -> Iterator[tuple[Place, object]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _scalars(value, (*place, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _scalars(value, (*place, index))
    else:
        yield place, data


def _what(place: Place, value: object) -> str:
    """What of a value is secret and readable; empty for nothing."""
    names = [part for part in place if is_secret_name(part)]
    if isinstance(value, str):
        text = _ELSEWHERE.sub(_AWAY, value)
        if any(password.strip(_AWAY) for password in url_passwords(text)):
            return "a password in an address"
        return "a secret" if any(_written_out(str(name), text) for name in names) else ""
    # ACCESS_TOKEN_MINUTES: 30 is a number of another kind, and true or false is no secret.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "a secret" if is_number and any(_ENDING.search(str(name)) for name in names) else ""


def _written_out(name: str, text: str) -> bool:
    if not text.strip() or _AWAY in text:
        return False
    return not (_NAMES_A_PATH.search(name) and _PATH.fullmatch(text))
