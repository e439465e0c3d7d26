"""Telling people how a run ended: after its last word, and when the site is free again.

What is told comes from the run's record, so that it is the same whether the run ended by itself, was undone by the
guardian, or was recovered by a later command. A message that cannot be sent is a warning.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcc.core.layout import Site
from mcc.core.masking import Masker
from mcc.core.notices import Notice, Place, run_notice
from mcc.errors import MccError, Stuck
from mcc.host.ports import Files, Host
from mcc.host.settings import read_conf
from mcc.model.conf import Notify, Services
from mcc.runs.hands import Hands
from mcc.runs.ledger import read_ledger
from mcc.runs.unsent import keep_unsent

LIMIT = 15.0
"""Seconds that each address has to take a message."""

_KEPT = "notify.json"


@dataclass(frozen=True, slots=True)
class Told:
    """Who is told what; ``secrets`` are what no message may hold."""

    notify: Notify = field(default_factory=Notify)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)


@dataclass(slots=True)
class Notices:
    """Runs of which people may have to be told. ``told`` None: those of the site's live release."""

    _ended: list[tuple[Site, str, Told | None]] = field(default_factory=list)

    def ended(self, site: Site, run: str, told: Told | None) -> None:
        """A run that has ended when :meth:`send` is called."""
        self._ended.append((site, run, told))

    def send(self, hands: Hands, stuck: MccError | None = None) -> None:
        """``stuck``: why the last of them could be brought to no end. Never raises."""
        for number, (site, run, told) in enumerate(self._ended, 1):
            host = hands.host(site, Services(manager="none"))
            try:
                self._send(host, site, run, told, stuck if number == len(self._ended) else None)
            except Exception as error:
                host.listener.warn(f"nobody could be told of the run {run}: {error}")

    def _send(self, host: Host, site: Site, run: str, told: Told | None, stuck: MccError | None) -> None:
        told = told_by_site(site, host) if told is None else told
        if not told.notify.addresses:
            return
        masker = Masker(told.secrets)  # first of all: a text that is cut off may end in the middle of a secret
        events = masker.mask_data(_events(host.files, site, run))
        notice = run_notice(place_of(site, host), run, events, _masked(stuck, masker))
        if notice is not None and notice.kinds & {*told.notify.on}:
            notice = notice.masked(masker.mask)
            keep_unsent(host, site, notice, tell(host, told, notice))


def _masked(stuck: MccError | None, masker: Masker) -> MccError | None:
    return None if stuck is None else Stuck(masker.mask(stuck.message), help=masker.mask(stuck.help))


@contextlib.contextmanager
def sending(hands: Hands) -> Iterator[Notices]:
    """Collect inside; outside of it, when locks are free, all is sent, whatever happened."""
    notices, stuck = Notices(), None
    try:
        yield notices
    except Stuck as error:
        stuck = error
        raise
    finally:
        notices.send(hands, stuck)


def tell(host: Host, told: Told, notice: Notice) -> tuple[str, ...]:
    """Send to all addresses; those that have not taken it. What fails is a warning."""
    mask = Masker(told.secrets).mask
    title, text = mask(notice.title), mask(notice.text)
    problems = host.notifier.send(told.notify.addresses, title, text, notice.weight, LIMIT)
    for problem in problems.values():
        host.listener.warn(f"nobody was told: {mask(problem)}")
    return tuple(problems)


def place_of(site: Site, host: Host) -> Place:
    return Place(site, host.machine.name(), host.machine.user())


def told_by_site(site: Site, host: Host) -> Told:
    """By the conf that the live release was deployed with; nobody, with a warning, if that cannot be read."""
    live = read_ledger(host.files, site).live
    path = site.conf(live.name) if live else None
    if path is None or host.files.kind(path) != "file" or b"NOTIFY" not in host.files.read(path):
        return Told()
    try:
        conf = read_conf(path.parent, path.name)
    except MccError as error:
        host.listener.warn(f"nobody could be told: {error.message}")
        return Told()
    return Told(conf.notify, conf.secrets)


def kept_for_recovery(told: Told | None) -> Mapping[str, bytes]:
    """What a recovery has to know, for :class:`mcc.runs.work.Prepared`."""
    if told is None or not told.notify.addresses:
        return {}
    data = {"to": told.notify.addresses, "on": told.notify.on, "secrets": sorted(told.secrets)}
    return {_KEPT: json.dumps(data).encode()}


def told_of_dead(site: Site, run: str, files: Files) -> Told | None:
    """Whom a dead run would have told; None if it has kept nothing of that."""
    path = site.kept(run) / _KEPT
    try:
        if files.kind(path) != "file":
            return None
        data = json.loads(files.read(path))
        return Told(Notify(tuple(data["to"]), tuple(data["on"])), frozenset(data["secrets"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _events(files: Files, site: Site, run: str) -> list[Mapping[str, Any]]:
    """What the run's record holds; a line that was cut off is passed over."""
    path, found = site.record(run), []
    if files.kind(path) == "file":
        for line in files.read(path).splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
    return [event for event in found if isinstance(event, dict)]
