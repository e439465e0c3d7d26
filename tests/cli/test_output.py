"""What people and programs get to read: plain lines, JSON lines, a live view; and a plan."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.ground import LIMIT, MCC, Done, Ground, contents, is_one_message, wait_for

ESCAPE = "\x1b"
FAILS = "INSERT INTO nowhere VALUES (1)"


def events(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


# For a log


@pytest.mark.slow
def test_a_log_gets_a_line_a_step_and_the_result_at_the_end(live: Ground) -> None:
    done = live.good()
    lines = done.stdout.splitlines()
    assert lines[0] == f"deploy prod -> {live.site}"
    assert re.fullmatch(r"build #7 from main @ c0ffee00 becomes vrs-\S+", lines[1])
    assert re.fullmatch(r"done in \d+\.\d s: vrs-\S+ is live", lines[-1])
    assert lines.index("  ---------- committed") > max(n for n, line in enumerate(lines) if "cut-over" in line)
    assert ESCAPE not in done.stdout
    assert done.stderr == ""


@pytest.mark.slow
def test_a_failure_is_told_with_its_reason_and_in_two_facts(live: Ground) -> None:
    live.migration("001_fails", FAILS)
    done = live.deploy()
    assert done.returncode == 1
    assert re.search(r"FAILED +.*001_fails\.sql:1: no such table: nowhere", done.stdout)
    assert re.search(r"code: +as before \(vrs-\S+ is live\)\n +databases: as before\n$", done.stdout)
    assert done.stderr == ""


@pytest.mark.slow
def test_an_encoding_that_lacks_letters_stops_nothing(live: Ground) -> None:
    live.variables["PYTHONIOENCODING"] = "ascii"
    live.write("scripts/größe.sh", "#!/bin/sh\n")
    (live.output / os.fsdecode(b"scripts/\xff.sh")).write_text("#!/bin/sh\n")  # a name in no encoding at all
    assert r"gr\xf6\xdfe.sh" in live.good().stdout
    assert events(live.good("--format", "jsonl"))[-1]["result"] == "done"


@pytest.mark.slow
def test_what_stands_in_a_commit_does_not_reach_the_terminal_as_a_command(live: Ground) -> None:
    live.write("build_info.yml", 'branch: main\ncommit_sha: "\\e[2J\\e[31m"\n')
    assert ESCAPE not in live.good().stdout


# For a program


def test_every_line_for_a_program_is_json_and_the_last_one_says_how_it_ended(live: Ground) -> None:
    done = live.good("--format", "jsonl")
    told = events(done)
    assert told[0]["event"] == "run_started"
    assert [told[-1][key] for key in ("event", "result", "exit_code")] == ["run_ended", "done", 0]
    titles = [event["title"] for event in told if event["event"] == "step_done"]
    assert titles == told[0]["steps"]
    assert done.stderr == ""


@pytest.mark.slow
def test_the_record_of_a_run_holds_the_same_lines(live: Ground) -> None:
    done = live.good("--format", "jsonl")
    record = live.site / f".mcc/runs/{events(done)[0]['run']}.jsonl"
    assert record.read_text() == done.stdout


def test_a_failure_ends_with_the_exit_code_that_its_last_line_says(live: Ground) -> None:
    live.migration("001_fails", FAILS)
    done = live.deploy("--format", "jsonl")
    told = events(done)
    assert [told[-1][key] for key in ("event", "result", "exit_code")] == ["run_ended", "failed", done.returncode]
    assert {"step_failed", "step_undone"} < {event["event"] for event in told}
    assert done.stderr == ""


@pytest.mark.slow
def test_a_refusal_is_no_json_but_a_message_on_standard_error(live: Ground) -> None:
    live.conf("API_PORT: 99999")
    done = live.deploy("--format", "jsonl")
    assert (done.returncode, done.stdout) == (2, "")
    assert is_one_message(done.stderr)


# A plan


@pytest.mark.parametrize("new", [True, False], ids=["new-site", "live-site"])
def test_a_plan_touches_nothing(new: bool, ground: Ground, first: Ground) -> None:
    if not new:
        ground.site = first.site
        ground.conf()
    ground.migration("001_notes")
    before = ground.traces()
    done = ground.good("--plan")
    assert ground.traces() == before
    assert done.stdout.endswith("\nnothing was changed\n")
    assert "migrate   data.db: 1 pending" in done.stdout


@pytest.mark.slow
def test_a_plan_has_the_steps_that_the_deploy_then_takes(live: Ground) -> None:
    live.migration("001_notes")
    (plan,) = events(live.good("--plan", "--format", "jsonl"))
    assert plan["event"] == "plan"
    taken = events(live.good("--format", "jsonl"))[0]["steps"]
    assert [re.sub(r"vrs-\S+", "", step["title"]) for step in plan["steps"]] == [
        re.sub(r"vrs-\S+", "", title) for title in taken
    ]
    assert [step["phase"] for step in plan["steps"] if step["after_commit"]] == ["record", "prune", "prune"]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["a path", "a database", "a name"])
def test_a_plan_is_refused_as_its_deploy_would_be(how: str, live: Ground) -> None:
    if how == "a path":
        live.conf(base="/" + "x" * 300)
    elif how == "a database":
        (live.site / "data.db").write_text("no database")
        live.migration("001_notes")
    else:
        live.conf("DOMAINS: [../../etc]")
    before = live.traces()
    planned, deployed = live.deploy("--plan"), live.deploy()
    assert (planned.returncode, deployed.returncode) == (2, 2)
    assert (planned.stdout, planned.stderr) == ("", deployed.stderr)
    assert is_one_message(planned.stderr)
    assert live.traces() == before


# Readers that went away


@pytest.mark.parametrize("format", ["plain", pytest.param("jsonl", marks=pytest.mark.slow)])
def test_a_reader_that_goes_away_does_not_change_what_becomes_of_a_deploy(format: str, live: Ground) -> None:
    words = [*MCC, "deploy", "--stage", "prod", "--format", format]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        words, cwd=live.output, env=live.environment, stdout=write, stderr=subprocess.PIPE, text=True, timeout=LIMIT
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
    assert live.page() == "<h1>two</h1>\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "redirection", [">/dev/full", ">&-", ">&- 2>&-", "<&- >&- 2>&-"], ids=["full", "no-1", "no-1-2", "no-0-1-2"]
)
def test_a_deploy_without_standard_output_goes_through(redirection: str, live: Ground) -> None:
    program = ("sh", "-c", f'exec "$@" {redirection}', "sh", *MCC)
    done = live.run("deploy", "--stage", "prod", program=program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert live.page() == "<h1>two</h1>\n"
    assert json.loads((live.site / ".mcc/lock").read_text())["what"] == "deploy --stage prod"


@pytest.mark.slow
@pytest.mark.parametrize("words", [["schema"], ["status", "--site", "."], ["deploy", "--stage", "prod", "--plan"]])
def test_an_answer_that_cannot_be_written_is_a_failure(words: list[str], live: Ground) -> None:
    done = live.run(*words, program=("sh", "-c", 'exec "$@" >/dev/full', "sh", *MCC))
    assert (done.returncode, done.stderr) == (2, "mcc: No space left on device\n")


# A terminal


@dataclass
class Terminal:
    """A process that believes that a person looks on."""

    process: subprocess.Popen[bytes]
    master: int
    text: str = ""

    def press(self, key: str) -> None:
        os.write(self.master, key.encode())

    def hang_up(self) -> None:
        os.close(self.master)
        self.master = -1

    def read(self) -> bool:
        """Read what is there; False when the other side is closed."""
        try:
            part = os.read(self.master, 65536)
        except OSError:  # EIO: nobody holds the other side any more
            return False
        self.text += part.decode()
        return bool(part)

    def end(self) -> int:
        while self.master >= 0 and self.read():
            pass
        return self.process.wait(LIMIT)


@contextmanager
def terminal(ground: Ground, *words: str, kind: str = "xterm") -> Iterator[Terminal]:
    master, slave = os.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", *MCC, "deploy", "--stage", "prod", *words], cwd=ground.output,
        env={**ground.environment, "TERM": kind, "COLUMNS": "100"}, stdin=slave, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    shown = Terminal(process, master)
    try:
        yield shown
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(LIMIT)
        if shown.master >= 0:
            os.close(shown.master)


def test_in_a_terminal_the_steps_are_shown_live(live: Ground) -> None:
    with terminal(live) as shown:
        assert shown.end() == 0
    assert ESCAPE in shown.text
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.text)
    assert re.search(r"✓ cut-over +current-ui -> ui/vrs-", text)
    assert re.search(r"done in \d+\.\d s: vrs-\S+ is live", text)


@pytest.mark.slow
def test_a_terminal_that_can_do_nothing_gets_plain_lines(live: Ground) -> None:
    with terminal(live, kind="dumb") as shown:
        assert shown.end() == 0
    assert ESCAPE not in shown.text
    assert "✓" not in shown.text
    assert "---------- committed" in shown.text


PROBE = "import pathlib, time\npathlib.Path({began!r}).touch()\ntime.sleep(600)\n"


@pytest.fixture
def slow(live: Ground) -> Ground:
    """The release in the output is probed for as long as it likes, and says when that began."""
    live.python()
    live.conf("PROBE: api.slow")
    live.write("api/slow.py", PROBE.format(began=str(live.folder / "began")))
    return live


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_undoes_the_deploy(slow: Ground) -> None:
    before = contents(slow.site)
    with terminal(slow) as shown:
        wait_for((slow.folder / "began").exists)
        shown.press("\x03")
        assert shown.end() == 1
    assert "interrupted by Ctrl-C" in shown.text
    assert "Traceback" not in shown.text
    assert contents(slow.site) == before


@pytest.mark.slow
def test_a_terminal_that_is_closed_undoes_the_deploy(slow: Ground) -> None:
    before = contents(slow.site)
    with terminal(slow) as shown:
        wait_for((slow.folder / "began").exists)
        shown.hang_up()
        assert shown.end() == 1
    assert contents(slow.site) == before
    assert slow.ledger()[-1]["error"] == "interrupted by SIGHUP"


# Secrets

SECRETS = {
    "DB_PASSWORD": "pass-word-of-db",
    "env": "from-environment",
    ".env": "from-dot-env",
    "file": "from-a-file",
}


@pytest.fixture
def secretive(live: Ground) -> Ground:
    """A conf with secrets of every kind; some of them stand in an address that nobody answers."""
    live.conf(
        f"DB_PASSWORD: {SECRETS['DB_PASSWORD']}", 'A: "{{env:VALUE_A}}"', 'B: "{{env:VALUE_B}}"',
        'C: "{{file:value.txt}}"', 'ALL: "{{DB_PASSWORD}} {{A}} {{B}} {{C}}"',
        'SMOKE_URLS: ["http://{{A}}:{{DB_PASSWORD}}@127.0.0.1:1/{{B}}"]', "SMOKE_TIMEOUT: 0.1",
    )  # fmt: skip
    live.variables["VALUE_A"] = SECRETS["env"]
    (live.site / ".env").write_text(f"VALUE_B={SECRETS['.env']}\n")
    (live.site / "value.txt").write_text(f"{SECRETS['file']}\n")
    return live


def shown_in(text: str) -> list[str]:
    return [name for name, secret in SECRETS.items() if secret in text]


def kept(ground: Ground) -> str:
    """All that mcc knows of a site, but for its own program and the conf, which is kept as it was written."""
    files = [path for path in (ground.site / ".mcc").rglob("*") if path.is_file() and "tool" not in path.parts]
    files = [path for path in files if path.parent != ground.site / ".mcc/conf"]
    return "\n".join(path.read_text() for path in files)


@pytest.mark.parametrize("format", ["plain", "jsonl"])
@pytest.mark.parametrize("plan", [pytest.param(True, marks=pytest.mark.slow), False], ids=["plan", "deploy"])
def test_secrets_show_nowhere(format: str, plan: bool, secretive: Ground) -> None:
    """Not in a plan, nor when a step fails whose title and reason hold them, nor in what is kept."""
    secretive.write(f"scripts/{SECRETS['file']}.sh", "#!/bin/sh\n")
    done = secretive.deploy("--format", format, *(["--plan"] if plan else []))
    assert done.returncode == (0 if plan else 1)
    assert "***" in done.stdout
    assert shown_in(done.stdout + done.stderr + kept(secretive)) == []


@pytest.mark.slow
def test_secrets_show_neither_in_the_journal_nor_in_the_arguments_of_a_command(secretive: Ground) -> None:
    """Looked at while the run is in the middle."""
    secretive.python()
    secretive.conf("PROBE: api.slow")
    secretive.write("api/slow.py", PROBE.format(began=str(secretive.folder / "began")))
    with secretive.start() as running:
        wait_for((secretive.folder / "began").exists)
        arguments = [Path(f"/proc/{pid}/cmdline").read_text() for pid in running.all]
        journal = kept(secretive)
    assert len(arguments) == 3
    assert '"begin":' in journal
    assert shown_in(journal + "".join(arguments)) == []


@pytest.mark.slow
def test_a_secret_in_the_words_of_a_command_is_refused(secretive: Ground) -> None:
    secretive.conf('UV_SYNC_ARGS: ["--index", "https://u:{{DB_PASSWORD}}@pypi.example.com"]')
    done = secretive.deploy()
    assert done.returncode == 2
    assert "UV_SYNC_ARGS" in done.stderr
    assert is_one_message(done.stderr)
    assert shown_in(done.stderr) == []


@pytest.mark.slow
def test_a_secret_in_a_message_about_the_conf_is_hidden(secretive: Ground) -> None:
    secretive.conf('DOMAINS: ["{{A}}/{{C}}"]', 'API_PORT: "{{DB_PASSWORD}}"')
    done = secretive.deploy()
    assert done.returncode == 2
    assert is_one_message(done.stderr)
    assert shown_in(done.stderr) == []
