"""``releases.jsonl``: what happened to each release, one JSON line an event.

Lines are only ever added. What is live, good or failed is read from here alone, never from
a folder's name or time.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mcc.model.build import BuildInfo
from mcc.model.release import Release, State


@dataclasses.dataclass(frozen=True, slots=True)
class Ledger:
    """All releases, the newest commit last; ``bad_lines`` could not be read.

    ``order`` are their names in the order in which they were made: what came before what. ``parents``: what was
    live when a release came live for the first time. ``left``: the site was given back to a script, and nothing came
    live since.
    """

    releases: tuple[Release, ...] = ()
    bad_lines: tuple[int, ...] = ()
    order: tuple[str, ...] = ()
    left: bool = False
    parents: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def live(self) -> Release | None:
        """The release that the last commit made live."""
        return _live(self.releases)

    def get(self, name: str) -> Release | None:
        """The release of that name, or None."""
        return next((release for release in self.releases if release.name == name), None)

    def before(self, name: str) -> Release | None:
        """The good release that visitors had before that one first came live, whatever was gone back to since.

        If that is none to go back to any more, the one before it; at last, any that was made earlier.
        """
        earlier = self.order[: self.order.index(name)] if name in self.order else self.order
        found = (self.get(each) for each in (*self._line(name), *reversed(earlier)))
        return next((release for release in found if release and release.state == "good"), None)

    def _line(self, name: str) -> Iterator[str]:
        """What was live before that one, before that, and so on."""
        while name := self.parents.get(name, ""):
            yield name

    def after(self, name: str) -> tuple[str, ...]:
        """The releases that came later, oldest first, whatever became of them."""
        return self.order[self.order.index(name) + 1 :] if name in self.order else ()

    def standing(self) -> tuple[Release, ...]:
        """Releases that were live and are still on disk, bad ones too, newest commit last."""
        return tuple(release for release in self.releases if release.state in ("live", "good", "bad"))

    def with_live(self, release: Release) -> Ledger:
        """What the ledger will say when ``release`` is live."""
        others = (
            _not_live(other) if other.state == "live" else other
            for other in self.releases
            if other.name != release.name
        )
        order = _placed(self.order, release.name, release.origin)
        releases = (*others, _still_bad(dataclasses.replace(release, state="live"), self.get(release.name)))
        parents = _with_parent(self.parents, release.name, self.live)
        return dataclasses.replace(self, releases=releases, order=order, parents=parents)


def read(text: bytes) -> Ledger:
    """Fold the lines into releases.

    A last line without its end was never finished and does not count; other lines that are no
    JSON objects are named in ``bad_lines``.
    """
    releases: dict[str, Release] = {}
    order: tuple[str, ...] = ()
    parents: dict[str, str] = {}
    left = False
    bad: list[int] = []
    lines = text.split(b"\n")
    for number, line in enumerate(lines[:-1], 1):
        try:
            data = json.loads(line)
            event = data["event"]
            before = _live(releases.values())
            _apply(releases, data)
            left = event == "left" if event in ("left", "live") else left
            if data.get("name") in releases:
                order = _placed(order, data["name"], data.get("origin", ""))
            if event == "live":
                parents = _with_parent(parents, data["name"], before)
        except (ValueError, KeyError, TypeError):
            bad.append(number)
    return Ledger(tuple(releases.values()), tuple(bad), order, left, parents)


def _with_parent(parents: Mapping[str, str], name: str, live: Release | None) -> dict[str, str]:
    """The first time alone: by then nothing can have come from ``name``, so that no line ends where it began."""
    return {name: live.name if live else "", **parents}


def _live(releases: Iterable[Release]) -> Release | None:
    return next((release for release in releases if release.state == "live"), None)


def _placed(order: tuple[str, ...], name: str, origin: str) -> tuple[str, ...]:
    """The order with one more name, unless it is in it already.

    A release that is adopted was live before runs of mcc that failed since: its name, a time, says when.
    """
    if name in order:
        return order
    at = next((at for at, other in enumerate(order) if other > name), len(order)) if origin else len(order)
    return (*order[:at], name, *order[at:])


def live_line(release: Release) -> bytes:
    """The line that makes a release the live one."""
    return _line({"event": "live", **release_data(release)})


def failed_line(release: Release, error: str) -> bytes:
    """The line that says that a release never came live."""
    return _line({"event": "failed", **release_data(dataclasses.replace(release, error=error))})


def pruned_line(names: Iterable[str], at: str, run: str) -> bytes:
    """The line that says that releases are no longer on disk."""
    return _line({"event": "pruned", "releases": list(names), "at": at, "run": run})


def bad_line(name: str, reason: str, by: str, at: str, run: str) -> bytes:
    """The line that says that nobody wants a release back."""
    return _line({"event": "bad", "name": name, "reason": reason, "by": by, "at": at, "run": run})


def left_line(at: str, run: str) -> bytes:
    """The line that says that the site went back to the script: nothing of mcc's is live any more."""
    return _line({"event": "left", "at": at, "run": run})


def _line(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"


def _apply(releases: dict[str, Release], data: dict[str, Any]) -> None:
    event = data.pop("event")
    if event == "pruned":
        for name in data["releases"]:
            if name in releases:
                releases[name] = dataclasses.replace(releases[name], state="pruned")
        return
    if event == "left":
        _nothing_live(releases)
        return
    if event == "bad":
        _mark(releases, data)
        return
    release = release_from(data, "live" if event == "live" else "failed")
    if event == "live":
        _nothing_live(releases)
        known = releases.pop(release.name, None)  # the newest commit stands last
        releases[release.name] = _still_bad(release, known)
    elif event == "failed":
        releases.setdefault(release.name, release)


def _nothing_live(releases: dict[str, Release]) -> None:
    for name, release in releases.items():
        if release.state == "live":
            releases[name] = _not_live(release)


def _not_live(release: Release) -> Release:
    return dataclasses.replace(release, state="bad" if release.bad else "good")


def _still_bad(release: Release, known: Release | None) -> Release:
    """Whoever makes a bad release live all the same, by hand, does not make it a good one."""
    if known is None or not known.bad:
        return release
    return dataclasses.replace(release, bad=known.bad, bad_by=known.bad_by, bad_at=known.bad_at)


def _mark(releases: dict[str, Release], data: Mapping[str, Any]) -> None:
    release = releases.get(data["name"])
    if release is None:
        return
    marked = dataclasses.replace(
        release, bad=data["reason"] or "no reason was given", bad_by=data.get("by", ""), bad_at=data.get("at", "")
    )
    releases[release.name] = dataclasses.replace(marked, state="bad") if release.state == "good" else marked


def release_data(release: Release) -> dict[str, Any]:
    """A release as JSON values; its state is not part of it, events tell that."""
    data = dataclasses.asdict(release)
    data.pop("state")
    return data


def release_from(data: Mapping[str, Any], state: State) -> Release:
    """What :func:`release_data` made, with a state."""
    values = _known(Release, data)
    values["build"] = BuildInfo(**_known(BuildInfo, data.get("build") or {}))
    values["folders"] = tuple(values.get("folders") or ())
    values["services"] = tuple(values.get("services") or ())
    values["links"] = tuple((link, target) for link, target in values.get("links") or ())
    return Release(**{**values, "state": state})


def _known(model: type[Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """The values that this version knows; a newer one may have written more."""
    names = {field.name for field in dataclasses.fields(model)}
    return {key: value for key, value in data.items() if key in names}
