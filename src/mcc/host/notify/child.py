"""The process that sends one message by apprise: what to send comes as JSON on standard input.

It ends with 0 if the message was taken, else with 1 and the reason on standard output, without what is secret.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from urllib.parse import unquote

from mcc.core.masking import MASK, Masker

NO_APPRISE = "this mcc has no apprise: install it with its extra notify"


def send(address: str, title: str, text: str, weight: str) -> str:
    """Why it could not be sent; empty if it could."""
    try:
        import apprise
    except ImportError:
        return NO_APPRISE
    said = _Said()
    logging.getLogger("apprise").addHandler(said)
    sender = apprise.Apprise()
    if not sender.add(address):
        return "apprise does not know such an address"
    if sender.notify(body=text, title=title, notify_type=weight, body_format=apprise.NotifyFormat.TEXT):
        return ""
    return without_address(said.last, address) or "it was not taken"


def without_address(text: str, address: str) -> str:
    """No part of the address may be read by others: tokens stand anywhere in it, for some services as its host."""
    parts = re.split(r"[/:@?&=,#]+", address)[1:]
    masked = Masker({address, *parts, *map(unquote, parts)}).mask(text)
    return re.sub(rf"({re.escape(MASK)})+", MASK, masked)


class _Said(logging.Handler):
    """The last thing that went wrong."""

    last = ""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def main() -> None:
    asked = json.load(sys.stdin)
    problem = send(asked["address"], asked["title"], asked["text"], asked["weight"])
    sys.stdout.write(problem)
    sys.exit(1 if problem else 0)


if __name__ == "__main__":
    main()
