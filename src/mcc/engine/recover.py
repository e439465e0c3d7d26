"""Bringing a dead run to its end: back before its commit, forward after it."""

from __future__ import annotations

from mcc.core.journal import Back, RunState, UnreadableJournal, way_out
from mcc.engine.codec import Kinds, decode
from mcc.engine.journal_file import JournalFile
from mcc.engine.run import Engine, Outcome
from mcc.errors import Stuck
from mcc.model.plan import Plan, Seen, undone_once


def read(journal: JournalFile) -> RunState | None:
    """The state of a run that may be dead; None if it never began. Raises Stuck."""
    try:
        return journal.read()
    except UnreadableJournal as error:
        raise Stuck(
            f"{journal.path} cannot be read: {error}",
            help="compare the site's links with .mcc/releases.jsonl, put right what is wrong, remove the file",
        ) from error


def plan_of(state: RunState, kinds: Kinds) -> Plan:
    """The plan that the run was started with. Raises Stuck for a step that this mcc does not know."""
    try:
        steps = tuple(decode(data, kinds) for data in state.steps)
    except (KeyError, ValueError) as error:
        raise Stuck(
            f"the run {state.header.get('run')} has a step that this mcc does not know: {error}",
            help=f"recover it with the mcc that wrote it: {state.header.get('tool', {}).get('command')}",
        ) from error
    return Plan(steps[: state.first_after], steps[state.first_after :])


def recover(engine: Engine, journal: JournalFile, state: RunState, kinds: Kinds) -> Outcome:
    """Undo or finish; safe to be killed and called again."""
    plan = plan_of(state, kinds)
    way = way_out(state)
    if isinstance(way, Back):
        again = (index for index in way.indexes if not (index in state.once_undone and _once(plan, index)))
        return engine.undo(plan, {index: _seen(journal, state, index) for index in again})
    return engine.finish(plan, way.indexes)


def _once(plan: Plan, index: int) -> bool:
    return undone_once(plan.steps[index].step)


def _seen(journal: JournalFile, state: RunState, index: int) -> Seen:
    try:
        return journal.seen(state, index)
    except OSError as error:
        raise Stuck(f"what step {index} found before it began is lost: {error}") from error
