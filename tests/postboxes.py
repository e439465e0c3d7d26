"""Where messages arrive: a web hook, a mail server, and a server that never answers."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Postbox:
    """``messages`` are the bodies that came, in order."""

    port: int
    messages: list[Any] = field(default_factory=list)


@contextlib.contextmanager
def web_hook(status: int = 200) -> Iterator[Postbox]:
    """Takes JSON, and answers with that status."""
    box = Postbox(0)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            box.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, serving(server):
        box.port = server.server_address[1]
        yield box


@contextlib.contextmanager
def mail_server() -> Iterator[Postbox]:
    """Takes mail as RFC 5321 has it, as far as a client needs."""
    box = Postbox(0)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 here")
            for line in self.rfile:
                word = line[:4].upper()
                if word == b"DATA":
                    self._say("354 go on")
                    body = b"".join(iter(self.rfile.readline, b".\r\n"))
                    box.messages.append(body.decode())
                self._say("221 bye" if word == b"QUIT" else "250 ok")
                if word == b"QUIT":
                    return

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server, serving(server):
        box.port = server.server_address[1]
        yield box


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """Accepts connections and says nothing; the answer is its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextlib.contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    """It answers in a thread of its own, which has ended afterwards."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
