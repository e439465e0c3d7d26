"""What a line of a crontab says: schedules, variables, markers, whose site it is, what the shell gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcc.core.cron.lines import command_and_input, marker_of, names_site, variable, without_marker

SITE = Path("/home/stenvala/live/auth")


@pytest.mark.parametrize(
    "command",
    [
        b"cd /home/stenvala/live/auth/scripts && ./x",
        b"/home/stenvala/live/auth/x.sh",
        b"cd /home/stenvala/live/auth; ./x",
        b"x '/home/stenvala/live/auth' y",
        b'cd "/home/stenvala/live/auth/scripts"',
        b"BASE=/home/stenvala/live/auth ./x",
        b"x >/home/stenvala/live/auth/logs/x.log",
        b"(/home/stenvala/live/auth/x)",
        b"cp /home/stenvala/live/auth-dev/a /home/stenvala/live/auth/b",
        b"/home/stenvala/live/auth",
    ],
)
def test_a_site_is_named_by_its_path_or_one_in_it(command: bytes) -> None:
    assert names_site(command, SITE)


@pytest.mark.parametrize(
    "command",
    [
        b"cd /home/stenvala/live/auth-dev/scripts && ./x",
        b"cd /home/stenvala/live/auth.old/scripts",
        b"cd /home/stenvala/live/auth2/scripts",
        b"cd /home/stenvala/live/auth\xc3\xa9/scripts",
        b"cd /home/stenvala/live/auth,v/scripts",
        b"cd /backup/home/stenvala/live/auth/scripts",
        b"cd x/home/stenvala/live/auth/scripts",
        b"cd /home/stenvala/live/auth/../auth-dev/scripts",
        b"cd /home/stenvala/live/auth/scripts/../../auth-dev",
        b"cd /home/stenvala/live",
        b"",
    ],
)
def test_another_one_is_not_whose_name_only_begins_so(command: bytes) -> None:
    assert not names_site(command, SITE)


@pytest.mark.parametrize(
    ("site", "command"),
    [
        ("/live/my site", b"cd '/live/my site/scripts' && ./x"),
        ("/live/my site", b"cd /live/my\\ site/scripts && ./x"),
        ("/live/50%", rb"cd /live/50\%/scripts && ./x"),
        ("/live/a.b", b"cd /live/a.b/scripts"),
    ],
)
def test_odd_paths_are_known_as_cron_and_the_shell_want_them(site: str, command: bytes) -> None:
    assert names_site(command, Path(site))
    assert not names_site(command, Path(f"{site}-dev"))
    assert not names_site(command.replace(b".", b"x"), Path("/live/a.b"))


@given(st.text("ab-./ ", min_size=1, max_size=8), st.text("ab-./ ", max_size=8))
def test_a_name_that_goes_on_is_another_name(before: str, after: str) -> None:
    """Whatever stands around: only a boundary of words makes it ours."""
    command = f"x {before}/live/auth{after}".encode()
    if not before.endswith(" ") or (after and after[0] not in "/ "):
        assert not names_site(command, Path("/live/auth"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"MAILTO=a@example.com", (b"MAILTO", b"a@example.com")),
        (b"  A = b c  ", (b"A", b"b c")),
        (b'A=" b c "', (b"A", b" b c ")),
        (b"A='x'", (b"A", b"x")),
        (b'MAILTO=""', (b"MAILTO", b"")),
        (b'"A"=1', (b"A", b"1")),
        (b"A=", (b"A", b"")),
        (b"# A=1", None),
        (b"* * * * * A=1 x", None),
        (b"@daily A=1 x", None),
        (b"", None),
    ],
)
def test_a_line_that_sets_a_variable(line: bytes, expected: object) -> None:
    assert variable(line) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (b"./x", (b"./x", None)),
        (b"./x # MCC-BACKUP", (b"./x", b"MCC-BACKUP")),
        (b"./x  #MCC-BACKUP ", (b"./x", b"MCC-BACKUP")),
        (b"./x 2>&1 # A B", (b"./x 2>&1", b"A B")),
        (b"./x#y", (b"./x#y", None)),
        (b"./x 'a # b' # M", (b"./x 'a # b'", b"M")),
        (b"./x #", (b"./x #", None)),
    ],
)
def test_a_marker_may_stand_behind_a_command(command: bytes, expected: object) -> None:
    assert without_marker(command) == expected


@pytest.mark.parametrize(("line", "expected"), [(b"# M \r\n", b"M"), (b"#M", b"M"), (b"#", None), (b"x # M", None)])
def test_a_marker_may_be_a_line(line: bytes, expected: object) -> None:
    assert marker_of(line) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (b"x", (b"x", b"")),
        (rb"date +\%F", (b"date +%F", b"")),
        (b"cat%a b%c", (b"cat", b"a b\nc\n")),
        (rb"cat%50\%%", (b"cat", b"50%\n")),
        (b"cat%", (b"cat", b"")),
        (rb"echo \a\\b", (rb"echo \a\b", b"")),
        (rb"echo \\\%", (rb"echo \%", b"")),
        (rb"echo \\%x\\y", (b"echo \\", b"x\\\\y\n")),
    ],
)
def test_percent_signs_end_the_command_and_its_lines(command: bytes, expected: object) -> None:
    assert command_and_input(command) == expected
