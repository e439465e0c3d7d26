"""Host names, checked before they become paths, addresses or words of a command."""

from __future__ import annotations

import re

from mcc.core.conf.unfit import Unfit, found

# RFC 1123 2.1: letters, digits and hyphens, 1 to 63 a label; 253 in all (RFC 1035 2.3.4).
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_ADDRESS = re.compile(r"[A-Za-z0-9\[_][A-Za-z0-9._:%\[\]-]*", re.ASCII)
_DOMAIN = "a host name such as app.example.com"


def domain(value: object) -> str:
    """A domain of the site: a host name in ASCII. Raises Unfit."""
    if not isinstance(value, str):
        raise found(value, _DOMAIN)
    if not value.isascii():
        raise Unfit(f'found "{value}"', f"allowed: {_DOMAIN}, in ASCII{_as_ascii(value)}")
    if len(value) > 253 or not all(_LABEL.fullmatch(label) for label in value.split(".")):
        raise found(value, _DOMAIN)
    return value


def _as_ascii(value: str) -> str:
    try:
        return f": {value.encode('idna').decode()}"
    except UnicodeError:
        return ""


def address(value: object) -> str:
    """A server as ssh takes it: a host name, an address, or a name from ssh_config. Raises Unfit."""
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise found(value, "a host name or an address")
    return value
