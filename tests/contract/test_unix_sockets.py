"""A service on a unix socket: what it answers there, and who is connected to it."""

from __future__ import annotations

import socket
import socketserver
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from mcc.host.http import RealHttp
from mcc.host.unix_sockets import count
from postboxes import serving


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = int(self.path.rpartition("/")[2].partition("?")[0])
        body = f"{self.path} for {self.headers['Host']} by {self.headers['X-Forwarded-Proto']}".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "7")
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return ""

    def log_message(self, format: str, *args: object) -> None:
        return None


@contextmanager
def listening(path: Path) -> Iterator[None]:
    with socketserver.ThreadingUnixStreamServer(str(path), _Handler) as server, serving(server):
        yield


def test_a_request_goes_to_the_socket_with_what_nginx_would_send_along(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    with listening(path):
        good = RealHttp().get("https://app.example.com/api/200?x=1", 5, path)
        bad = RealHttp().get("https://app.example.com:8443/api/503", 5, path)
    assert (good.status, good.url, good.ok) == (200, "https://app.example.com/api/200?x=1", True)
    assert (bad.status, bad.retry_after) == (503, "7")
    assert "/api/503 for app.example.com:8443 by https" in bad.reason


def test_a_redirect_is_an_answer(tmp_path: Path) -> None:
    with listening(tmp_path / "a.sock"):
        assert RealHttp().get("http://localhost/302", 5, tmp_path / "a.sock").status == 302


def test_nobody_there_is_an_answer_too(tmp_path: Path) -> None:
    missing = RealHttp().get("http://localhost/200", 5, tmp_path / "none.sock")
    assert (missing.status, missing.reason) == (0, f"{tmp_path}/none.sock: No such file or directory")
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "stale.sock"))
    stale.close()
    refused = RealHttp().get("http://localhost/200", 5, tmp_path / "stale.sock")
    assert (refused.status, "refused" in refused.reason) == (0, True)


def test_one_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "a.sock"))
        silent.listen()
        answer = RealHttp().get("http://localhost/200", 0.05, tmp_path / "a.sock")
    assert (answer.status, answer.reason) == (0, f"{tmp_path}/a.sock does not answer within 0.05 s")


def test_clients_are_counted_accepted_or_not(tmp_path: Path) -> None:
    path, http = tmp_path / "a.sock", RealHttp()
    assert http.connections(path) is None
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert http.connections(path) is None
        listener.listen()
        assert http.connections(path) == 0
        with socket.socket(socket.AF_UNIX) as waiting, socket.socket(socket.AF_UNIX) as served:
            served.connect(str(path))
            accepted, _ = listener.accept()
            with accepted:
                assert http.connections(path) == 1
                waiting.connect(str(path))
                assert http.connections(path) == 2
                served.close()
                assert http.connections(path) == 2  # until the service has seen it
        assert http.connections(tmp_path / "b.sock") is None
    assert http.connections(path) is None


def test_a_path_with_a_blank_is_one_path(tmp_path: Path) -> None:
    path = tmp_path / "my site.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert RealHttp().connections(path) == 0


@pytest.mark.parametrize("line", ["", "ffff: 00000002 00000000 00010000 0001 01 4711", "ffff: 2 0 10000 1 1 1 /b.sock"])
def test_lines_of_others_do_not_count(line: str) -> None:
    assert count([line], "/a.sock") is None
