"""Becomes a service: supervisord starts this file, which ends in exec.

A copy of it lies beside the daemon, and it uses the standard library alone, so that services can
be started again whatever became of the environment that mcc was installed in. What it does at
each start, a configuration of supervisor could only say once, or not safely: the folder behind a
link, a log file, the listening socket.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

_LARGEST_LOG = 50 * 1024 * 1024
_SOCKET = 3  # where systemd's protocol puts the first socket (sd_listen_fds(3))
_PR_SET_PDEATHSIG = 1  # prctl(2)
_NOT_STARTED = 127


def main() -> NoReturn:
    """Read the definition that the first argument names, and become that service."""
    definition = json.loads(Path("services", sys.argv[1] + ".json").read_text())
    held = json.loads(Path("held.json").read_text())
    _open_log(Path(definition["log"]))
    try:
        _become(definition, held)
    except OSError as error:
        place = error.filename or definition["command"][0]
        sys.stderr.write(f"mcc: {definition['name']} cannot be started: {place}: {error.strerror}\n")
        sys.stderr.flush()
    os._exit(_NOT_STARTED)


def _become(definition: dict[str, Any], held: dict[str, int]) -> None:
    _die_with_the_daemon()
    command, environment = list(definition["command"]), _environment()
    if definition["listen"]:
        os.dup2(held[definition["listen"]], _SOCKET, inheritable=True)
        command = [word.replace("{SOCKET_FD}", str(_SOCKET)) for word in command]
        environment |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
    os.closerange(_SOCKET + 1 if definition["listen"] else _SOCKET, 1 << 16)
    environment |= definition["environment"]
    os.chdir(definition["directory"])
    os.execvpe(command[0], command, environment)  # noqa: S606 - no shell is meant


def _environment() -> dict[str, str]:
    """The daemon's own, without what is meant for the daemon."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("SUPERVISOR_", "PYTHON", "LISTEN_"))
    }


def _open_log(path: Path) -> None:
    """Send the output to the end of the log; one that has grown too large is put aside first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LARGEST_LOG:
        path.replace(path.with_name(path.name + ".1"))
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


def _die_with_the_daemon() -> None:
    """A daemon that is killed leaves no service behind that nobody manages."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != int(Path("supervisord.pid").read_text()):
            os._exit(_NOT_STARTED)  # it died before we asked


if __name__ == "__main__":
    main()
