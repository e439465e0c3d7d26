"""Messages that somebody has not taken: kept for a day, and sent again when the site's cron looks.

A machine that has just started recovers dead runs before its network is up. Addresses hold secrets, so that a message
knows them by a hash.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from mcc.core.layout import Site
from mcc.core.notices import Notice
from mcc.host.lines import append_line
from mcc.host.ports import Files, Host

_KEPT_FOR = timedelta(days=1)
_LARGEST = 1 << 18


@dataclass(frozen=True, slots=True)
class Unsent:
    """A message for those whose addresses have one of these hashes."""

    at: datetime
    title: str
    text: str
    weight: str
    to: tuple[str, ...]

    def addresses(self, known: Iterable[str]) -> tuple[str, ...]:
        """Those that have not taken it, if the conf still names them."""
        return tuple(address for address in known if _hash(address) in self.to)

    @property
    def line(self) -> bytes:
        data = {"at": self.at.isoformat(), "title": self.title, "text": self.text, "weight": self.weight, "to": self.to}
        return json.dumps(data).encode() + b"\n"


def keep_unsent(host: Host, site: Site, notice: Notice, addresses: Iterable[str]) -> None:
    """Keep a message for these addresses; none, or no site to keep it in: nothing is written."""
    hashes = tuple(map(_hash, addresses))
    if hashes and host.files.kind(site.own) == "folder" and not _is_full(host.files, site):
        unsent = Unsent(host.clock.now(), notice.title, notice.text, notice.weight, hashes)
        append_line(host.files, site.unsent, unsent.line, 0o600)


def take_unsent(host: Host, site: Site) -> Iterator[Unsent]:
    """All that is kept and not older than a day; it is forgotten when the last one has been looked at.

    What comes meanwhile goes into a new file. A process that dies in the middle leaves the old one for the next.
    """
    taken = site.unsent.with_suffix(".taken")
    if host.files.kind(taken) != "file" and host.files.kind(site.unsent) == "file":
        host.files.rename(site.unsent, taken)
    for unsent in _read(host.files, taken):
        if host.clock.now() - unsent.at < _KEPT_FOR:
            yield unsent
    host.files.remove(taken)


def again(host: Host, site: Site, unsent: Unsent, known: Iterable[str], limit: float) -> bool:
    """Send one again; what is not taken now is kept with its old time. Whether somebody has taken it."""
    addresses = unsent.addresses(known)
    if not addresses:
        return False
    problems = host.notifier.send(addresses, unsent.title, unsent.text, unsent.weight, limit)
    if problems:
        left = Unsent(unsent.at, unsent.title, unsent.text, unsent.weight, tuple(map(_hash, problems)))
        append_line(host.files, site.unsent, left.line, 0o600)
    return len(problems) < len(addresses)


def _is_full(files: Files, site: Site) -> bool:
    """Whether nobody takes anything away: a site whose crontab somebody else looks after."""
    return files.kind(site.unsent) == "file" and files.size(site.unsent) > _LARGEST


def _read(files: Files, path: Path) -> Iterator[Unsent]:
    lines = files.read(path).splitlines() if files.kind(path) == "file" else []
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            data = json.loads(line)
            at = datetime.fromisoformat(data["at"])
            yield Unsent(at, data["title"], data["text"], data["weight"], tuple(data["to"]))


def _hash(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()[:16]
