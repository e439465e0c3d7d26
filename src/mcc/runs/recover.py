"""Runs that died: brought to their end before anything else happens on the site."""

from __future__ import annotations

import contextlib
import shlex

from mcc.core import ledger as ledgers
from mcc.core.journal import Back, RunState, way_out
from mcc.core.layout import Site
from mcc.core.masking import Masker
from mcc.engine import recover as engine_recover
from mcc.engine.journal_file import JournalFile, unfinished
from mcc.engine.run import Engine, Outcome, as_mcc_error
from mcc.errors import StepError, Stuck
from mcc.host.lines import append_line
from mcc.host.ports import Files, Host
from mcc.model.conf import Services
from mcc.model.event import RecoveryStarted, RunEnded
from mcc.model.release import Release
from mcc.runs.hands import Hands, Lock, header_services
from mcc.runs.kinds import step_kinds
from mcc.runs.ledger import read_ledger
from mcc.runs.notices import Notices, told_of_dead

_TOOL_LIMIT = 86400.0
"""Seconds for a recovery by another mcc: each step of it has its own limit, and a project's own may be long."""


def dead_runs(files: Files, site: Site) -> list[str]:
    """Runs that have not ended; the lock says whether one of them is alive."""
    return unfinished(files, site)


def recover_all(
    site: Site,
    hands: Hands,
    lock: Lock,
    reason: str,
    *,
    by_its_own_tool: bool = False,
    notices: Notices | None = None,
) -> list[Outcome]:
    """Bring every dead run of a site to its end. Raises Stuck if a person is needed.

    A run is recovered by the mcc that wrote its journal. ``by_its_own_tool``: we were started to be
    that one, and start no other. ``notices``: where it is noted of whom people have to be told.
    """
    host = hands.host(site, Services(manager="none"), lock=lock)
    outcomes = []
    for run in dead_runs(host.files, site):
        if notices is not None:
            notices.ended(site, run, told_of_dead(site, run, host.files))
        outcome = recover_one(site, run, hands, lock, reason, by_its_own_tool=by_its_own_tool)
        if outcome is not None:
            outcomes.append(outcome)
    return outcomes


def recover_one(
    site: Site, run: str, hands: Hands, lock: Lock, reason: str, *, by_its_own_tool: bool = False
) -> Outcome | None:
    """Undo or finish one run; None if there was nothing to do. Raises Stuck."""
    try:
        outcome = _recover_one(site, run, hands, lock, reason, by_its_own_tool)
    except (OSError, StepError) as problem:
        error = as_mcc_error(problem)
        message = f"the run {run} could not be recovered: {error.message}"
        raise Stuck(message, help=error.help, log=error.log) from problem
    except (KeyError, TypeError, ValueError) as error:
        raise Stuck(
            f"the journal of the run {run} cannot be understood: {type(error).__name__}: {error}",
            help=f"look at {site.journal(run)}, put right what is wrong, remove the file",
        ) from error
    if outcome is not None and outcome.result == "stuck":
        what = "was committed, but could not be finished" if outcome.committed else "could not be undone"
        raise Stuck(f"the run {run} {what}", help="; ".join(outcome.todo))
    return outcome


def _recover_one(site: Site, run: str, hands: Hands, lock: Lock, reason: str, by_its_own_tool: bool) -> Outcome | None:
    bare = hands.host(site, Services(manager="none"), run, lock)
    _make_last(bare.files, site)
    journal = JournalFile(bare.files, site, run)
    state = engine_recover.read(journal)
    if state is None or state.ended in ("done", "failed"):
        journal.remove()
        return None
    ours = by_its_own_tool or state.header["tool"]["version"] == hands.tool(site).version
    if not ours and _other_tool(site, state, bare, lock):
        return None
    return _recover(site, state, journal, hands, lock, reason)


def _make_last(files: Files, site: Site) -> None:
    """Sync the site: what the dead run has changed may not be on disk yet.

    It may have died between a rename(2) and the fsync(2) of its folder. Recovery finds the change done, and passes it
    by; a power cut would then take the change away from under a journal that says otherwise.
    """
    with contextlib.suppress(OSError):  # a disk that is full or fails: recovery says what it cannot do
        files.sync(site.base)


def _recover(site: Site, state: RunState, journal: JournalFile, hands: Hands, lock: Lock, reason: str) -> Outcome:
    run = str(state.header["run"])
    host = hands.host(site, header_services(state.header), run, lock)
    told = told_of_dead(site, run, host.files)
    masker = Masker(told.secrets if told else frozenset())
    sink = hands.sink(site, run, masker)
    started = host.clock.monotonic()
    direction = "back" if isinstance(way_out(state), Back) else "forward"
    sink(RecoveryStarted(host.clock.now().timestamp(), run, direction, reason))  # type: ignore[arg-type]
    engine = Engine(host, journal, sink)
    outcome = engine_recover.recover(engine, journal, state, step_kinds())
    sink(conclude(site, host, engine, outcome, run, release_of(state), started, masker, reason))
    return outcome


