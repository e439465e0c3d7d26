"""The program that starts a service: the service gets what ``mcc env list`` prints, and nothing is run as code."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from random import Random

import pytest

from mcc.core.dotenv import variables
from mcc.core.dotenv_edit import with_variables
from mcc.model.conf import Conf, Server
from mcc.provision.start import PERL, start_file

pytestmark = pytest.mark.skipif(not Path(PERL).exists(), reason="Perl is not here")

CONF = Conf(Path("conf-prod.yml"), Server(Path("/srv/my shop.d")))
HARD = {
    "QUOTES": "it's \"so\"", "BLANKS": "  a  b\t", "DOLLARS": "$HOME ${X} $(touch ran) `touch ran` $$",
    "WORDS": "a; touch ran & b | c > d", "SLASHES": "\\n \\\\ \\", "UMLAUTS": "größe € 日本", "EMPTY": "",
    "HASH": "#a # b",
}  # fmt: skip
PARTS = (
    "a", "b c", " ", "\t", '"', "'", "\\", "\\\\", '\\"', "\\$", "\\n", "#", " # ", ";", "$x", "=", "é", "\\ ", "\r",
    "\n", "\\\n", "V=", "export ", "`id`",
)  # fmt: skip


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "start.pl"
    path.write_text(start_file(CONF).text)
    return path


def start(program: Path, text: str | None, *command: str) -> subprocess.CompletedProcess[bytes]:
    """Run it beside a ``.env``; what the command prints is in ``log``."""
    if text is not None:
        (program.parent / ".env").write_bytes(text.encode())
    words = [PERL, program, program.parent / "log", program.parent / ".env", *command]
    return subprocess.run(words, capture_output=True, env={"LC_ALL": "C.UTF-8"}, cwd=program.parent)


def given(program: Path, text: str | None) -> dict[str, str]:
    (program.parent / "log").unlink(missing_ok=True)
    done = start(program, text, "/usr/bin/env", "-0")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    pairs = (program.parent / "log").read_bytes().split(b"\0")
    found = dict(pair.decode().split("=", 1) for pair in pairs if pair)
    return {name: value for name, value in found.items() if name != "LC_ALL"}


def test_values_arrive_as_they_were_set_and_none_is_run(program: Path) -> None:
    assert given(program, with_variables("", HARD)) == HARD
    assert not (program.parent / "ran").exists()


def test_any_line_by_hand_is_read_as_mcc_reads_it(program: Path) -> None:
    random = Random("starts")
    for _ in range(80):
        text = "V=" + "".join(random.choice(PARTS) for _ in range(random.randrange(40)))
        assert (text, given(program, text)) == (text, variables(text))


def test_without_the_file_the_service_starts(program: Path) -> None:
    assert given(program, None) == given(program, "") == {}


def test_what_may_not_be_read_ends_the_start_with_the_way_out_in_the_log(program: Path) -> None:
    """A service without its passwords would fail later and elsewhere."""
    (program.parent / ".env").mkdir()
    done = start(program, None, "/bin/true")
    assert done.returncode != 0
    if os.getuid():
        (program.parent / ".env").rmdir()
        (program.parent / ".env").touch(0o000)
        start(program, None, "/bin/true")
        assert "setfacl -m u:" in (program.parent / "log").read_text()
    assert "cannot read" in (program.parent / "log").read_text()


def test_the_log_is_added_to_and_words_of_the_command_go_to_no_shell(program: Path) -> None:
    (program.parent / "log").write_text("before\n")
    start(program, None, "/bin/echo", "a  b; touch ran", "$HOME")
    assert (program.parent / "log").read_text() == "before\na  b; touch ran $HOME\n"
    start(program, None, "/nowhere/at all")
    assert "cannot run /nowhere/at all: No such file" in (program.parent / "log").read_text()


def test_each_site_has_its_own_below_a_folder_of_roots() -> None:
    assert str(start_file(CONF).path) == "/usr/local/lib/mcc/start-my_shop_d.pl"
