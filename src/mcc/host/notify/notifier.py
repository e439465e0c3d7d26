"""Sends messages, each address in a process of its own that is ended when its time is over."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from mcc.core.conf.notify import MAIL
from mcc.errors import MccError
from mcc.host.notify.child import NO_APPRISE
from mcc.host.ports import Commands

_SENDMAIL = "/usr/sbin/sendmail"  # cron's PATH does not lead there
_NO_SENDMAIL = "this machine has no sendmail; install a mail server such as postfix, or use mailtos://"
_CHILD = (sys.executable, "-P", "-m", "mcc.host.notify.child")


class RealNotifier:
    """The port ``Notifier``."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def lacks(self, addresses: Sequence[str]) -> tuple[str, ...]:
        mails = [address for address in addresses if address.startswith(MAIL)]
        found = [] if not mails or self._sendmail() else [_NO_SENDMAIL]
        if len(mails) < len(addresses) and find_spec("apprise") is None:
            found.append(NO_APPRISE)
        return tuple(found)

    def send(self, addresses: Sequence[str], title: str, text: str, weight: str, limit: float) -> Mapping[str, str]:
        from concurrent.futures import ThreadPoolExecutor  # late: most runs tell nobody

        def one(number: int, address: str) -> str:
            try:
                problem = self._send(address, title, text, weight, limit)
            except (MccError, OSError, ValueError) as error:
                problem = _words(error, limit)
            return f"NOTIFY[{number}] ({address.partition(':')[0]}): {problem}" if problem else ""

        with ThreadPoolExecutor(max_workers=8) as threads:
            answers = zip(addresses, threads.map(one, range(1, len(addresses) + 1), addresses), strict=True)
            return {address: problem for address, problem in answers if problem}

    def _send(self, address: str, title: str, text: str, weight: str, limit: float) -> str:
        if address.startswith(MAIL):
            return self._mail(address.removeprefix(MAIL), title, text, limit)
        asked = json.dumps({"address": address, "title": title, "text": text, "weight": weight})
        done = self._commands.run(_CHILD, stdin=asked.encode(), timeout=limit)
        if done.ok:
            return ""
        return done.stdout.decode("utf-8", "replace").strip() or f"its process ended with exit code {done.code}"

    def _mail(self, to: str, title: str, text: str, limit: float) -> str:
        program = self._sendmail()
        if not program:
            return _NO_SENDMAIL
        from email.message import EmailMessage

        message = EmailMessage()
        message["To"], message["Subject"] = to, title
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        done = self._commands.run((program, "-i", "--", to), stdin=bytes(message), timeout=limit)
        return "" if done.ok else f"sendmail ended with exit code {done.code}: {' '.join(done.tail(3))}"

    def _sendmail(self) -> str:
        return self._commands.find("sendmail") or (_SENDMAIL if Path(_SENDMAIL).exists() else "")


def _words(error: Exception, limit: float) -> str:
    """Without the words of the command, which nobody can use."""
    text = error.message if isinstance(error, MccError) else str(error)
    return f"nothing came of it within {limit:g} s" if "did not end within" in text else text
