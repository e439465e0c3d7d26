"""One run of any plan, from the lock to the last word."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

from mcc.core import ledger as ledgers
from mcc.core.layout import Site
from mcc.engine.journal_file import JournalFile
from mcc.engine.run import Engine, Outcome, as_mcc_error
from mcc.errors import SiteError, SiteLocked, StepError
from mcc.host.ports import Host
from mcc.host.toolbox import Tool
from mcc.model.event import RunStarted, Warned
from mcc.runs.frozen import refuse_frozen
from mcc.runs.hands import Hands, Lock, services_header
from mcc.runs.ledger import read_ledger
from mcc.runs.notices import kept_for_recovery, sending
from mcc.runs.recover import conclude, recover_all, recover_one
from mcc.runs.work import Prepare, Prepared, Work


def run_work(work: Work, prepare: Prepare, hands: Hands) -> int:
    """Do it; the answer is the exit code. Raises Refused, SiteLocked, Stuck before anything began."""
    with nothing_changed():
        host = hands.host(work.site, work.services)
        refuse_another_user(work.site, host)
        _refuse_frozen(work, host)
        run = run_id(host)
        if work.ask_first is not None:
            work.ask_first(host)
        if host.files.kind(work.site.own) != "folder":
            prepare(host, run)  # a run that cannot be leaves no folder behind
            host.files.make_folder(work.site.own)
    with sending(hands) as notices, contextlib.ExitStack() as held:
        with nothing_changed():
            lock = _lock_all(work, host, run, hands, held)
            _refuse_frozen(work, host)  # somebody may have done it meanwhile
        recover_all(work.site, hands, lock, f"it died, and the next {work.action} found it", notices=notices)
        with nothing_changed():
            host = hands.host(work.site, work.services, run, lock)
            prepared = prepare(host, run)
            hands.install_tool(work.site, hands.tool(work.site), host)
        notices.ended(work.site, run, work.told)
        return _Run(work, prepared, run, hands, lock, host).guarded()


def _refuse_frozen(work: Work, host: Host) -> None:
    if not work.although_frozen:
        refuse_frozen(work.site, host.files)


def refuse_another_user(site: Site, host: Host) -> None:
    """root may do everything, and leaves files behind that the deploy user cannot read or replace. Raises SiteError."""
    access, me = host.rights.look(site.own), host.machine.user()
    if access is None and me == "root":  # others may have a folder of somebody else's to work in, by its group
        access = host.rights.look(site.base)
    if access is not None and access.owner != me:
        message = f"{site.base} belongs to {access.owner}, and this runs as {me}"
        raise SiteError(message, help=f"run it as {access.owner}")


@contextlib.contextmanager
def nothing_changed() -> Iterator[None]:
    """What fails before the journal begins is a refusal, whatever it is."""
    try:
        yield
    except (OSError, StepError) as problem:
        error = as_mcc_error(problem)
        raise SiteError(f"nothing was started: {error.message}", help=error.help, log=error.log) from problem


def run_id(host: Host) -> str:
    """A name for a run: the UTC time, and something that no other run of that second has."""
    return f"{host.clock.now():%Y-%m-%dT%H%M%S}-{host.machine.token()}"


def _lock_all(work: Work, host: Host, run: str, hands: Hands, held: contextlib.ExitStack) -> Lock:
    """The site's lock, and those of the sites that are held too: always in one order, so that no two wait
    for each other. A site that mcc does not keep has no lock."""
    holder = _holder(work, host, run)
    locks: dict[Site, Lock] = {}
    for site in sorted({work.site, *work.held_too}, key=lambda site: str(site.base)):
        if site == work.site or host.files.kind(site.own) == "folder":
            locks[site] = _lock(site, work, hands, holder)
            held.callback(locks[site].release)
    return locks[work.site]


def _lock(site: Site, work: Work, hands: Hands, holder: dict[str, object]) -> Lock:
    try:
        return hands.lock(site, holder)
    except SiteLocked as error:
        if not work.held_too:
            raise
        message = f"{site.base}: {error.message}"
        raise SiteLocked(message, help=error.help, lock=error.lock, whose=error.whose) from error


def _holder(work: Work, host: Host, run: str) -> dict[str, object]:
    return {
        "what": work.words,
        "run": run,
        "user": host.machine.user(),
        "build": str(work.build) if work.build else "",
        "pid": host.machine.pid(),
        "since": host.clock.now().isoformat(timespec="seconds"),
    }


class _Run:
    """A run whose plan is made and whose site is held."""

    def __init__(self, work: Work, prepared: Prepared, run: str, hands: Hands, lock: Lock, host: Host) -> None:
        self._work = work
        self._plan = prepared.plan
        self._release = prepared.release
        self._kept = {**prepared.kept, **kept_for_recovery(work.told)}
        self._rehearsal = prepared.rehearsal
        self._run = run
        self._hands = hands
        self._lock = lock
        self._host = host
        self._journal = JournalFile(host.files, work.site, run, work.masker.mask_data)

    def guarded(self) -> int:
        """Where the death of the process does not hurt."""
        with nothing_changed():
            try:
                self._journal.start(self._header(self._hands.tool(self._work.site)), self._plan)
                self._journal.keep(self._kept)
            except OSError:
                with contextlib.suppress(OSError):  # a full disk has left it empty: that is no run which died
                    self._journal.remove()
                raise
        return self._hands.guarded(self._run, self._go, self._rescue)

    def _go(self) -> int:
        interrupts = self._hands.interrupts()
        sink = self._hands.sink(self._work.site, self._run, self._work.masker)
        host = self._host
        started = host.clock.monotonic()
        sink(self._started())
        for text in self._plan.warnings:
            sink(Warned(host.clock.now().timestamp(), text))
        engine = Engine(host, self._journal, sink, interrupts)
        outcome = engine.run(self._plan) if self._rehearsal is None else self._rehearse(engine, self._rehearsal)
        site, masker = self._work.site, self._work.masker
        sink(conclude(site, host, engine, outcome, self._run, self._release, started, masker))
        return outcome.exit_code

    def _rehearse(self, engine: Engine, unseen: tuple[str, ...]) -> Outcome:
        outcome = engine.rehearse(self._plan)
        if outcome.result != "done":
            return outcome
        facts = {**outcome.facts, "code": "as before: all that was rehearsed is undone"}
        return dataclasses.replace(outcome, facts=facts, todo=unseen)

    def _rescue(self, reason: str) -> int:
        outcome = recover_one(self._work.site, self._run, self._hands, self._lock, reason)
        return outcome.exit_code if outcome else self._had_ended(reason)

    def _had_ended(self, reason: str) -> int:
        """The runner died behind its last word, or before its first; for a release, the ledger knows."""
        site = self._work.site
        host = self._hands.host(site, self._work.services, self._run)
        code, what = self._end_by_the_ledger(host)
        sink = self._hands.sink(site, self._run, self._work.masker)
        sink(Warned(host.clock.now().timestamp(), f"{reason}; {what}"))
        return code

    def _end_by_the_ledger(self, host: Host) -> tuple[int, str]:
        if self._release is None:
            return 1, f"how it ended stands in {self._work.site.record(self._run)}"
        live = read_ledger(host.files, self._work.site).live
        if live is not None and live.run == self._run:
            return 0, f"{live.name} is live"
        return 1, "nothing had been changed, or all of it is undone"

    def _header(self, tool: Tool) -> dict[str, object]:
        return {
            "run": self._run,
            "action": self._work.action,
            "tool": {"version": tool.version, "command": str(tool.command)},
            "stage": self._work.stage,
            "release": ledgers.release_data(self._release) if self._release else None,
            "services": services_header(self._work.services),
        }

    def _started(self) -> RunStarted:
        return RunStarted(
            at=self._host.clock.now().timestamp(),
            run=self._run,
            action=self._work.action,
            stage=self._work.stage,
            site=str(self._work.site.base),
            release=self._release.name if self._release else "",
            build=str(self._work.build) if self._work.build else "",
            steps=tuple(planned.title for planned in self._plan.steps),
        )
