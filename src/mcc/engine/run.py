"""Running a plan: look, write down, do; and on any failure the way back."""

from __future__ import annotations

import dataclasses
import errno
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mcc.engine.journal_file import JournalFile
from mcc.errors import MccError, StepError
from mcc.host.ports import Host
from mcc.host.signals import Interrupts, NoInterrupts
from mcc.model.event import (
    Committed,
    Event,
    Result,
    StepDone,
    StepFailed,
    StepProgress,
    StepSaid,
    StepStarted,
    StepUndone,
    Warned,
)
from mcc.model.plan import Plan, PlannedStep, Seen, stays_while_stuck

Sink = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. ``facts`` are those of all steps, later ones winning; ``todo`` is for a person.

    ``committed``: the release is live, also if the result is "stuck".
    """

    result: Result
    error: MccError | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    todo: tuple[str, ...] = ()
    committed: bool = False

    @property
    def exit_code(self) -> int:
        return {"done": 0, "failed": 1, "stuck": 3}[self.result]


class Engine:
    """Runs the steps of one plan against one journal, telling ``sink`` what happens."""

    def __init__(self, host: Host, journal: JournalFile, sink: Sink, interrupts: Interrupts | None = None) -> None:
        self._sink = sink
        self._clock = host.clock
        self._host = dataclasses.replace(host, listener=_Listening(self._tell))
        self._journal = journal
        self._interrupts = interrupts or NoInterrupts()
        self._facts: dict[str, Any] = {}
        self._todo: list[str] = []

    def run(self, plan: Plan) -> Outcome:
        """Take all steps; the journal must have been started with the same plan."""
        begun: dict[int, Seen] = {}
        index = 0
        try:
            for index, planned in enumerate(plan.before):
                self._take(index, planned, begun)
            self._journal.commit()
        except Exception as error:
            return self._go_back(plan, index, begun, as_mcc_error(error))
        self._tell(Committed)
        return self.finish(plan, range(len(plan.before), len(plan.steps)))

    def rehearse(self, plan: Plan) -> Outcome:
        """Take the steps before the commit, then undo them all: "done" if both went well."""
        begun: dict[int, Seen] = {}
        index = 0
        try:
            for index, planned in enumerate(plan.before):
                self._take(index, planned, begun)
        except Exception as error:
            return self._go_back(plan, index, begun, as_mcc_error(error))
        self._best_effort(self._journal.back)
        outcome = self.undo(plan, begun)
        if outcome.result == "stuck":
            return dataclasses.replace(outcome, error=StepError("not all that was rehearsed could be undone"))
        return dataclasses.replace(outcome, result="done")

    def finish(self, plan: Plan, indexes: range | tuple[int, ...]) -> Outcome:
        """The steps behind the commit: only forward, an optional one may fail, nothing interrupts."""
        self._interrupts = NoInterrupts()
        for index in indexes:
            planned = plan.steps[index]
            try:
                self._take(index, planned, {})
            except Exception as error:
                problem = as_mcc_error(error)
                if not planned.optional:
                    self._todo.append(_todo(planned, problem))
                    return Outcome("stuck", problem, self._facts, tuple(self._todo), committed=True)
                self._tell(Warned, text=f"{planned.title}: {problem.message}")
        return Outcome("done", None, self._facts, committed=True)

    def undo(self, plan: Plan, begun: Mapping[int, Seen], error: MccError | None = None) -> Outcome:
        """Undo what was begun, newest first. A failing undo does not stop the others, but for those whose work may
        be in use then: a link that could not be put back still has visitors.
        """
        for index in sorted(begun, reverse=True):
            planned = plan.steps[index]
            if self._todo and stays_while_stuck(planned.step):
                words = "it stays: what could not be undone may need it"
                self._tell(StepUndone, index=index, title=planned.title, error=words)
            else:
                self._undo_one(index, planned, begun[index])
        result: Result = "stuck" if self._todo else "failed"
        return Outcome(result, error, self._facts, tuple(self._todo))

    def _take(self, index: int, planned: PlannedStep, begun: dict[int, Seen]) -> None:
        started = self._clock.monotonic()
        self._tell(StepStarted, index=index, phase=planned.phase, title=planned.title)
        with self._interrupts.armed():
            seen = planned.step.look(self._host)
        begun[index] = seen
        self._journal.begin(index, seen)
        with self._interrupts.armed():
            facts = planned.step.do(self._host, seen) or {}
        self._journal.done(index, facts)
        self._facts.update(facts)
        seconds = round(self._clock.monotonic() - started, 3)
        self._tell(StepDone, index=index, phase=planned.phase, title=planned.title, seconds=seconds, facts=facts)

    def _go_back(self, plan: Plan, index: int, begun: dict[int, Seen], error: MccError) -> Outcome:
        planned = plan.steps[index]
        self._tell(
            StepFailed, index=index, phase=planned.phase, title=planned.title,
            error=error.message, help=error.help, log=error.log,
        )  # fmt: skip
        self._best_effort(self._journal.back)
        return self.undo(plan, begun, error)

    def _undo_one(self, index: int, planned: PlannedStep, seen: Seen) -> None:
        problem = ""
        try:
            self._facts.update(planned.step.undo(self._host, seen) or {})
        except Exception as error:
            known = as_mcc_error(error)
            problem = known.message
            self._todo.append(_todo(planned, known))
        else:
            # A disk that is full takes no line; recovery would then undo again, which holds.
            self._best_effort(lambda: self._journal.undone(index))
        self._tell(StepUndone, index=index, title=planned.title, error=problem)

    def _best_effort(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            self._tell(Warned, text=f"the journal could not be written: {error}")

    def end(self, outcome: Outcome) -> None:
        """Close the journal; one that is stuck stays for the next try."""
        self._best_effort(lambda: self._journal.end(outcome.result))

    def _tell(self, kind: type[Event], **values: Any) -> None:
        self._sink(kind(at=self._clock.now().timestamp(), **values))


class _Listening:
    """What steps say, as events."""

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell

    def say(self, text: str) -> None:
        self._tell(StepSaid, text=text)

    def warn(self, text: str) -> None:
        self._tell(Warned, text=text)

    def progress(self, done: int, total: int, what: str) -> None:
        self._tell(StepProgress, done=done, total=total, what=what)


def _todo(planned: PlannedStep, problem: MccError) -> str:
    return f"{planned.title}: {problem.message}" + (f" ({problem.help})" if problem.help else "")


_WAYS_OUT = {
    errno.ENOSPC: "make room, or let the disk have more inodes: df -h, df -i",
    errno.EDQUOT: "the deploy user's quota on that disk is used up: make room",
    errno.EROFS: "find out why the disk can only be read: mount, dmesg",
}


def as_mcc_error(error: Exception) -> MccError:
    """An error of the machine in words; a fault of mcc's own with its place."""
    if isinstance(error, MccError):
        return error
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        return StepError(f"{error.strerror or error}{place}", help=_WAYS_OUT.get(error.errno or 0, ""))
    lines = "".join(traceback.format_exception(error)).splitlines()
    return StepError(f"a fault in mcc: {type(error).__name__}: {error}", log=lines[-12:])
