"""An application for all that lasts, slow answers, uploads, WebSockets, event streams, and what its visitors do.

It is plain ASGI, for uvicorn and gunicorn. A request that waits does so until a test lets it go on, so that no test
depends on how long a deploy takes.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from box import shop
from box.harness import box_root, until
from box.notes import EXAMPLE
from box.slotted import CONF, Site

PATIENCE = 120.0
"""Seconds that a visitor waits at most, on a machine that is busy."""
_TEXT, _PING, _PONG = 0x81, 0x89, 0x8A  # whole frames (RFC 6455)
STREAMING = {**CONF, "DATABASE": "none", "APP_SERVER": "uvicorn", "API_PORT": "", "STAGE": "prod"}

_APP = '''
"""Says which version it is, and how much of what was sent has come."""
import asyncio, hashlib, json, os, pathlib

VERSION = "THE VERSION"
DATA = pathlib.Path(os.environ.get("DATA_DIR", "."))


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "websocket":
        await talk(receive, send)
    elif scope["path"].endswith("/events"):
        await events(receive, send)
    else:
        await answer(scope, receive, send)


async def talk(receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": f"{VERSION} {message['text']}"})


async def events(receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    await receive()
    gone = asyncio.ensure_future(receive())
    while not gone.done():
        await send({"type": "http.response.body", "body": b"data: %s\\n\\n" % VERSION.encode(), "more_body": True})
        await asyncio.wait([gone], timeout=0.1)


async def answer(scope, receive, send):
    body, size, more = hashlib.sha256(), 0, True
    while more:
        part = await receive()
        body.update(part.get("body", b""))
        size += len(part.get("body", b""))
        more = part.get("more_body", False)
    if scope["path"].endswith("/wait"):
        (DATA / "waits").touch()
        while not (DATA / "go").exists():
            await asyncio.sleep(0.05)
    text = json.dumps({"version": VERSION, "size": size, "body": body.hexdigest(), "pid": os.getpid()}).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": text})
'''


def output(folder: Path, version: str) -> Path:
    """An output folder of that version."""
    made = shop.project(folder)
    (made / "api/main.py").write_text(_APP.replace("THE VERSION", version))
    for name in ("config.yml", "conf-prod.yml"):
        (made / name).write_text((EXAMPLE / name).read_text())
    return made


@dataclass(frozen=True, slots=True)
class Streaming(Site):
    """The application in two slots, set up by ``mcc provision``."""

    def let_go(self) -> None:
        """The requests that wait may be answered."""
        self.box.exec(["touch", f"{self.base}/data/go"], "www-data")

    def until_one_waits(self) -> None:
        """Return when the application has got a request that waits."""
        until(lambda: self.box.exists(f"{self.base}/data/waits"), "a request that waits", PATIENCE)

    def line(self) -> Line:
        """A new connection, by https."""
        context = ssl.create_default_context(cafile=str(box_root() / "keys/ca.crt"))
        plain = socket.create_connection((self.box.ip, 443), PATIENCE)
        return Line(context.wrap_socket(plain, server_hostname=self.domains[0]), self.domains[0])


class Line:
    """One connection of one visitor. Everything that is not as it should be raises an error."""

    def __init__(self, line: ssl.SSLSocket, host: str) -> None:
        self._line, self._host = line, host
        self._stream = line.makefile("rb")

    def close(self) -> None:
        self._stream.close()
        self._line.close()

    def begin(self, path: str, body: bytes | None = None, sent: int | None = None) -> None:
        """Ask, and do not wait for the answer; of ``body`` only so much is sent."""
        method, more = ("GET", "") if body is None else ("POST", f"Content-Length: {len(body)}\r\n")
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n{more}\r\n"
        self._line.sendall(head.encode() + (body or b"")[:sent])

    def send(self, data: bytes) -> None:
        self._line.sendall(data)

    def answer(self) -> Any:
        """What the application says, whole; the connection stays."""
        head = self._head(200)
        size = next(int(each[15:]) for each in head if each.startswith("content-length:"))
        body = self._stream.read(size)
        assert len(body) == size, (size, body)
        return json.loads(body)

    def ask(self, path: str) -> Any:
        self.begin(path)
        return self.answer()

    # ---- what has no end

    def listen(self, path: str) -> Line:
        """Begin an event stream."""
        self.begin(path)
        self._head(200)
        return self

    def event(self) -> str:
        """The next event that there is; empty when the stream has ended."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while line := self._stream.readline():
                if line.startswith(b"data: "):
                    return line[6:].decode().strip()
        return ""

    def connect(self, path: str) -> Line:
        """Begin a WebSocket (RFC 6455)."""
        key = base64.b64encode(os.urandom(16)).decode()
        more = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13"
        self._line.sendall(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n{more}\r\n\r\n".encode())
        self._head(101)
        return self

    def say(self, word: str) -> str:
        """What comes back over the WebSocket."""
        self._frame(_TEXT, word.encode())
        return self.hear()

    def hear(self) -> str:
        """The next message; empty when the WebSocket is closed."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while len(head := self._stream.read(2)) == 2 and head[0] in (_TEXT, _PING):
                data = self._stream.read(head[1])
                if head[0] == _TEXT:
                    return data.decode()
                self._frame(_PONG, data)
        return ""

    def _frame(self, kind: int, data: bytes) -> None:
        self._line.sendall(bytes([kind, 0x80 | len(data)]) + bytes(4) + data)

    def _head(self, status: int) -> list[str]:
        first = self._stream.readline().decode()
        assert first.split()[1:2] == [str(status)], first or "the connection was closed before an answer"
        lines = []
        while (line := self._stream.readline()) not in (b"\r\n", b""):
            lines.append(line.decode().strip().lower())
        return lines


@contextlib.contextmanager
def lines(site: Streaming, number: int) -> Iterator[list[Line]]:
    """So many connections, closed at the end."""
    made = [site.line() for _ in range(number)]
    try:
        yield made
    finally:
        for line in made:
            line.close()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
