"""The commands that need root, the lines that allow them, and asking sudo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcc.core import sudo
from mcc.errors import CommandFailed
from mcc.host.ports import Completed
from mcc.host.sudo import RealSudo, denied
from mcc.model.conf import Conf, Ownership, Server, Services

BASE = Path("/home/stenvala/live/notes")


def conf(**parts: Any) -> Conf:
    return Conf(path=Path("conf.yml"), server=Server(base=BASE), **parts)


class Recorded:
    """Commands that answer with recorded output; what was run is kept."""

    def __init__(self, answers: dict[str, tuple[int, str]], programs: Sequence[str] = ("sudo",)) -> None:
        self.answers = answers
        self.programs = programs
        self.ran: list[str] = []

    def find(self, name: str) -> str | None:
        return f"/usr/bin/{name}" if name in self.programs else None

    def run(self, words: Sequence[str], **_: Any) -> Completed:
        self.ran.append(" ".join(words))
        code, output = self.answers.get(self.ran[-1], (0, ""))
        return Completed(tuple(words), code, output)


def test_words_are_those_of_the_specification() -> None:
    assert sudo.restart("notes.service") == ("/bin/systemctl", "restart", "notes.service")
    assert sudo.status("notes") == ("/bin/systemctl", "status", "notes")
    assert sudo.stop("notes@a.service")[1:] == ("stop", "notes@a.service")
    assert sudo.start("notes@a.service")[1:] == ("start", "notes@a.service")
    assert sudo.chown("www-data", "stenvala", BASE / "api") == (
        "chown", "-R", "www-data:stenvala", "/home/stenvala/live/notes/api",
    )  # fmt: skip
    assert sudo.chmod(BASE / "api") == ("chmod", "-R", "g+rw", "/home/stenvala/live/notes/api")


def test_required_are_restarts_of_all_services_and_ownership_of_the_paths() -> None:
    value = conf(
        services=Services(names=("api.service",), workers=("worker.service",)),
        ownership=Ownership(user="www-data", group="stenvala"),
    )
    assert sudo.required(value, [BASE / "api"]) == (
        sudo.restart("api.service"),
        sudo.restart("worker.service"),
        sudo.chown("www-data", "stenvala", BASE / "api"),
        sudo.chmod(BASE / "api"),
    )
    assert sudo.status("api.service") in sudo.useful(value)


@pytest.mark.parametrize("manager", ["embedded", "none"])
def test_without_systemd_and_ownership_nothing_is_required(manager: Any) -> None:
    value = conf(services=Services(manager=manager, names=("api",)), ownership=Ownership(mode="none"))
    assert sudo.required(value, [BASE / "api"]) == ()
    assert sudo.useful(value) == ()


def test_line_names_the_full_path_and_escapes_what_sudoers_would_read() -> None:
    assert sudo.sudoers_line("stenvala", sudo.restart("notes.service")) == (
        "stenvala ALL=(root) NOPASSWD: /bin/systemctl restart notes.service"
    )
    assert sudo.sudoers_line("u", sudo.chown("www-data", "u", "/srv/a b,c"), sudo.chmod("/srv/x=y")) == (
        r"u ALL=(root) NOPASSWD: /bin/chown -R www-data\:u /srv/a\ b\,c, /bin/chmod -R g+rw /srv/x\=y"
    )
    assert sudo.sudoers_line("u", sudo.restart("a\\x2db.service")).endswith(r"restart a\\\\x2db.service")


def test_way_out_names_a_file_that_sudo_reads() -> None:
    text = sudo.way_out("first.last", sudo.restart("a.service"))
    assert "/etc/sudoers.d/first_last: first.last ALL=(root) NOPASSWD: /bin/systemctl" in text


def test_a_line_break_cannot_smuggle_a_second_rule_in() -> None:
    with pytest.raises(ValueError, match="line break"):
        sudo.sudoers_line("u", sudo.restart("a\nu ALL=(ALL) NOPASSWD: ALL"))


@given(st.text(alphabet=st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1))
def test_nothing_special_is_left_bare(word: str) -> None:
    line = sudo.sudoers_line("u", ("/bin/systemctl", "restart", word))
    rest = line.removeprefix("u ALL=(root) NOPASSWD: /bin/systemctl restart ")
    bare = rest.replace("\\\\", "")
    for mark in ",:=#*?[] ":
        assert bare.count(mark) == bare.count("\\" + mark)


def test_allows_is_the_exit_code_of_sudo_list() -> None:
    commands = Recorded({"sudo -n -l /bin/systemctl stop a": (1, "sudo: a password is required\n")})
    real = RealSudo(commands, uid=1000)
    assert real.allows(sudo.restart("a"))
    assert not real.allows(sudo.stop("a"))
    assert commands.ran == ["sudo -n -l /bin/systemctl restart a", "sudo -n -l /bin/systemctl stop a"]


def test_what_is_permitted_is_asked_once_for_all_hosts_of_a_command_and_what_is_not_again() -> None:
    commands = Recorded({"sudo -n -l /bin/systemctl stop a": (1, "sudo: a password is required\n")})
    known: set[tuple[str, ...]] = set()
    one, other = RealSudo(commands, 1000, known), RealSudo(commands, 1000, known)
    assert [each.allows(sudo.restart("a")) for each in (one, other)] == [True, True]
    assert [each.allows(sudo.stop("a")) for each in (one, other)] == [False, False]
    assert commands.ran == ["sudo -n -l /bin/systemctl restart a", *["sudo -n -l /bin/systemctl stop a"] * 2]


def test_without_sudo_nothing_is_allowed_and_running_says_so() -> None:
    real = RealSudo(Recorded({}, programs=()), uid=1000)
    assert not real.allows(sudo.restart("a"))
    with pytest.raises(CommandFailed, match="has no sudo"):
        real.run(sudo.restart("a"))


def test_root_needs_no_sudo() -> None:
    commands = Recorded({}, programs=())
    real = RealSudo(commands, uid=0)
    assert real.allows(sudo.chmod("/x"))
    real.run(sudo.chmod("/x"))
    assert commands.ran == ["chmod -R g+rw /x"]


@pytest.mark.parametrize(
    "output",
    [
        "sudo: a password is required\n",
        "Sorry, user u is not allowed to execute '/bin/systemctl restart b' as root on box.\n",
        "sudo: sorry, you are not allowed to run sudo on box\n",
    ],
)
def test_a_refusal_of_sudo_is_told_from_a_failure_of_the_command(output: str) -> None:
    assert denied(Completed(("sudo",), 1, output))
    assert not denied(Completed(("sudo",), 1, "Job for notes.service failed.\n"))
    assert not denied(Completed(("sudo",), 0, output))
