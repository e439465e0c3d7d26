"""A release with a service: what a visitor gets when the next one fails, or its deploy is killed."""

from __future__ import annotations

import os
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.ground import Ground, Running, wait_for
from mcc.host.commands import RealCommands
from mcc.host.embedded import Embedded

pytest.importorskip("supervisor", reason="the embedded service manager is an extra")
pytestmark = pytest.mark.slow

PASSWORD = "swordfish-of-1932"
SERVES = """\
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(("one " + os.environ["DB_PASSWORD"]).encode())

    def log_message(self, *words):
        pass

http.server.HTTPServer(("127.0.0.1", {port}), Handler).serve_forever()
"""
DIES = "import os, sys\nsys.exit('no database with ' + os.environ['DB_PASSWORD'])\n"
HANGS = "import pathlib, time\npathlib.Path({began!r}).touch()\ntime.sleep(600)\n"
CONF = """\
SERVICE_MANAGER: embedded
SERVICE_NAME: web.service
API_PORT: {port}
HEALTH_PATH: /
STABLE_FOR: 0.5
DB_PASSWORD: {password}
EMBEDDED_SERVICES:
  web.service:
    command: [{python}, main.py]
    directory: current-api/api
    environment: {{DB_PASSWORD: "{{{{DB_PASSWORD}}}}"}}
"""


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Ground]:
    """A release that serves. Every test leaves it so: that is what each of them is about."""
    ground = Ground(tmp_path_factory.mktemp("served"))
    ground.conf(*CONF.format(port=port, password=PASSWORD, python=sys.executable).splitlines())
    ground.write("api/main.py", SERVES.format(port=port))
    try:
        ground.good()
        yield ground
    finally:
        Embedded(ground.site, (), RealCommands()).shutdown()


def ask(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        return str(answer.read().decode())


def in_the_cut_over(served: Ground) -> Path:
    """The file that a release makes when its service has been started, and before it could answer."""
    began = served.folder / "began"
    began.unlink(missing_ok=True)
    served.write("api/main.py", HANGS.format(began=str(began)))
    return began


def kill(*pids: int) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def both(running: Running) -> tuple[int, int]:
    return running.guardian, running.runner


def test_a_release_that_dies_is_taken_back_and_its_log_is_shown_without_secrets(served: Ground, port: int) -> None:
    live = served.link("current-api")
    served.write("api/main.py", DIES)
    done = served.deploy()
    assert done.returncode == 1, done.stdout
    assert "| no database with ***" in done.stdout
    assert PASSWORD not in done.stdout + done.stderr
    assert served.link("current-api") == live
    assert ask(port) == f"one {PASSWORD}"


def test_a_deploy_that_goes_back_starts_the_service_as_it_was_started_before(served: Ground, port: int) -> None:
    """With its former variables, although the conf has others by now."""
    (served.site / "logs/web.log").unlink(missing_ok=True)  # it may hold the password that the conf then has no more
    conf = served.output / "conf-prod.yml"
    before = conf.read_text()
    conf.write_text(before.replace(PASSWORD, "another password"))
    served.write("api/main.py", DIES)
    done = served.deploy()
    conf.write_text(before)
    assert done.returncode == 1, done.stdout
    assert ask(port) == f"one {PASSWORD}"


def test_a_runner_that_is_killed_while_the_service_starts_leaves_the_old_one_serving(served: Ground, port: int) -> None:
    live, began = served.link("current-api"), in_the_cut_over(served)
    with served.start() as running:
        wait_for(began.exists)
        kill(running.runner)
        done = running.end()
    assert done.returncode == 1
    assert "restarting web.service with the code as it was" in done.stdout
    assert "code:      as before" in done.stdout
    assert served.link("current-api") == live
    assert ask(port) == f"one {PASSWORD}"


def test_the_sites_own_mcc_brings_the_old_service_back_when_both_are_killed(served: Ground, port: int) -> None:
    """What the service is started with, its secrets too, does not come from the journal, which has none."""
    live, began = served.link("current-api"), in_the_cut_over(served)
    with served.start() as running:
        wait_for(began.exists)
        kill(*both(running))
        running.end()
    assert served.link("current-api") != live
    done = served.run("recover", "--site", str(served.site), program=(str(served.site / ".mcc/bin/mcc"),))
    assert (done.returncode, done.stderr) == (0, "")
    assert served.link("current-api") == live
    assert ask(port) == f"one {PASSWORD}"


def test_the_password_of_a_service_stands_only_where_it_is_started_from(served: Ground) -> None:
    """And in the conf that was deployed, as it was written: in files that nobody else can read."""
    files = [path for path in (served.site / ".mcc").rglob("*") if path.is_file() and "tool" not in path.parts]
    holding = [path for path in files if PASSWORD.encode() in path.read_bytes()]
    started_from, *confs = sorted(holding, key=lambda path: path.suffix)
    assert started_from == served.site / ".mcc/embedded/services/web.service.json"
    assert {path.parent for path in confs} == {served.site / ".mcc/conf"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in holding)
    assert started_from.parent.parent.stat().st_mode & 0o077 == 0
