"""systemd: asked without rights, told by ``sudo -n``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mcc.core import sudo as rights
from mcc.errors import CommandFailed, ServiceFailed, StepError
from mcc.host.ports import Commands, Completed, Sudo
from mcc.host.sudo import denied
from mcc.model.service import ServiceState

_PROPERTIES = (
    "Id", "Type", "LoadState", "LoadError", "ActiveState", "SubState", "Result", "InvocationID", "NRestarts",
    "ActiveEnterTimestampMonotonic", "ExecMainStartTimestampMonotonic", "ExecMainExitTimestampMonotonic",
    "ExecMainStatus", "StartLimitIntervalUSec", "TriggeredBy", "Requires",
)  # fmt: skip
_ENGLISH = {"LC_ALL": "C.UTF-8"}
_STATUS_LINES = 40


class Systemd:
    """Units of the machine's systemd. ``user`` is the deploy user, for the sudoers lines in messages."""

    def __init__(
        self,
        commands: Commands,
        sudo: Sudo,
        user: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        timeout: float = 300.0,
    ) -> None:
        self._commands = commands
        self._sudo = sudo
        self._user = user
        self._monotonic = monotonic
        self._timeout = timeout
        # A unit is looked at many times a second while it is waited for, and each question to sudo is logged.
        self._may: dict[str, bool] = {}

    def state(self, name: str) -> ServiceState:
        """How a unit is, by ``systemctl show``. Raises StepError without a running systemd.

        A socket that :meth:`stop` stops too is none of its triggers.
        """
        shown = self._show(name)
        state = read_state(name, shown, self._monotonic())
        return replace(state, triggers=tuple(each for each in state.triggers if each not in self._held(shown)))

    def status(self, name: str) -> tuple[str, ...]:
        """``systemctl status``, with the journal's last lines, or what can be seen without rights."""
        try:
            return self._status(name)
        except StepError as error:
            return (error.message, *error.log)

    def may_stop(self, name: str) -> bool:
        return self._sudo.allows(rights.stop(name))

    def definition(self, name: str) -> bytes | None:
        return None  # units are root's: no deploy changes one

    def restart(self, name: str, definition: bytes | None = None) -> None:
        self._order(name, rights.restart(name))

    def stop(self, name: str) -> None:
        """Stop a unit, and first the socket that would start it again. Raises ServiceFailed with the reason."""
        for socket in self._held(self._show(name)):
            self._order(socket, rights.stop(socket))
        self._order(name, rights.stop(name))

    def _held(self, shown: Mapping[str, str]) -> tuple[str, ...]:
        """The sockets of a unit that may be stopped with it, and that its restart brings back: those it requires."""
        needed = shown.get("Requires", "").split()
        sockets = [each for each in shown.get("TriggeredBy", "").split() if each.endswith(".socket") and each in needed]
        for socket in sockets:
            if socket not in self._may:
                self._may[socket] = self._sudo.allows(rights.stop(socket))
        return tuple(socket for socket in sockets if self._may[socket])

    def _show(self, name: str) -> dict[str, str]:
        if self._commands.find("systemctl") is None:
            raise _no_systemd("there is no systemctl on this machine")
        words = ["systemctl", "show", "--property=" + ",".join(_PROPERTIES), "--", name]
        done = self._commands.run(words, env=_ENGLISH, timeout=30.0)
        if not done.ok:
            raise _no_answer(name, done)
        return read_properties(done.output)

    def _status(self, name: str) -> tuple[str, ...]:
        words = rights.status(name)
        if not self._sudo.allows(words):
            return (*self._words(name), f"for more, {rights.way_out(self._user, words)}")
        # 3 is the answer for a unit that is not active (systemctl(1)), not an error.
        done = self._sudo.run(words, timeout=30.0)
        lines = [line.rstrip() for line in done.output.splitlines() if line.strip()]
        return tuple(lines[-_STATUS_LINES:]) or self._words(name)

    def _words(self, name: str) -> tuple[str, ...]:
        return (f"{name}: {self.state(name).words}",)

    def _order(self, name: str, words: rights.Words) -> None:
        if self._commands.find(words[0]) is None:
            raise _no_systemd(f"there is no {words[0]} on this machine")
        try:
            done = self._sudo.run(words, timeout=self._timeout)
        except CommandFailed as error:
            raise ServiceFailed(error.message, help=error.help, log=error.log) from error
        if not done.ok:
            raise self._refused(name, words, done)

    def _refused(self, name: str, words: rights.Words, done: Completed) -> ServiceFailed:
        if denied(done):
            return ServiceFailed(
                f"sudo does not let {self._user} run: {' '.join(words)}",
                help=rights.way_out(self._user, words),
                log=done.tail(),
            )
        reason, help = self._why(name, done)
        return ServiceFailed(f"{words[1]} of {name} failed: {reason}", help=help, log=done.tail())

    def _why(self, name: str, done: Completed) -> tuple[str, str]:
        try:
            shown = self._show(name)
        except StepError:
            return (done.tail(1) or ("systemctl gave no reason",))[0], ""
        help = _START_LIMIT_HELP.format(name=name) if shown.get("Result") == "start-limit-hit" else ""
        return read_state(name, shown, self._monotonic()).words, help


