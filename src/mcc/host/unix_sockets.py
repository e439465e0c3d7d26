"""Unix sockets of services: asking over one, and counting who is connected to it."""

from __future__ import annotations

import http.client
import socket as sockets
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from mcc.host.ports import Answer

_TABLE = Path("/proc/net/unix")
_EXCERPT = 300  # bytes of an error page that are shown
_ACCEPTS = 0x10000  # __SO_ACCEPTCON of the kernel: the flags of whoever listens


def get(url: str, socket: Path, timeout: float, user_agent: str) -> Answer:
    """One GET, with the headers that nginx sends along; never raises for what the other side does."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    name = parts.hostname or "localhost"
    headers = {
        "Host": parts.netloc.rpartition("@")[2] or name, "X-Domain": name, "X-Forwarded-Host": name,
        "X-Forwarded-Proto": parts.scheme, "User-Agent": user_agent, "Accept": "*/*", "Connection": "close",
    }  # fmt: skip
    connection = _Connection(socket, timeout)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return Answer(url, response.status, _reason(response), response.headers.get("Retry-After", ""))
    except TimeoutError:
        return Answer(url, 0, f"{socket} does not answer within {timeout:g} s")
    except (OSError, http.client.HTTPException) as error:
        return Answer(url, 0, f"{socket}: {getattr(error, 'strerror', None) or error or type(error).__name__}")
    finally:
        connection.close()


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _reason(response: http.client.HTTPResponse) -> str:
    if response.status < 400 or "html" in response.headers.get("Content-Type", ""):
        return response.reason
    excerpt = " ".join(response.read1(_EXCERPT).decode("utf-8", "replace").split())
    return f"{response.reason}: {excerpt}" if excerpt else response.reason


def connections(socket: Path) -> int | None:
    """By the kernel's table (proc_net_unix(5)), which needs no rights: what ``ss -x`` shows."""
    return count(_TABLE.read_text(errors="surrogateescape").splitlines()[1:], str(socket))


def count(lines: Iterable[str], path: str) -> int | None:
    """Clients of the socket ``path``, those that nobody has accepted yet included; None if nobody listens.

    Each client has a line with the path of whom it is connected to; so has the listener.
    """
    rows = [row for line in lines if len(row := line.split(maxsplit=7)) == 8 and row[7] == path]
    listeners = [row for row in rows if int(row[3], 16) & _ACCEPTS]
    return len(rows) - len(listeners) if listeners else None
