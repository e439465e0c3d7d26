"""The embedded service manager, with a real supervisord and real services."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcc.errors import ServiceFailed, StepError
from mcc.host.commands import RealCommands
from mcc.host.embedded import Embedded, settings
from mcc.model.conf import EmbeddedService

# Ends on TERM as a good server does: answers what it has begun, leaves the rest in the socket.
SERVER = """
import os, signal, socket, sys
going = True
def stop(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, stop)
server = socket.socket(fileno=int(sys.argv[1]))
server.settimeout(0.01)
answer = os.environ.get("ANSWER", os.getcwd()).encode()
while going:
    try:
        client, _ = server.accept()
    except TimeoutError:
        continue
    client.settimeout(5)
    client.recv(65536)
    client.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(answer), answer))
    client.close()
"""
LOOKS_AROUND = """
import json, os, time
print(json.dumps({"cwd": os.getcwd(), "env": dict(os.environ), "pid": os.getpid(),
                  "fds": [fd for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd)]}),
      flush=True)
time.sleep(600)
"""

Make = Callable[..., Embedded]


def wait_for(what: Callable[[], object], limit: float = 15.0) -> None:
    deadline = time.monotonic() + limit
    while not what():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def python(code: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *arguments)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    for version in ("one", "two"):
        (tmp_path / "api" / version).mkdir(parents=True)
    (tmp_path / "current-api").symlink_to("api/one")
    return tmp_path


@pytest.fixture
def make(base: Path) -> Iterator[Make]:
    made: list[Embedded] = []

    def new(*services: EmbeddedService, at: Path = base, **options: object) -> Embedded:
        made.append(Embedded(at, services, RealCommands(), **options))  # type: ignore[arg-type]
        return made[-1]

    yield new
    for each in made:
        each.shutdown()


def free_address() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{unused.getsockname()[1]}"


def web(base: Path, listen: str | None = None) -> EmbeddedService:
    command = python(SERVER, "{SOCKET_FD}")
    return EmbeddedService("web.service", command, base / "current-api", listen or free_address())


def ask(service: EmbeddedService, timeout: float = 10.0) -> str:
    with urllib.request.urlopen(f"http://{service.listen}/", timeout=timeout) as answer:
        return str(answer.read().decode())


def seen_by(base: Path, name: str = "looks") -> dict[str, object]:
    log = base / "logs" / f"{name}.log"
    wait_for(lambda: log.exists() and log.read_text().endswith("}\n"))
    found: dict[str, object] = json.loads(log.read_text().splitlines()[-1])
    return found


def test_nothing_is_started_by_looking(base: Path, make: Make) -> None:
    service = web(base)
    manager = make(service)
    state = manager.state("web.service")
    assert (state.known, state.active, state.failed, state.start_id) == (True, False, False, "")
    assert not manager.state("other").known
    assert "not started" in manager.status("web.service")[0]
    manager.stop("web.service")
    assert not (base / ".mcc").exists()


def test_each_start_goes_to_the_folder_that_the_link_names_then(base: Path, make: Make) -> None:
    service = web(base)
    manager = make(service)
    manager.restart("web.service")
    assert ask(service) == str(base / "api" / "one")
    (base / "new").symlink_to("api/two")
    (base / "new").replace(base / "current-api")
    assert ask(service) == str(base / "api" / "one")
    manager.restart("web.service")
    assert ask(service) == str(base / "api" / "two")


def test_a_restart_is_a_new_start_and_time_counts_from_there(base: Path, make: Make) -> None:
    service = web(base)
    manager = make(service)
    manager.restart("web.service")
    first = manager.state("web.service")
    assert (first.active, first.failed) == (True, False)
    time.sleep(0.3)
    later = manager.state("web.service")
    assert later.start_id == first.start_id
    assert later.active_for is not None
    assert 0.2 < later.active_for < 10
    manager.restart("web.service")
    again = manager.state("web.service")
    assert again.start_id != first.start_id
    assert again.active_for is not None
    assert again.active_for < later.active_for


def test_under_constant_connections_a_restart_loses_none(base: Path, make: Make) -> None:
    service = web(base)
    manager = make(service)
    manager.restart("web.service")
    over, failures, counts = threading.Event(), [], [0] * 4

    def visit(number: int) -> None:
        while not over.is_set():
            try:
                ask(service)
                counts[number] += 1
            except OSError as error:
                failures.append(error)

    visitors = [threading.Thread(target=visit, args=(number,)) for number in range(4)]
    for visitor in visitors:
        visitor.start()
    for _ in range(3):
        time.sleep(0.1)
        manager.restart("web.service")
    wait_for(lambda: sum(counts) > 50)
    over.set()
    for visitor in visitors:
        visitor.join()
    assert failures == []


def test_clients_wait_while_the_service_is_stopped(base: Path, make: Make) -> None:
    service = web(base)
    manager = make(service)
    manager.restart("web.service")
    manager.stop("web.service")
    assert not manager.state("web.service").active
    answers: list[str] = []
    client = threading.Thread(target=lambda: answers.append(ask(service)))
    client.start()
    time.sleep(0.1)
    assert answers == []
    manager.restart("web.service")
    client.join(10)
    assert answers == [str(base / "api" / "one")]


def test_services_outlive_the_deploy_and_have_nothing_of_it(base: Path, make: Make) -> None:
    service = EmbeddedService("looks", python(LOOKS_AROUND), base / "current-api", environment=(("MINE", "1"),))
    manager = make(service)  # ends the daemon, whatever becomes of the test
    lock = base / "lock"
    program = f"""
