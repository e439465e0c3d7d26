"""The parts of the demo, and once the whole of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import SHUT_RDWR, create_server

import pytest

from mcc.demo.client import Request, Unanswered, Visitor
from mcc.demo.deploys import event_in
from mcc.demo.load import KINDS, Job
from mcc.demo.material import find_material, free_ports
from mcc.demo.measure import Asked, figures
from mcc.demo.programs import run
from mcc.demo.shim_sqlite3 import main as sqlite3_command
from mcc.demo.shim_sudo import main as sudo_command
from mcc.demo.shims import place_shims
from mcc.demo.side import Side
from mcc.demo.stop import remove
from mcc.demo.tree import tree
from mcc.demo.workshop import make_folder
from mcc.errors import CommandFailed, SiteError

DEMO = [sys.executable, "-P", "-m", "mcc", "demo"]


# Counting


def asked(start: float, end: float, reason: str = "", visitor: str = "a", kind: str = "GET") -> Asked:
    return Asked(kind, visitor, 0.1, start, end, reason)


def test_a_pause_is_counted_between_good_answers_beyond_the_visitors_own_rest() -> None:
    counted = figures([asked(n / 10, n / 10) for n in (1, 2, 3, 13, 14, 15)], 0.0, 1.6)
    assert counted.longest_pause == pytest.approx(0.9)
    assert not counted.still_down


def test_a_pause_that_outlasts_the_window_is_said_to_go_on() -> None:
    counted = figures([asked(0.1, 0.1), asked(0.2, 5.2, "no answer")], 0.0, 3.0)
    assert counted.longest_pause == pytest.approx(2.8)
    assert counted.still_down


def test_one_visitor_who_gets_answers_does_not_hide_another_who_waits() -> None:
    happy = [asked(n / 10, n / 10) for n in range(30)]
    counted = figures([*happy, asked(0.1, 2.5, visitor="b")], 0.0, 3.0)
    assert counted.longest_pause == pytest.approx(2.4)


def test_a_request_belongs_to_the_window_in_which_it_began_with_its_whole_wait() -> None:
    counted = figures([asked(0.5, 9.0), asked(1.0, 1.1), asked(-0.1, 0.2)], 0.0, 1.0)
    assert (counted.asked, counted.longest_wait) == (1, 8.5)


def test_failures_are_counted_by_kind_and_by_reason_with_the_first_time() -> None:
    requests = [asked(12, 13, "refused"), asked(11, 12, "refused"), asked(13, 14, "late", kind="POST"), asked(13, 13)]
    counted = figures(requests, 10.0, 20.0)
    assert (counted.asked, counted.failed, dict(counted.failed_by_kind)) == (4, 3, {"GET": 2, "POST": 1})
    assert counted.reasons == [("GET: refused", 2, 1.0), ("POST: late", 1, 3.0)]


def test_a_window_without_requests_counts_nothing() -> None:
    counted = figures([], 0.0, 1.0)
    assert (counted.asked, counted.failed, counted.longest_wait, counted.longest_pause) == (0, 0, 0.0, 0.0)


# Visitors


@contextmanager
def server(answers: list[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """Each connection gets the next bytes for each request it sends, and is closed after empty ones."""
    got: list[bytes] = []
    with closing(create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    while answers and (request := connection.recv(4096)):
                        got.append(request)
                        answer = answers.pop(0)
                        connection.sendall(answer)
                        if not answer:
                            break

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listening.getsockname()[1]), got
        listening.shutdown(SHUT_RDWR)
        thread.join(5)


GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def visit(port: int, *requests: Request) -> list[bool]:
    async def ask() -> list[bool]:
        visitor = Visitor(port)
        try:
            return [await visitor.ask(request) for request in requests]
        finally:
            visitor.leave()

    return asyncio.run(ask())


GET, POST = Request("GET", "/", "a.test"), Request("POST", "/", "a.test", b"{}")


def test_a_get_on_a_kept_connection_that_is_closed_in_use_is_asked_once_more() -> None:
    with server([GOOD, b"", GOOD]) as (port, got):
        assert visit(port, GET, GET) == [False, True]
    assert len(got) == 3


def test_a_get_is_not_asked_a_third_time() -> None:
    with server([GOOD, b"", b""]) as (port, _), pytest.raises(Unanswered, match="twice"):
        visit(port, GET, GET)


def test_a_post_is_never_sent_twice() -> None:
    with server([GOOD, b"", GOOD]) as (port, got):
        with pytest.raises(Unanswered, match="kept connection closed"):
            visit(port, POST, POST)
        assert len(got) == 2


def test_a_new_connection_that_is_closed_without_an_answer_is_a_failure() -> None:
    with server([b"", GOOD]) as (port, _), pytest.raises(Unanswered, match="closed without an answer"):
        visit(port, GET)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "status 503"),
        (b"nonsense\r\n", "middle of an answer"),
    ],
)
def test_a_bad_answer_is_a_failure(answer: bytes, words: str) -> None:
    with server([answer]) as (port, _), pytest.raises(Unanswered, match=words):
        visit(port, GET)


def test_nobody_there_is_a_refusal() -> None:
    with pytest.raises(ConnectionRefusedError):
        visit(free_ports(1)[0], GET)


class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def hello() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hello) as served:
        served.daemon_threads = True
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield served.server_port
        served.shutdown()
        thread.join()


def test_the_load_stops_by_itself_and_writes_down_every_kind_of_visitor(tmp_path: Path) -> None:
    """A page whose style sheet is gone is a failure; everything else is answered."""
    (tmp_path / "current-ui").mkdir()
    (tmp_path / "current-ui/index.html").write_text('<link href="/assets/style.0123abcd.css">')
    record = tmp_path / "record"
    with hello() as port:
        job = Job(port, ("a.test",), str(tmp_path), str(record), seconds=1.2)
        with subprocess.Popen(
            job.words(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            out, err = process.stdout.read(), process.stderr.read()
    assert process.returncode == 0, err
    rows = [json.loads(line) for line in record.read_text().splitlines()]
    assert {row["kind"] for row in rows} == set(KINDS)
    assert {row["kind"]: row["reason"] for row in rows if row["reason"]} == {
        "page from current-ui": "current-ui/assets/style.*.css was missing (from nginx: 404)"
    }
    assert json.loads(out.splitlines()[-1]).keys() == {"asked", "failed", "waiting"}


def test_the_load_ends_when_its_parent_does(tmp_path: Path) -> None:
    job = Job(free_ports(1)[0], ("a.test",), str(tmp_path), str(tmp_path / "record"), patience=1)
    done = subprocess.run(job.words(), stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
    assert done.returncode == 0  # else it would go on, and be killed by the limit


# Stand-ins


def test_sqlite3_runs_files_with_triggers_and_prints_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database, file = str(tmp_path / "d.db"), tmp_path / "a.sql"
    file.write_text(
        "CREATE TABLE t (x); CREATE TABLE log (x);\n-- a; comment\n"
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.x); INSERT INTO log VALUES (';'); END;\n"
        "INSERT INTO t VALUES (1)"
    )
    assert sqlite3_command([database, f".read {file}"]) == 0
    assert sqlite3_command([database, "SELECT COUNT(*), NULL FROM log"]) == 0
    assert capsys.readouterr().out == "2|\n"


def test_sqlite3_goes_on_after_an_error_and_says_so_at_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "d.db"
    assert sqlite3_command([str(database), "CREATE TABLE t (x); INSERT INTO no VALUES (1); INSERT INTO t VALUES (1)"])
    assert "no such table: no" in capsys.readouterr().err
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [(1,)]


@pytest.mark.parametrize("words", [["chown", "-R", "a:b", "/"], ["/bin/systemctl", "restart", "other"], []])
def test_sudo_does_nothing_but_what_the_demo_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert sudo_command([str(tmp_path), "1", *words]) == 1
    assert "does not allow" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_crontab_is_a_file_of_the_demo(tmp_path: Path) -> None:
    side = Side("mcc", tmp_path / "it's", 1, {})
    assert place_shims(side) == ("crontab",)
    command = side.tools / "crontab"
    empty = subprocess.run([command, "-l"], capture_output=True, text=True)
    assert (empty.returncode, empty.stderr) == (1, "no crontab for demo\n")
    subprocess.run([command, "-"], input="# a\n", text=True, check=True)
    assert subprocess.run([command, "-l"], capture_output=True, text=True).stdout == "# a\n"
    subprocess.run([command, "-r"], check=True)
    assert not side.crontab.exists()


# Folder, programs, drawing


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(SiteError, match="is not empty"):
        make_folder(tmp_path)
    with pytest.raises(SiteError, match="is not the folder of a demo"):
        remove(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_kept_demo_says_how_it_is_ended_and_its_command_ends_it(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "demo")
    with pytest.raises(SiteError) as refused:
        make_folder(folder)
    assert f"{folder}/stop" in refused.value.help
    subprocess.run([folder / "stop"], check=True)
    assert not folder.exists()


def test_an_empty_folder_that_was_there_before_stays(tmp_path: Path) -> None:
    remove(make_folder(tmp_path), itself=False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SiteError, match="cannot use"):
        make_folder(tmp_path / "file")


def test_a_program_is_ended_with_its_children_when_the_demo_is(tmp_path: Path) -> None:
    async def cut_short() -> None:
        words = ["sh", "-c", "sleep 300 & echo $!; wait"]
        lines: list[str] = []
        task = asyncio.create_task(
            run(words, cwd=tmp_path, env=dict(os.environ), log=tmp_path / "log", on_line=lines.append)
        )
        while not lines:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(100):
            if not Path(f"/proc/{lines[0]}").exists():
                return
            await asyncio.sleep(0.05)
        pytest.fail("the child is still there")

    asyncio.run(cut_short())


def test_a_program_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="no-such-program cannot be started"):
        asyncio.run(run(["no-such-program"], cwd=tmp_path, env={"PATH": ""}, log=tmp_path / "log"))


@pytest.mark.parametrize("line", ["", "words", "3", "[]", '{"a": 1}'])
def test_only_json_objects_with_an_event_are_events(line: str) -> None:
    assert event_in(line) is None


def test_a_tree_shows_links_and_counts_what_it_does_not_show(tmp_path: Path) -> None:
    (tmp_path / "api/v1/deep").mkdir(parents=True)
    (tmp_path / "api/v1/deep/a").touch()
    (tmp_path / "data.db-wal").touch()
    (tmp_path / "now").symlink_to("api/v1")
    assert list(tree(tmp_path, 2)) == ["├── api/", "│   └── v1/  (1 file)", "└── now -> api/v1"]


def test_the_material_is_found_in_a_checkout() -> None:
    material = find_material()
    assert (material.application / "mcc_build.py").is_file()
    assert material.script.name == "mcc_deploy.py"
    assert "127.0.0.1" in material.environment(Path("/first"))["NO_PROXY"]


# The whole


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    variables = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    words = [*DEMO, "--folder", str(folder), *more]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables)


def processes_of(folder: Path) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            place = str((path / "cwd").readlink())
        except OSError:
            continue
        if str(folder) in words or place.startswith(str(folder)):
            found.append(words)
    return found


@pytest.mark.slow
@pytest.mark.network
def test_the_demo_shows_two_sides_and_leaves_nothing(tmp_path: Path) -> None:
    """Version 2 is live, the broken version 3 is undone, both sides are counted, all is cleaned up."""
    folder = tmp_path / "demo"
    process = start(folder)
    out, err = process.communicate(timeout=280)
    assert process.returncode == 0, out + err
    rows = {match[1].strip(): match[2].split() for match in re.finditer(r"^ (\w.*?)  +(\d.*)$", out, re.M)}
    assert rows["exit code of the deploy"] == ["0", "0", "1", "1"]
    mcc_2, script_2, mcc_3, script_3 = (int(number.replace(",", "")) for number in rows["requests"])
    assert min(mcc_2, script_2, mcc_3, script_3) > 300
    assert rows["jobs in the crontab"] == ["2", "4"]
    assert re.search(r"served afterwards +version 2 +version 2 +version 2 +nothing", out)
    assert "No module named 'shared.release_notes'" in out
    assert "mcc: version 2 went live, the broken version 3 was undone, version 2 is served" in out
    assert not folder.exists()
    assert processes_of(folder) == []


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "demo"
    process = start(folder)
    assert process.stdout is not None
    for line in process.stdout:
        if "cut-over  restart" in line:
            break
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, out + err
    assert "the demo was ended before its time" in err
    assert "Traceback" not in out + err
    assert not folder.exists()
    assert processes_of(folder) == []


@pytest.mark.slow
@pytest.mark.network
def test_a_kept_demo_goes_on_serving_until_it_is_stopped(tmp_path: Path) -> None:
    """The installed wheel has all that the demo needs; here the checkout."""
    folder = tmp_path / "demo"
    process = start(folder, "--keep")
    out, err = process.communicate(timeout=280)
    assert process.returncode == 0, out + err
    status = subprocess.run(
        [folder / "mcc/site/.mcc/bin/mcc", "status", "--site", folder / "mcc/site"], capture_output=True, text=True
    )
    assert "build #2 from main" in status.stdout
    if shutil.which("curl"):
        url = re.search(r"curl (http\S+)", out)
        assert url is not None
        answer = subprocess.run(["curl", "-s", url[1]], capture_output=True, text=True)
        assert json.loads(answer.stdout)["version"] == "2"
    subprocess.run([folder / "stop"], check=True)
    assert not folder.exists()
    assert processes_of(folder) == []
