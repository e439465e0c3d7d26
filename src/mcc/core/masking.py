"""Secrets, and keeping them out of everything that is shown or written down."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus, unquote

MASK = "***"
# Shorter ones (a, no, 1) stand in nearly every text: hiding them would hide everything and say the secret.
SHORTEST = 4
# A line of a key or a certificate that is as short as this says nothing.
_SHORTEST_LINE = 8

_NAMES = re.compile(r"PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|_KEY$", re.IGNORECASE)
# Says where a secret lies, and not what it is.
_PATHS = frozenset({"TLS_KEY"})
_URL_PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@]*:([^\s/]+)@")


def is_secret_name(key: object) -> bool:
    """Whether a key of this name holds a secret: ``DB_PASSWORD``, ``API_TOKEN``, ``STRIPE_KEY``."""
    return isinstance(key, str) and key not in _PATHS and _NAMES.search(key) is not None


def url_passwords(text: str) -> frozenset[str]:
    """The passwords of all addresses in a text, as they stand there and decoded."""
    passwords = set(_URL_PASSWORD.findall(text))
    return frozenset(passwords | {unquote(password) for password in passwords})


def _forms(secret: str) -> set[str]:
    """How one secret can look in a log, a URL or JSON; each line of it by itself."""
    forms = {secret, secret.strip(), quote(secret, safe=""), quote(secret), quote_plus(secret)}
    forms |= {json.dumps(form)[1:-1] for form in (secret, secret.strip())}
    forms |= {json.dumps(form, ensure_ascii=False)[1:-1] for form in (secret, secret.strip())}
    forms |= {repr(secret)[1:-1]}
    lines = [line.strip() for line in secret.splitlines()]
    return forms | {line for line in lines if len(line) >= _SHORTEST_LINE}


class Masker:
    """Replaces secrets by ``***``.

    Only for what people and programs read: a path in a journal must stay as it is. Secrets of
    fewer than four characters are not looked for.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        long = [secret for secret in secrets if len(secret.strip()) >= SHORTEST]
        forms = {form for secret in long for form in _forms(secret) if len(form) >= SHORTEST}
        self._forms = sorted(forms, key=lambda form: (-len(form), form))

    def mask(self, text: str) -> str:
        """The text without the secrets, also where two of them overlap."""
        spans = sorted(span for form in self._forms for span in _spans(text, form))
        parts, end = [], 0
        for start, stop in spans:
            if start >= end:
                parts += [text[end:start], MASK]
            end = max(end, stop)
        return "".join([*parts, text[end:]])

    def mask_data(self, data: Any) -> Any:
        """The same for JSON-like data, keys included."""
        if isinstance(data, str):
            return self.mask(data)
        if isinstance(data, dict):
            return {self.mask_data(key): self.mask_data(value) for key, value in data.items()}
        if isinstance(data, list | tuple):
            return [self.mask_data(item) for item in data]
        if isinstance(data, int | float) and str(data) in self._forms:
            return MASK
        return data


def _spans(text: str, form: str) -> Iterable[tuple[int, int]]:
    start = text.find(form)
    while start >= 0:
        yield start, start + len(form)
        start = text.find(form, start + 1)