def release_of(state: RunState) -> Release | None:
    """The release that a run was to bring live; None for a run that brings none."""
    release = state.header["release"]
    return ledgers.release_from(release, "failed") if release else None


def conclude(
    site: Site,
    host: Host,
    engine: Engine,
    outcome: Outcome,
    run: str,
    release: Release | None,
    started: float,
    masker: Masker,
    reason: str = "",
) -> RunEnded:
    """Write down how a run ended, close its journal, and say it in two facts."""
    error = masker.mask(outcome.error.message if outcome.error else reason)
    if outcome.result == "failed" and release is not None:
        _note_failure(site, host, release, error)
    engine.end(outcome)
    return RunEnded(
        at=host.clock.now().timestamp(),
        run=run,
        result=outcome.result,
        exit_code=outcome.exit_code,
        seconds=round(host.clock.monotonic() - started, 2),
        release=release.name if release else "",
        code=_code_words(site, host, outcome, release),
        databases=_database_words(outcome),
        error="" if outcome.result == "done" else error,
        todo=(*outcome.todo, *_left_running(outcome), *_copies(site, outcome), *_told(outcome)),
    )


def _note_failure(site: Site, host: Host, release: Release, error: str) -> None:
    try:
        if read_ledger(host.files, site).get(release.name) is None:
            append_line(host.files, site.ledger, ledgers.failed_line(release, error), 0o644)
    except OSError as problem:
        host.listener.warn(f"{site.ledger} could not be written: {problem}")


def _database_words(outcome: Outcome) -> str:
    """How far databases are from where they were, before and behind the cut-over."""
    before, after = (str(outcome.facts.get(key, "as before")) for key in ("databases", "databases after"))
    behind = f"{after} behind the cut-over" if after != "as before" else ""
    return ", ".join(words for words in (before if before != "as before" else "", behind) if words) or "as before"


def _code_words(site: Site, host: Host, outcome: Outcome, release: Release | None) -> str:
    if release is None:
        words = str(outcome.facts.get("code", "")) or _made(outcome)
        return words or ("not touched" if outcome.result != "stuck" else "not all is as it was")
    if outcome.result == "done":
        return f"{release.name} is live"
    if outcome.result == "stuck":
        return f"{release.name} is live, but not all is done" if outcome.committed else "neither as before nor as after"
    live = read_ledger(host.files, site).live
    if live is not None:
        return f"as before ({live.name} is live)"
    scripted = any(host.files.kind(site.base / name) == "link" for name in _current(host, site))
    return f"as before ({'what a script made is live' if scripted else 'nothing is live yet'})"


def _current(host: Host, site: Site) -> list[str]:
    """Names that look like links to a live release."""
    return [name for name in host.files.names(site.base) if name.startswith("current-")]


def _made(outcome: Outcome) -> str:
    """What a backup has left, for its last line."""
    label = str(outcome.facts.get("backup", ""))
    if outcome.result != "done" or not label or label.startswith("before/"):
        return ""
    count = outcome.facts.get("copies", 0)
    return f"{count} good cop{'y' if count == 1 else 'ies'} in {label}"


def _left_running(outcome: Outcome) -> tuple[str, ...]:
    left = outcome.facts.get("left running")
    if not left:
        return ()
    return (f"{left} did not run before, and the deploy user may not stop it: stop it, or deploy again",)


def _told(outcome: Outcome) -> tuple[str, ...]:
    """What a step of a run that went through leaves for a person to judge."""
    told = outcome.facts.get("to do")
    return (str(told),) if told and outcome.committed else ()


def _copies(site: Site, outcome: Outcome) -> tuple[str, ...]:
    """Databases that went forward while the code went back, and the copies of what they were."""
    copies = outcome.facts.get("copies before")
    if not copies or outcome.committed or outcome.facts.get("put back"):
        return ()
    where = shlex.quote(str(site.base))
    return (f"if the code cannot live with the databases as they are now: mcc restore --site {where} --from {copies}",)


def _other_tool(site: Site, state: RunState, host: Host, lock: Lock) -> bool:
    """Let the mcc that wrote the journal recover it; False if it is gone."""
    command = site.tool(str(state.header["tool"]["version"])) / "mcc"
    if host.files.kind(command) != "file":
        return False
    words = (str(command), "recover", "--site", str(site.base), "--lock-descriptor", str(lock.descriptor))
    done = host.commands.run(words, timeout=_TOOL_LIMIT, on_line=host.listener.say)
    if done.code == 3:
        raise Stuck(f"the run {state.header['run']} could not be recovered", log=done.tail())
    return done.ok and str(state.header["run"]) not in dead_runs(host.files, site)
