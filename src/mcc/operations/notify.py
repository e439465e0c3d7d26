"""``mcc notify``: what nobody would say otherwise, since no run is there to say it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from mcc.core.layout import Site
from mcc.core.notices import Notice, Place, dead_notice, late_notice, trial_notice
from mcc.errors import StepError, UsageError
from mcc.host.lock import holder_of
from mcc.host.ports import Files, Host
from mcc.operations.backup_age import backup_state
from mcc.runs.ledger import read_ledger
from mcc.runs.notices import LIMIT, Told, place_of, tell
from mcc.runs.recover import dead_runs
from mcc.runs.unsent import again, take_unsent


def send_trial(site: Site, told: Told, host: Host) -> str:
    """Send a test message; words for the reader. Raises UsageError, or StepError if somebody did not get it."""
    if not told.notify.addresses:
        raise UsageError("NOTIFY names nobody", help="add it to the conf, such as NOTIFY: mail:ops@example.com")
    count = len(told.notify.addresses)
    if tell(host, told, trial_notice(place_of(site, host))):
        raise StepError("not everybody has got the test message")
    return f"sent to {count} address{'' if count == 1 else 'es'}"


def tell_what_is_due(site: Site, told: Told, host: Host, now: datetime) -> list[str]:
    """Tell what has come up since; the titles of what was told. ``now`` is in cron's time zone.

    Of one thing people are told once a day as long as it lasts. What they have not got of earlier messages is sent
    again.
    """
    addresses = told.notify.addresses
    titles = [one.title for one in take_unsent(host, site) if again(host, site, one, addresses, LIMIT)]
    before, told_now = _told_before(host.files, site), {}
    for key, notice in _due(site, place_of(site, host), host, now):
        if not notice.kinds & {*told.notify.on} or not addresses:
            continue
        if before.get(key) == f"{now:%Y-%m-%d}":
            told_now[key] = before[key]
        elif len(tell(host, told, notice)) < len(told.notify.addresses):
            told_now[key] = f"{now:%Y-%m-%d}"
            titles.append(notice.title)
    if told_now != before:
        host.files.write(site.told, json.dumps(told_now).encode(), 0o600)
    return titles


def _due(site: Site, place: Place, host: Host, now: datetime) -> Iterator[tuple[str, Notice]]:
    """What is the matter, each with a key that another occurrence does not have."""
    state = backup_state(site, read_ledger(host.files, site).live, host.files, now)
    if state["late"]:
        yield f"late after {state['last_good']}", late_notice(place, state)
    dead = _dead(site, host.files)
    if dead:
        yield f"dead {' '.join(dead)}", dead_notice(place, dead)


def _dead(site: Site, files: Files) -> list[str]:
    """Runs with a journal and without a process; one that begins or ends meanwhile is none of them."""
    found = dead_runs(files, site)
    if not found or holder_of(site.lock):
        return []
    return [run for run in dead_runs(files, site) if run in found]


def _told_before(files: Files, site: Site) -> dict[str, str]:
    try:
        found = json.loads(files.read(site.told)) if files.kind(site.told) == "file" else {}
    except (OSError, ValueError):
        return {}
    return {str(key): str(day) for key, day in found.items()} if isinstance(found, dict) else {}
