"""What systemd says of a unit, from its recorded output; the real systemd is asked in the box tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mcc.errors import CommandFailed, ServiceFailed, StepError
from mcc.host.ports import Completed
from mcc.host.systemd import Systemd, read_properties, read_state

RUNNING = """\
Type=simple
NRestarts=0
Result=success
ExecMainStartTimestampMonotonic=5000000
ExecMainExitTimestampMonotonic=0
ExecMainStatus=0
Id=notes.service
LoadState=loaded
ActiveState=active
SubState=running
ActiveEnterTimestampMonotonic=5000000
InvocationID=4a1f8f0ad7b94b8c9a3a7b1a
"""
FAILED = RUNNING.replace("=active", "=failed").replace("=running", "=failed").replace(
    "Result=success", "Result=exit-code").replace("ExecMainStatus=0", "ExecMainStatus=3")  # fmt: skip
AUTO_RESTART = FAILED.replace("ActiveState=failed", "ActiveState=activating").replace(
    "SubState=failed", "SubState=auto-restart").replace("NRestarts=0", "NRestarts=4")  # fmt: skip
UNKNOWN = """\
Id=nope.service
LoadState=not-found
LoadError=org.freedesktop.systemd1.NoSuchUnit "Unit nope.service not found."
ActiveState=inactive
SubState=dead
InvocationID=
ActiveEnterTimestampMonotonic=0
"""
ONESHOT = """\
Type=oneshot
Result=success
ExecMainExitTimestampMonotonic=7000000
LoadState=loaded
ActiveState=inactive
SubState=dead
InvocationID=77
"""
NO_SYSTEMD = """\
System has not been booted with systemd as init system (PID 1). Can't operate.
Failed to connect to bus: Host is down
"""
DENIED = "sudo: a password is required\n"
JOB_FAILED = """\
Job for notes.service failed because the control process exited with error code.
See "systemctl status notes.service" and "journalctl -xeu notes.service" for details.
"""


class Machine:
    """Commands and Sudo with recorded answers."""

    def __init__(self, show: str = RUNNING, show_code: int = 0, **sudo: tuple[int, str]) -> None:
        self.show, self.show_code, self.answers = show, show_code, sudo
        self.programs = {"systemctl", "/bin/systemctl"}
        self.allowed = {"restart", "status"}
        self.ran: list[tuple[str, ...]] = []
        self.late = False

    def find(self, name: str) -> str | None:
        return name if name in self.programs else None

    def allows(self, words: Sequence[str]) -> bool:
        return words[1] in self.allowed

    def run(self, words: Sequence[str], **_: Any) -> Completed:
        self.ran.append(tuple(words))
        if words[1] == "show":
            return Completed(tuple(words), self.show_code, self.show)
        if self.late:
            raise CommandFailed("/bin/systemctl restart notes.service did not end within 300 s")
        return Completed(tuple(words), *self.answers.get(words[1], (0, "")))


def manager(machine: Machine, now: float = 8.0) -> Systemd:
    return Systemd(machine, machine, "stenvala", monotonic=lambda: now)


def read(text: str, now: float = 8.0) -> Any:
    return read_state("notes.service", read_properties(text), now)


def test_a_running_unit() -> None:
    state = read(RUNNING)
    assert (state.known, state.active, state.failed, state.restarts) == (True, True, False, 0)
    assert state.active_for == 3.0
    assert state.start_id == "4a1f8f0ad7b94b8c9a3a7b1a"
    assert state.words == "active (running)"


def test_a_failed_unit_says_how_it_ended() -> None:
    state = read(FAILED)
    assert (state.active, state.failed, state.active_for) == (False, True, None)
    assert state.words == "failed (failed): it ended with exit code 3"


def test_a_unit_that_dies_and_comes_back_has_failed_while_it_waits() -> None:
    state = read(AUTO_RESTART)
    assert (state.active, state.failed, state.restarts) == (False, True, 4)
    assert state.starting, "it will write to its database again"
    assert "started it again 4 times" in state.words


def test_restarts_show_even_while_the_unit_is_up_again() -> None:
    state = read(RUNNING.replace("NRestarts=0", "NRestarts=1"))
    assert (state.active, state.restarts) == (True, 1)
    assert "started it again 1 time" in state.words


@pytest.mark.parametrize(
    ("load", "words"),
    [("not-found", "knows no unit"), ("masked", "is masked"), ("bad-setting", "has a mistake")],
)
def test_a_unit_that_cannot_be_used_is_not_known(load: str, words: str) -> None:
    state = read(UNKNOWN.replace("not-found", load))
    assert (state.known, state.active) == (False, False)
    assert words in state.words


def test_a_oneshot_that_did_its_work_counts_as_up() -> None:
    state = read(ONESHOT)
    assert (state.active, state.failed, state.active_for) == (True, False, 1.0)
    assert not read(ONESHOT.replace("Type=oneshot", "Type=simple")).active
    assert not read(ONESHOT.replace("Result=success", "Result=exit-code")).active


def test_state_is_asked_without_sudo_and_a_name_cannot_be_an_option() -> None:
    machine = Machine()
    manager(machine).state("--failed")
    (words,) = machine.ran
    assert words[0] == "systemctl"
    assert words[-2:] == ("--", "--failed")


def test_restart_is_letter_by_letter_what_the_conf_says() -> None:
    machine = Machine()
    manager(machine).restart("notes")
    assert machine.ran == [("/bin/systemctl", "restart", "notes")]


def test_restart_without_the_right_names_the_line() -> None:
    with pytest.raises(ServiceFailed, match="sudo does not let stenvala run") as caught:
        manager(Machine(restart=(1, DENIED))).restart("notes.service")
    assert "stenvala ALL=(root) NOPASSWD: /bin/systemctl restart notes.service" in caught.value.help


def test_restart_that_fails_says_how_the_unit_is() -> None:
    with pytest.raises(ServiceFailed, match="it ended with exit code 3") as caught:
        manager(Machine(FAILED, restart=(1, JOB_FAILED))).restart("notes.service")
    assert caught.value.log[0].startswith("Job for notes.service failed")


def test_start_limit_is_named_with_the_way_out() -> None:
    shown = FAILED.replace("Result=exit-code", "Result=start-limit-hit")
    with pytest.raises(ServiceFailed, match="start-limit-hit") as caught:
        manager(Machine(shown, restart=(1, JOB_FAILED))).restart("notes.service")
    assert "systemctl reset-failed notes.service" in caught.value.help


def test_restart_that_does_not_end_is_a_failed_service() -> None:
    machine = Machine()
    machine.late = True
    with pytest.raises(ServiceFailed, match="did not end within"):
        manager(machine).restart("notes.service")


def test_status_of_a_dead_unit_is_no_error() -> None:
    lines = manager(Machine(status=(3, "x notes.service - Notes\n\n   Active: failed\n"))).status("notes.service")
    assert lines == ("x notes.service - Notes", "   Active: failed")


def test_status_without_the_right_says_what_can_be_seen_and_names_the_line() -> None:
    machine = Machine(FAILED)
    machine.allowed = {"restart"}
    first, second = manager(machine).status("notes.service")
    assert first == "notes.service: failed (failed): it ended with exit code 3"
    assert "NOPASSWD: /bin/systemctl status notes.service" in second


def test_may_stop_is_what_sudo_allows() -> None:
    machine = Machine()
    assert not manager(machine).may_stop("notes.service")
    machine.allowed.add("stop")
    assert manager(machine).may_stop("notes.service")


def test_a_machine_without_systemd_is_told_the_other_manager() -> None:
    machine = Machine(NO_SYSTEMD, 1)
    with pytest.raises(StepError, match="not started by systemd") as caught:
        manager(machine).state("notes.service")
    assert "SERVICE_MANAGER: embedded" in caught.value.help
    machine.allowed = set()
    assert "not started by systemd" in manager(machine).status("notes.service")[0]
    machine.programs = set()
    with pytest.raises(StepError, match="no systemctl"):
        manager(machine).state("notes.service")
    with pytest.raises(StepError, match="no /bin/systemctl"):
        manager(machine).restart("notes.service")


def test_units_that_would_start_a_unit_again_are_known() -> None:
    """systemctl(1), show: names with blanks between."""
    assert read_state("x", read_properties(RUNNING), 9.0).triggers == ()
    shown = read_properties(RUNNING + "TriggeredBy=notes.socket notes.timer\n")
    assert read_state("x", shown, 9.0).triggers == ("notes.socket", "notes.timer")


def test_a_unit_at_rest_counts_as_active_but_does_not_run() -> None:
    text = RUNNING.replace("Type=simple", "Type=oneshot").replace("ActiveState=active", "ActiveState=inactive")
    state = read_state("x", read_properties(text), 9.0)
    assert (state.active, state.resting, state.running) == (True, True, False)
    assert read_state("x", read_properties(RUNNING), 9.0).running


SOCKET = f"{RUNNING}TriggeredBy=notes.socket tick.timer\nRequires=notes.socket system.slice\n"


class Narrow(Machine):
    """May do to some units only what others may be done to all."""

    def allows(self, words: Sequence[str]) -> bool:
        return super().allows(words) and words[-1] != "notes.socket"


def test_the_socket_that_a_unit_requires_is_stopped_before_it_and_is_no_trigger_then() -> None:
    """The restart of the unit brings it back (Requires=); a timer stays what it is."""
    machine = Machine(SOCKET)
    machine.allowed.add("stop")
    units = Systemd(machine, machine, "deploy")
    assert units.state("notes.service").triggers == ("tick.timer",)
    units.stop("notes.service")
    stopped = [words[-1] for words in machine.ran if words[1] == "stop"]
    assert stopped == ["notes.socket", "notes.service"]


@pytest.mark.parametrize(
    ("shown", "machine"), [(SOCKET, Narrow), (SOCKET.replace("Requires=notes.socket", "Requires="), Machine)]
)
def test_one_that_may_not_be_stopped_or_would_not_come_back_stays_a_trigger(
    shown: str, machine: type[Machine]
) -> None:
    there = machine(shown)
    there.allowed.add("stop")
    units = Systemd(there, there, "deploy")
    assert units.state("notes.service").triggers == ("notes.socket", "tick.timer")
    units.stop("notes.service")
    assert [words[-1] for words in there.ran if words[1] == "stop"] == ["notes.service"]
