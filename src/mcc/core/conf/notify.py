"""Where notifications go, as a conf says it."""

from __future__ import annotations

import re

from mcc.core.conf.unfit import Unfit
from mcc.core.conf.web import mail

MAIL = "mail:"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/]\S*")


def notify_address(value: object) -> str:
    """``mail:NAME@HOST``, or a URL as apprise reads it. It may hold a secret, so that what was found is not said."""
    if isinstance(value, str) and value.startswith(MAIL):
        return MAIL + mail(value.removeprefix(MAIL))
    if isinstance(value, str) and _URL.fullmatch(value) and value.isprintable():
        return value
    raise Unfit("is no address for notifications", "allowed: mail:NAME@HOST, or a URL such as json://host/path")
