"""Starts the daemon: ``python -m mcc.host.embedded.daemon FOLDER ADDRESS…``.

Takes the lock, opens the listening sockets, and leaves supervisord running with them, as a daemon
that has nothing of its parent: no session, no descriptor, no variable of a deploy. Ends with 0 as
soon as that is done; with 1 and one line if it cannot be.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn

from mcc.errors import StepError
from mcc.host.embedded.home import Home
from mcc.host.embedded.settings import FIRST_DESCRIPTOR
from mcc.host.embedded.sockets import open_socket

_LOCK_LIMIT = 5.0  # seconds
_PORT_LIMIT = 15.0  # seconds for services whose daemon was killed to let go of their sockets
_KEPT_VARIABLES = (
    "HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "LANGUAGE", "TZ", "TMPDIR", "SSL_CERT_FILE",
    "SSL_CERT_DIR", "LD_LIBRARY_PATH",
)  # fmt: skip
_SUPERVISORD = "from supervisor.supervisord import main; main()"


def main() -> None:
    """Start the daemon of the folder in the first argument; the rest are addresses to listen at."""
    folder, *listen = sys.argv[1:]
    _close_descriptors()
    try:
        home = Home(Path(folder))
        _take_lock(home)
        # A daemon that ends by itself removes its pid file.
        patience = _PORT_LIMIT if home.pid.exists() else 0.0
        home.held.write_text(json.dumps(_listen(listen, patience)))
    except StepError as error:
        sys.stderr.write(error.message + "\n")
        raise SystemExit(1) from error
    _leave_running(home)


def _close_descriptors() -> None:
    os.closerange(3, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 16))


def _take_lock(home: Home) -> None:
    descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _LOCK_LIMIT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StepError("another service manager runs for this site already") from None
            time.sleep(0.05)
    _raise(descriptor)


def _listen(addresses: Iterable[str], patience: float) -> dict[str, int]:
    return {each: _raise(open_socket(each, patience).detach()) for each in addresses}


def _raise(descriptor: int) -> int:
    """Move a descriptor above those that supervisord closes; it is inherited from there."""
    number = fcntl.fcntl(descriptor, fcntl.F_DUPFD, FIRST_DESCRIPTOR)
    os.close(descriptor)
    return number


def _leave_running(home: Home) -> None:
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    _become_supervisord(home)


def _become_supervisord(home: Home) -> NoReturn:
    # A new program, not just a cleared os.environ: /proc/PID/environ shows what exec was given.
    null = os.open(os.devnull, os.O_RDWR)
    log = os.open(home.logs[0], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for number, source in enumerate((null, log, log)):
        os.dup2(source, number)
    for extra in {null, log} - {0, 1, 2}:
        with contextlib.suppress(OSError):
            os.close(extra)
    os.umask(0o022)
    os.chdir(home.folder)
    words = [sys.executable, "-P", "-c", _SUPERVISORD, "-n", "-c", home.conf.name]
    os.execve(sys.executable, words, _environment(os.environ))  # noqa: S606 - no shell is meant


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """What a service may know of the machine; PYTHONPATH is the daemon's and ends with it."""
    kept = (*_KEPT_VARIABLES, "PYTHONPATH")
    return {name: value for name, value in variables.items() if name in kept or name.startswith(("LC_", "XDG_"))}


if __name__ == "__main__":
    try:
        import supervisor  # noqa: F401
    except ImportError:
        raise SystemExit(77) from None
    main()