_START_LIMIT_HELP = (
    "wait a little, or as root: systemctl reset-failed {name}; "
    "with StartLimitIntervalSec=0 in its unit systemd does not count"
)

_RESULTS = {
    "exit-code": "it ended with exit code {code}",
    "signal": "it was ended by signal {code}",
    "core-dump": "it crashed by signal {code}",
    "timeout": "it did not start or stop in time",
    "watchdog": "its watchdog saw no sign of life",
    "oom-kill": "the kernel ended it for want of memory",
    "resources": "systemd could not set up what it needs (folder, user, limits)",
    "protocol": "it did not say that it was ready",
    "start-limit-hit": "it was started too often in a short time (start-limit-hit), so systemd refuses it",
    "exec-condition": "its ExecCondition does not hold",
    "condition": "its conditions do not hold",
}

_LOADS = {
    "not-found": "systemd knows no unit of that name",
    "masked": "the unit is masked",
    "bad-setting": "its unit file has a mistake",
    "error": "its unit file cannot be read",
}


def read_properties(output: str) -> dict[str, str]:
    """``KEY=VALUE`` lines of ``systemctl show``; other lines are left out."""
    pairs = (line.partition("=") for line in output.splitlines())
    return {key: value for key, equals, value in pairs if equals}


def read_state(name: str, shown: Mapping[str, str], now: float) -> ServiceState:
    """The state that the properties of a unit speak of; ``now`` in seconds of CLOCK_MONOTONIC."""
    load = shown.get("LoadState", "")
    resting = _rests(shown)
    active = shown.get("ActiveState") in ("active", "reloading") or resting
    since = _seconds(shown, "ExecMainExitTimestampMonotonic" if resting else "ActiveEnterTimestampMonotonic")
    return ServiceState(
        name=name,
        known=load in ("loaded", ""),
        active=active and load in ("loaded", ""),
        words=_words(shown, load, resting),
        start_id=shown.get("InvocationID", ""),
        active_for=max(0.0, now - since) if active else None,
        restarts=_number(shown, "NRestarts"),
        failed=_has_failed(shown),
        resting=resting,
        triggers=tuple(shown.get("TriggeredBy", "").split()),
        starting=shown.get("ActiveState") == "activating" and load in ("loaded", ""),
        stopping=shown.get("ActiveState") == "deactivating",
    )


def _rests(shown: Mapping[str, str]) -> bool:
    """A oneshot that did its work is inactive, and all is well."""
    return (
        shown.get("Type") == "oneshot"
        and shown.get("ActiveState") == "inactive"
        and shown.get("Result", "success") == "success"
    )


def _has_failed(shown: Mapping[str, str]) -> bool:
    # Restart=always: between its death and the next start a unit is not "failed" but waits.
    if shown.get("SubState") == "auto-restart":
        return shown.get("Result", "success") != "success"
    return shown.get("ActiveState") == "failed"


def _words(shown: Mapping[str, str], load: str, resting: bool) -> str:
    if load in _LOADS:
        detail = shown.get("LoadError", "")
        return _LOADS[load] + (f" ({detail})" if detail and load != "not-found" else "")
    if resting:
        return "at rest (oneshot; its last run ended well)"
    words = f"{shown.get('ActiveState', 'unknown')} ({shown.get('SubState', 'unknown')})"
    if reason := _reason(shown):
        words += f": {reason}"
    if restarts := _number(shown, "NRestarts"):
        words += f"; systemd has started it again {restarts} {'time' if restarts == 1 else 'times'}"
    return words


def _reason(shown: Mapping[str, str]) -> str:
    result = shown.get("Result", "success")
    if result == "success":
        return ""
    return _RESULTS.get(result, result).format(code=shown.get("ExecMainStatus", "?"))


def _number(shown: Mapping[str, str], key: str) -> int:
    value = shown.get(key, "")
    return int(value) if value.isdecimal() else 0


def _seconds(shown: Mapping[str, str], key: str) -> float:
    return _number(shown, key) / 1e6


def _no_systemd(what: str, log: Sequence[str] = ()) -> StepError:
    return StepError(what, help="SERVICE_MANAGER: embedded runs the services without systemd", log=log)


def _no_answer(name: str, done: Completed) -> StepError:
    if "not been booted with systemd" in done.output:
        return _no_systemd("this machine was not started by systemd: systemctl does not work", done.tail())
    return StepError(f"systemctl says nothing of {name}", log=done.tail())
