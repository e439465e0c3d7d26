"""``mcc env`` and ``mcc cron`` as a person calls them: asked, piped, listed, run."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
from pathlib import Path

import pytest

from cli.ground import LIMIT, MCC, Done, Ground, is_one_message

# What crontab(1) keeps, in a file.
CRONTAB = """#!/bin/sh
case "$1" in
  -l) [ -e "$0.kept" ] && cat "$0.kept" || { echo "no crontab for me" >&2; exit 1; } ;;
  -r) rm "$0.kept" ;;
  -) cat > "$0.kept" ;;
esac
"""


def fed(ground: Ground, text: bytes, *words: str) -> Done:
    done = subprocess.run(
        [*MCC, *words], cwd=ground.output, env=ground.environment, input=text, capture_output=True, timeout=LIMIT
    )
    return Done(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def typed(ground: Ground, answer: bytes, *words: str) -> tuple[int, bytes]:
    """What a terminal shows when somebody answers the question."""
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [*MCC, *words], cwd=ground.output, env={**ground.environment, "TERM": "dumb"},
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    try:
        while b": " not in seen:
            seen += os.read(terminal, 1024)
        os.write(terminal, answer)
        while data := os.read(terminal, 1024):
            seen += data
    except OSError:  # the other end is closed
        pass
    finally:
        os.close(terminal)
    return process.wait(LIMIT), seen


@pytest.fixture
def site(ground: Ground) -> str:
    ground.site.mkdir()
    return str(ground.site)


def test_a_value_is_asked_for_and_never_shown(ground: Ground, site: str) -> None:
    code, seen = typed(ground, b"hunter2 $x\n", "env", "set", "DB_PASSWORD", "--site", site)
    assert code == 0, seen
    assert seen.startswith(b"DB_PASSWORD: ")
    assert b"hunter2" not in seen
    assert (ground.site / ".env").read_text() == 'DB_PASSWORD="hunter2 \\$x"\n'
    assert stat.S_IMODE((ground.site / ".env").stat().st_mode) == 0o600
    names = [path for path in ground.site.rglob("*") if path.is_file() and "tool" not in path.parts]
    assert [path.name for path in names if b"hunter2" in path.read_bytes()] == [".env"]


@pytest.mark.slow
def test_values_are_given_taken_from_standard_input_listed_and_taken_out(ground: Ground, site: str) -> None:
    given = ground.run("env", "set", "A=1 2", "API_TOKEN=t0ken", "--site", site)
    assert given.returncode == 0, given.stderr
    assert given.stderr.startswith("warning: API_TOKEN stays in the shell's history; mcc env set API_TOKEN asks")
    assert "t0ken" not in given.stdout
    assert fed(ground, b"from a pipe\n", "env", "set", "DB_PASSWORD", "--stdin", "--site", site).returncode == 0
    assert fed(ground, b"# two\nB='x'\nexport C=y # c\n", "env", "set", "--stdin", "--site", site).returncode == 0
    listed = ground.run("env", "list", "--site", site)
    assert listed.stdout == "A=***\nAPI_TOKEN=***\nDB_PASSWORD=***\nB=***\nC=***\n"
    assert ground.run("env", "unset", "A", "API_TOKEN", "--site", site).returncode == 0
    shown = json.loads(ground.run("env", "list", "--show", "--format", "json", "--site", site).stdout)
    assert shown == {
        "site": site, "variables": {"DB_PASSWORD": "from a pipe", "B": "x", "C": "y"}, "warnings": []
    }  # fmt: skip
    records = (ground.site / ".mcc/runs").iterdir()
    actions = [json.loads(path.read_text().splitlines()[0])["action"] for path in records]
    assert sorted(actions) == ["env set", "env set", "env set", "env unset"]


@pytest.mark.slow
def test_a_stage_finds_its_variable_and_may_have_it_before_the_first_deploy(ground: Ground) -> None:
    ground.conf('OWN: "{{env:OWN_VALUE}}"')
    assert ground.deploy().returncode == 2
    done = ground.run("env", "set", "OWN_VALUE=1", "--stage", "prod")
    assert done.returncode == 0, done.stderr
    ground.good()


@pytest.mark.parametrize(
    ("words", "text", "message"),
    [
        (("env", "set", "A", "--site", "{site}"), b"x", "A has no value, and nobody sits here"),
        (("env", "set", "A=1", "--stdin", "--site", "{site}"), b"x", "--stdin reads one value"),
        (("env", "set", "A", "--stdin", "--site", "{site}"), b"\xff\n", "standard input is not UTF-8"),
        (("env", "set", "A", "--stdin", "--site", "{site}"), b"a\nb\n", "a line break"),
        (("env", "set", "A=1", "--site", "{site}/nowhere"), b"", "there is no site at"),
        (("env", "set", "A=1", "--restart", "--site", "{site}"), b"", "nothing is live"),
        (("cron", "run", "X"), b"", "which site?"),
        (("cron", "run", "X", "--site", "{site}"), b"", "has no jobs of"),
    ],
)
def test_what_cannot_be_is_told_in_one_message_and_nothing_is_changed(
    ground: Ground, site: str, words: tuple[str, ...], text: bytes, message: str
) -> None:
    with_crontab(ground, "")
    done = fed(ground, text, *(word.replace("{site}", site) for word in words))
    assert done.returncode == 2
    assert message in done.stderr
    assert is_one_message(done.stderr)
    assert not (ground.site / ".env").exists()


def with_crontab(ground: Ground, text: str) -> Path:
    program = ground.folder / "bin/crontab"
    program.write_text(CRONTAB)
    program.chmod(0o755)
    kept = program.with_suffix(".kept")
    kept.write_text(text)
    return kept


@pytest.mark.slow
def test_jobs_are_planned_installed_listed_and_run(ground: Ground) -> None:
    """One site from its plan to a run by hand; an older line of it goes, somebody's own stays and is shown."""
    own = f"1 1 * * * {ground.site}/own.sh --token=hunter2"
    old = f"0 3 * * * cd {ground.site} && ./old.sh # SYNC"
    kept = with_crontab(ground, f"GREETING='hi there'\n{old}\n{own}\n")
    ground.write("scripts/sync.sh", '#!/bin/sh\necho "$GREETING 100%"; exit ${CODE:-0}\n')
    ground.write("scripts/bad.sh", "#!/bin/sh\nexit 7\n")
    ground.conf(
        "CRON_JOBS:",
        '  - { schedule: "0 2 * * *", script: sync.sh, marker: SYNC, overlap: false }',
        '  - { schedule: "@daily", script: bad.sh, marker: BAD }',
    )
    plan = ground.deploy("--plan").stdout
    assert f"              - {old}\n" in plan
    assert "              + # SYNC\n" in plan
    assert "hunter2" not in plan
    (step,) = [
        step for step in json.loads(ground.deploy("--plan", "--format", "jsonl").stdout)["steps"] if step["details"]
    ]
    assert (step["kind"], f"- {old}" in step["details"]) == ("InstallCron", True)
    ground.good()
    assert old not in kept.read_text()
    site = str(ground.site)
    listed = json.loads(ground.run("cron", "list", "--site", site, "--format", "json").stdout)
    assert [(job["name"], job["words"], job["overlap"]) for job in listed["jobs"]] == [
        ("SYNC", "at 02:00 every day", False), ("BAD", "at 00:00 every day", True)
    ]  # fmt: skip
    assert [len(job["next"]) for job in listed["jobs"]] == [3, 3]
    assert listed["foreign"] == [own.replace("hunter2", "***")]
    text = ground.run("cron", "list", "--stage", "prod").stdout
    assert "SYNC  0 2 * * *  at 02:00 every day" in text
    assert "not installed by mcc, and speaking of the site:" in text

    done = ground.run("cron", "run", "SYNC", "--site", site)
    assert (done.returncode, done.stdout) == (0, "hi there 100%\n")
    assert (ground.site / "logs/sync.log").read_text() == "hi there 100%\n"
    bad = ground.run("cron", "run", "BAD", "--site", site)
    assert (bad.returncode, bad.stderr.splitlines()[-1]) == (1, "mcc: BAD ended with exit code 7")
    with subprocess.Popen(["flock", f"{site}/.mcc/cron.SYNC.lock", "cat"], stdin=subprocess.PIPE) as holder:
        while subprocess.run(["flock", "-n", f"{site}/.mcc/cron.SYNC.lock", "true"]).returncode == 0:
            assert holder.poll() is None
        skipped = ground.run("cron", "run", "SYNC", "--site", site)
        assert holder.stdin is not None
        holder.stdin.close()
    assert skipped.returncode == 4
    assert "SYNC: skipped, the run before has not ended" in skipped.stdout
    nothing = ground.run("cron", "run", "SNYC", "--site", site)
    assert (nothing.returncode, "did you mean SYNC?" in nothing.stderr) == (2, True)