import fcntl, os, sys
from pathlib import Path
from mcc.host.commands import RealCommands
from mcc.host.embedded import Embedded
from mcc.model.conf import EmbeddedService
lock = os.open({str(lock)!r}, os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
service = EmbeddedService("looks", {service.command!r}, Path({str(service.directory)!r}), None, (("MINE", "1"),))
commands = RealCommands((lock,), {{"MCC_RUN": "the-run"}})
Embedded(Path({str(base)!r}), [service], commands).restart("looks")
"""
    environment = {**os.environ, "PYTHONPATH": str(Path("src").resolve()), "SECRET_OF_THE_DEPLOY": "x"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, timeout=60, start_new_session=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    found = seen_by(base)
    assert sorted(found["fds"]) == ["0", "1", "2"]  # type: ignore[call-overload]
    names = set(found["env"])  # type: ignore[call-overload]
    assert "MINE" in names
    assert "PATH" in names
    assert not names & {"MCC_RUN", "SECRET_OF_THE_DEPLOY", "PYTHONPATH", "SUPERVISOR_ENABLED"}
    assert manager.state("looks").active
    daemon = int((base / ".mcc/embedded/supervisord.pid").read_text())
    assert b"MCC_RUN" not in Path(f"/proc/{daemon}/environ").read_bytes()
    assert not any(os.path.realpath(link) == str(lock) for link in Path(f"/proc/{daemon}/fd").iterdir()), (
        "the daemon holds the lock of the site"
    )
    assert os.getsid(daemon) not in (os.getsid(0), os.getpid())


def test_a_broken_command_is_a_failed_service_with_the_reason_in_its_log(base: Path, make: Make) -> None:
    service = EmbeddedService("web", (".venv/bin/none", "x"), base / "current-api")
    manager = make(service)
    manager.restart("web")
    wait_for(lambda: manager.state("web").failed)
    assert not manager.state("web").active
    assert manager.status("web")[-1] == ("mcc: web cannot be started: .venv/bin/none: No such file or directory")
    (base / "current-api").unlink()
    manager.restart("web")
    wait_for(lambda: manager.state("web").failed)
    assert str(base / "current-api") in manager.status("web")[-1]


def test_a_service_that_dies_at_once_has_failed_and_says_why(base: Path, make: Make) -> None:
    code = "import sys; sys.exit('no database')"
    manager = make(EmbeddedService("web", python(code), base))
    manager.restart("web")
    wait_for(lambda: manager.state("web").failed)
    first, *log = manager.status("web")
    assert "ended as soon as it was started" in first
    assert log[-1] == "no database"


def test_a_service_that_dies_later_comes_back_as_a_new_start(base: Path, make: Make) -> None:
    service = web(base)
    manager = make(service)
    manager.restart("web.service")
    wait_for(lambda: (manager.state("web.service").active_for or 0) > 1.3)
    first = manager.state("web.service")
    os.kill(int(first.start_id.split("-")[1]), signal.SIGKILL)
    assert ask(service) == str(base / "api" / "one")
    assert manager.state("web.service").start_id != first.start_id


def test_a_service_that_ignores_term_is_killed_with_its_children(base: Path, make: Make) -> None:
    code = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    print(os.getpid(), child, flush=True)
time.sleep(600)
"""
    manager = make(EmbeddedService("web", python(code), base), stop_timeout=1)
    manager.restart("web")
    log = base / "logs" / "web.log"
    wait_for(lambda: log.exists() and log.read_text())
    pids = [int(word) for word in log.read_text().split()]
    manager.stop("web")
    assert not manager.state("web").active
    wait_for(lambda: not any(alive(pid) for pid in pids), 5)


def test_what_a_service_leaves_behind_is_killed(base: Path, make: Make) -> None:
    code = """
import os, signal, time
child = os.fork()
if not child:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(os.getpid(), flush=True)
time.sleep(600)
"""
    manager = make(EmbeddedService("web", python(code), base))
    manager.restart("web")
    log = base / "logs" / "web.log"
    wait_for(lambda: log.exists() and log.read_text())
    manager.stop("web")
    wait_for(lambda: not alive(int(log.read_text())), 1)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_changed_definition_is_applied_by_the_next_restart_alone(base: Path, make: Make) -> None:
    service = web(base)
    other = EmbeddedService("other", python(LOOKS_AROUND), base)
    old = make(service, other)
    for name in ("web.service", "other"):
        old.restart(name)
    untouched = old.state("other").start_id
    changed = replace(service, environment=(("ANSWER", 'new; "100%" # $HOME'),))
    added = EmbeddedService("added", python(LOOKS_AROUND), base)
    said: list[str] = []
    new = make(changed, other, added, say=said.append)
    assert ask(service) == str(base / "api" / "one")
    new.restart("web.service")
    assert ask(service) == 'new; "100%" # $HOME'
    assert new.state("other").start_id == untouched
    assert new.state("added").words == "not started yet"
    new.restart("added")
    assert new.state("added").active
    assert said == []


def test_a_service_that_is_no_longer_in_the_conf_is_stopped(base: Path, make: Make) -> None:
    looks, service = EmbeddedService("looks", python(LOOKS_AROUND), base), web(base)
    old = make(service, looks)
    old.restart("looks")
    pid = int(str(seen_by(base)["pid"]))
    said: list[str] = []
    make(service, say=said.append).restart("web.service")
    assert not alive(pid)
    assert said == ["looks is no longer in the conf: it is stopped"]


def test_a_changed_address_starts_the_daemon_anew_and_says_so(base: Path, make: Make) -> None:
    service, other = web(base), EmbeddedService("other", python(LOOKS_AROUND), base)
    old = make(service, other)
    for name in ("web.service", "other"):
        old.restart(name)
    moved = replace(service, listen=free_address())
    said: list[str] = []
    new = make(moved, other, say=said.append)
    new.restart("web.service")
    assert ask(moved) == str(base / "api" / "one")
    assert len(said) == 1
    assert "listening addresses have changed" in said[0]
    assert new.state("other").active
    with pytest.raises(OSError, match="refused"):
        ask(service)


def test_an_address_that_is_taken_is_named(base: Path, make: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        manager = make(web(base, listen))
        with pytest.raises(StepError, match=f"cannot listen at {listen}: another program listens"):
            manager.check()
        assert not (base / ".mcc").exists()
        with pytest.raises(ServiceFailed, match=f"cannot listen at {listen}: another program listens"):
            manager.restart("web.service")


def test_addresses_that_the_daemon_holds_are_no_obstacle(base: Path, make: Make) -> None:
    manager = make(web(base))
    manager.check()
    manager.restart("web.service")
    manager.check()


def test_a_daemon_that_was_killed_leaves_nothing_and_is_started_again(base: Path, make: Make) -> None:
    service = web(base)
    manager = make(service)
    manager.restart("web.service")
    assert ask(service) == str(base / "api" / "one")
    pid = int(manager.state("web.service").start_id.split("-")[1])
    os.kill(int((base / ".mcc/embedded/supervisord.pid").read_text()), signal.SIGKILL)
    wait_for(lambda: not alive(pid))
    assert not manager.state("web.service").active
    manager.restart("web.service")
    assert ask(service) == str(base / "api" / "one")


def test_a_daemon_whose_socket_was_removed_is_replaced(base: Path, make: Make) -> None:
    service = web(base)
    manager = make(service)
    manager.restart("web.service")
    daemon = int((base / ".mcc/embedded/supervisord.pid").read_text())
    (base / ".mcc/embedded/s.sock").unlink()
    manager.restart("web.service")
    assert not alive(daemon)
    assert ask(service) == str(base / "api" / "one")


def test_two_restarts_at_once_start_one_daemon(base: Path, make: Make) -> None:
    names = ("a", "b", "c")
    manager = make(*(EmbeddedService(name, python(LOOKS_AROUND), base) for name in names))
    threads = [threading.Thread(target=manager.restart, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(manager.state(name).active for name in names)


def test_shutdown_ends_everything_and_twice_is_fine(base: Path, make: Make) -> None:
    service = web(base)
    manager = make(service)
    manager.restart("web.service")
    pid = int(manager.state("web.service").start_id.split("-")[1])
    daemon = int((base / ".mcc/embedded/supervisord.pid").read_text())
    manager.shutdown()
    manager.shutdown()
    assert not alive(pid)
    assert not alive(daemon)
    with pytest.raises(OSError, match="refused"):
        ask(service)


def test_a_long_and_odd_path_works(base: Path, make: Make) -> None:
    odd = base / ('a very; long # folder\'s 100% "name" ' * 4)
    (odd / "api").mkdir(parents=True)
    (odd / "current-api").symlink_to("api")
    service = web(odd)
    manager = make(service, at=odd)
    manager.restart("web.service")
    assert ask(service) == str(odd / "api")
    private = Path((odd / ".mcc/embedded/socket-folder").read_text())
    assert private.stat().st_mode & 0o777 == 0o700
    manager.shutdown()
    assert not private.exists()


def test_a_missing_supervisor_names_the_extra(base: Path) -> None:
    class WithoutSupervisor(RealCommands):
        def run(self, words: Sequence[str], **options: object) -> object:  # type: ignore[override]
            # -S: no site-packages, so neither supervisor nor anything else that was installed
            mapping = {"PYTHONPATH": str(Path("src").resolve())}
            return super().run([words[0], "-S", *words[1:]], **{**options, "env": mapping})  # type: ignore[arg-type]

    manager = Embedded(base, [web(base)], WithoutSupervisor())
    for attempt in (manager.check, lambda: manager.restart("web.service")):
        with pytest.raises(StepError, match="needs the package supervisor") as caught:
            attempt()
        assert caught.value.help == 'pip install "mcc-deploy[demo]"'


def test_a_service_that_is_not_in_the_conf_is_refused(base: Path, make: Make) -> None:
    with pytest.raises(ServiceFailed, match=r"typo is not among the services of the conf \(web.service\)"):
        make(web(base)).restart("typo")


def test_definitions_may_hold_secrets_and_are_closed_to_others(base: Path, make: Make) -> None:
    manager = make(web(base))
    manager.restart("web.service")
    folder = base / ".mcc" / "embedded"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "services" / "web.service.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("listen", "found"),
    [("127.0.0.1:8000", ("127.0.0.1", 8000)), ("[::1]:80", ("::1", 80)), ("localhost:1", ("localhost", 1))],
)
def test_addresses(listen: str, found: tuple[str, int]) -> None:
    assert settings.address(listen) == found


@pytest.mark.parametrize("listen", ["8000", ":8000", "127.0.0.1:", "127.0.0.1:99999", "a:b", ""])
def test_what_is_no_address(listen: str) -> None:
    with pytest.raises(StepError, match="is no address"):
        settings.address(listen)


@given(st.lists(st.text(min_size=1), unique=True))
def test_any_name_is_a_program_and_a_file_of_its_own(names: list[str]) -> None:
    slugs = [settings.slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all("/" not in slug and slug not in (".", "..") for slug in slugs)
