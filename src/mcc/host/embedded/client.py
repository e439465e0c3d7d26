"""Talking to supervisord: XML-RPC over its unix socket, with a time limit."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcc.errors import StepError

MANAGER = "the site's own service manager"
"""What the daemon is called in messages."""

# supervisor.xmlrpc.Faults
BAD_NAME, NOT_RUNNING, ALREADY_STARTED = 10, 70, 60


class NotRunning(Exception):
    """Nobody listens at the daemon's socket."""


class Fault(Exception):
    """supervisord says no; ``code`` as in supervisor.xmlrpc.Faults."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Process:
    """What supervisord knows of one program; times in whole seconds since the epoch."""

    slug: str
    state: str
    pid: int
    start: int
    now: int
    error: str
    exit_code: int


class Client:
    """One daemon; its socket's path is None if it never ran.

    Each call is a connection of its own, so threads may share a client, and raises NotRunning if
    there is no daemon, and StepError if it does not answer.
    """

    def __init__(self, socket_path: Path | None, timeout: float = 10.0) -> None:
        self._path = socket_path
        self._timeout = timeout

    def pid(self) -> int:
        return int(self._call("supervisor.getPID"))

    def processes(self) -> dict[str, Process]:
        """All programs, by slug."""
        found = self._call("supervisor.getAllProcessInfo")
        return {info["group"]: _process(info) for info in found}

    def start(self, slug: str) -> None:
        self._call("supervisor.startProcess", slug, False)

    def stop(self, slug: str) -> None:
        """Ask a program to stop; one that does not run is fine."""
        try:
            self._call("supervisor.stopProcess", slug, False)
        except Fault as fault:
            if fault.code not in (NOT_RUNNING, BAD_NAME):
                raise

    def reread(self) -> None:
        self._call("supervisor.reloadConfig")

    def add(self, slug: str) -> None:
        self._call("supervisor.addProcessGroup", slug)

    def remove(self, slug: str) -> None:
        self._call("supervisor.removeProcessGroup", slug)

    def shutdown(self) -> None:
        """Stop all programs, then the daemon; returns at once."""
        self._call("supervisor.shutdown")

    def _call(self, method: str, *arguments: Any) -> Any:
        if self._path is None:
            raise NotRunning
        proxy = xmlrpc.client.ServerProxy(
            "http://localhost/RPC2", transport=_Transport(self._path, self._timeout), use_builtin_types=True
        )
        try:
            with proxy:
                return getattr(proxy, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            raise Fault(int(fault.faultCode), str(fault.faultString)) from fault
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NotRunning from error
        except (OSError, http.client.HTTPException, xmlrpc.client.Error) as error:
            raise StepError(f"{MANAGER} does not answer: {error or 'no reason'}") from error


def _process(info: dict[str, Any]) -> Process:
    return Process(
        slug=info["group"],
        state=info["statename"],
        pid=info["pid"],
        start=info["start"],
        now=info["now"],
        error=info["spawnerr"],
        exit_code=info["exitstatus"],
    )


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self.timeout)
        try:
            connection.connect(str(self._path))
        except OSError:
            connection.close()
            raise
        self.sock = connection


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__(use_builtin_types=True)
        self._only = _Connection(path, timeout)

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        return self._only

    def close(self) -> None:
        self._only.close()
