"""What people are told of a run that has ended, of a backup that is late, of a run that lies dead."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcc.core.layout import Site
from mcc.errors import MccError
from mcc.model.conf import NoticeKind

_LONGEST = 1000
_LONGEST_TITLE = 180


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. ``kinds``: it is sent if one of them is wanted. ``title`` is one line."""

    kinds: frozenset[NoticeKind]
    title: str
    text: str

    @property
    def weight(self) -> str:
        """How a reader's program may colour it: failure, warning, success."""
        if self.kinds & {"failure", "stuck"}:
            return "failure"
        return "warning" if self.kinds & {"rollback", "late-backup"} else "success"

    def masked(self, mask: Callable[[str], str]) -> Notice:
        """The same without secrets."""
        return Notice(self.kinds, mask(self.title), mask(self.text))


@dataclass(frozen=True, slots=True)
class Place:
    """Where it happened: the site, the machine's name, and as whom."""

    site: Site
    machine: str
    user: str

    def title(self, what: str) -> str:
        """One line: the site, the machine, what is the matter."""
        line = " ".join(f"mcc: {self.site.base.name} on {self.machine}: {what}".split())
        return line if len(line) <= _LONGEST_TITLE else line[: _LONGEST_TITLE - 3] + "..."

    def command(self, words: str) -> str:
        """A command about this site, as a person types it."""
        return f"mcc {words} --site {shlex.quote(str(self.site.base))}"


def run_notice(
    place: Place, run: str, events: Sequence[Mapping[str, Any]], stuck: MccError | None = None
) -> Notice | None:
    """What a run's events come to; None if it has no last word, or none that is for others.

    ``stuck``: why it could be brought to no end.
    """
    started, ended = _last(events, "run_started"), _last(events, "run_ended")
    if not ended and stuck is None:
        return None
    died = bool(_last(events, "recovery_started"))
    result = "stuck" if stuck else str(ended["result"])
    action = str(started.get("action", "a run"))
    kinds = frozenset(_kinds(action, result, died, was_live=_was_live(events)))
    if not kinds:
        return None
    what = " ".join(filter(None, (action, str(started.get("stage", "")))))
    how = _how(kinds, result, died, str(ended.get("release", "")))
    lines = [f"{what} {how}.", "", *_facts(place, run, events, started, ended), *_way_out(place, events, ended, stuck)]
    return Notice(kinds, place.title(f"{what} {how}"), "\n".join(lines) + "\n")


def late_notice(place: Place, state: Mapping[str, Any]) -> Notice:
    """``state`` as :func:`mcc.operations.backup_age.backup_state` gives it."""
    age = state["age_seconds"]
    last = f"{state['last_good']}, {age // 3600} hours ago" if state["last_good"] else "there is none"
    rows = [
        ("where", f"{place.site.base} on {place.machine}"),
        ("last good", last),
        ("schedule", state["schedule"]),
        ("log", str(place.site.logs / "backup.log")),
        ("way out", place.command("backup")),
    ]
    text = "\n".join(["The backup that was due is not there.", "", *_table(rows)]) + "\n"
    return Notice(frozenset({"late-backup"}), place.title("the backup is late"), text)


def dead_notice(place: Place, runs: Sequence[str]) -> Notice:
    """Runs that died, and that nobody has recovered."""
    rows = [
        ("where", f"{place.site.base} on {place.machine}"),
        ("run", ", ".join(runs)),
        ("way out", place.command("recover")),
    ]
    text = "\n".join(["A run has died and is neither undone nor finished.", "", *_table(rows)]) + "\n"
    return Notice(frozenset({"stuck"}), place.title("a dead run waits to be recovered"), text)


def trial_notice(place: Place) -> Notice:
    """A message that says that messages come through."""
    text = f"Messages about {place.site.base} on {place.machine} come here.\n"
    return Notice(frozenset(), place.title("a test message"), text)


def _kinds(action: str, result: str, died: bool, was_live: bool) -> Iterator[NoticeKind]:
    if result == "stuck":
        yield "stuck"
    elif action == "rehearse":
        return  # whoever asked for it reads the answer, and nothing has changed
    elif result == "failed" or died:
        yield "failure"
    if result == "failed" and was_live:
        yield "rollback"
    if result == "done":
        yield from ("rollback", "success") if action == "rollback" else ("success",)


def _was_live(events: Sequence[Mapping[str, Any]]) -> bool:
    """Whether visitors may have met the new release."""
    started = _last(events, "run_started")
    begun = [event for event in events if event.get("event") == "step_done" and event.get("phase") == "cut-over"]
    return bool(begun and started.get("release")) and started.get("action") != "rollback"


def _how(kinds: frozenset[NoticeKind], result: str, died: bool, release: str) -> str:
    if result == "stuck":
        return "is stuck: a person is needed"
    if died:
        return "died, and was finished" if result == "done" else "died, and was undone"
    if result == "done":
        return f"is done{f': {release} is live' if release else ''}"
    return "failed, and was rolled back" if "rollback" in kinds else "failed"


def _facts(
    place: Place, run: str, events: Sequence[Mapping[str, Any]], started: Mapping[str, Any], ended: Mapping[str, Any]
) -> Iterator[str]:
    failed = _last(events, "step_failed")
    build = f"{started.get('build', '')}, {ended.get('release', '')}".strip(", ")
    rows = [
        ("where", f"{place.site.base} on {place.machine}, by {place.user}"),
        ("what", build),
        ("code", ended.get("code", "")),
        ("databases", ended.get("databases", "")),
        ("step", failed.get("title", "")),
        ("error", failed.get("error") or ended.get("error", "")),
        ("record", str(place.site.record(run))),
    ]
    return _table(rows)


def _way_out(
    place: Place, events: Sequence[Mapping[str, Any]], ended: Mapping[str, Any], stuck: MccError | None
) -> Iterator[str]:
    help = str(_last(events, "step_failed").get("help", ""))
    todo = [str(line) for line in ended.get("todo", ())]
    if stuck:
        yield from _table([("problem", stuck.message), ("way out", stuck.help)])
    yield from _table([("way out", help), *(("to do", line) for line in todo)])
    if stuck or ended.get("result") == "stuck":
        yield from _table([("then", place.command("recover"))])


def _table(rows: Iterable[tuple[str, object]]) -> Iterator[str]:
    for name, value in rows:
        text = str(value or "").strip()
        if text:
            short = text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
            first, *rest = short.splitlines()
            yield f"{name + ':':<11}{first}"
            yield from (f"{'':<11}{line}" for line in rest)


def _last(events: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    return next((event for event in reversed(events) if event.get("event") == name), {})
