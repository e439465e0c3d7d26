"""What the keys of the web server must be: each check gives the value, or raises Unfit."""

from __future__ import annotations

import posixpath
import re

from mcc.core.conf.checks import text
from mcc.core.conf.unfit import found

# nginx.org/en/docs/syntax.html: sizes are bytes, or end in k or m; g is for offsets.
_SIZE = re.compile(r"[0-9]{1,9}[kKmMgG]?", re.ASCII)
_RATE = re.compile(r"[1-9][0-9]{0,5}r/[sm]", re.ASCII)
_PREFIX = re.compile(r"/([\w.~-]+/)*", re.ASCII)
_MAIL = re.compile(r"[\w.+-]+@[A-Za-z0-9.-]+", re.ASCII)


def root_path(value: object) -> str:
    """An absolute path; what provision fills in for each domain may stand in it."""
    allowed = "an absolute path without .., such as /etc/ssl/certs/app.pem"
    path = text(value, allowed)
    if not path.startswith("/") or ".." in path.split("/"):
        raise found(value, allowed)
    return posixpath.normpath(path)


def prefix(value: object) -> str:
    """Where the application's addresses begin: ``/api/``; the last slash may be left out."""
    allowed = "a path that begins with /, of letters, digits and . _ ~ -, such as /api/"
    path = text(value, allowed)
    path = path if path.endswith("/") else f"{path}/"
    if not _PREFIX.fullmatch(path):
        raise found(value, allowed)
    return path


def body_limit(value: object) -> str:
    """The largest request, in the words of nginx."""
    words = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(words, str) or not _SIZE.fullmatch(words):
        raise found(value, "a size such as 20m, 500k or 1g")
    return words


def rate_limit(value: object) -> str:
    """How many requests one address may make."""
    if not isinstance(value, str) or not _RATE.fullmatch(value):
        raise found(value, "a number of requests a second or a minute, such as 20r/s or 600r/m")
    return value


def mail(value: object) -> str:
    """An address of mail, which becomes a word of a command."""
    if not isinstance(value, str) or value.startswith("-") or not _MAIL.fullmatch(value):
        raise found(value, "an address of mail, such as admin@example.com")
    return value
