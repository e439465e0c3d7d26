"""The sentences that the plain and the live screen share."""

from __future__ import annotations

from collections.abc import Iterator

from mcc.model.event import RecoveryStarted, RunEnded, RunStarted, StepFailed


def opening(event: RunStarted) -> Iterator[str]:
    """What is about to happen."""
    yield f"{' '.join(filter(None, (event.action, event.stage)))} -> {event.site}"
    if event.release:
        way = "back to" if event.action == "rollback" else "becomes"
        yield f"{event.build or 'no build information'} {way} {event.release}"


def recovery(event: RecoveryStarted) -> str:
    """That a dead run is being ended."""
    what = "undoing" if event.direction == "back" else "finishing"
    return f"{what} the run {event.run}: {event.reason}"


def failure(event: StepFailed) -> Iterator[str]:
    """What failed, with the evidence."""
    yield event.error
    yield from (f"  | {line}" for line in event.log)
    if event.help:
        yield f"  {event.help}"


def closing(event: RunEnded) -> Iterator[str]:
    """The two facts, and what is left to do."""
    if event.result == "done":
        changed = "" if event.databases == "as before" else f"databases: {event.databases}"
        facts = [event.code if event.code != "not touched" else "", changed]
        said = "; ".join(filter(None, facts))
        yield f"done in {event.seconds:.1f} s{': ' if said else ''}{said}"
        yield from (f"  {line}" for line in event.todo)
        return
    yield f"{event.result} after {event.seconds:.1f} s: {event.error.splitlines()[0] if event.error else '?'}"
    yield f"  code:      {event.code}"
    yield f"  databases: {event.databases}"
    for line in event.todo:
        yield f"  to do:     {line}"
