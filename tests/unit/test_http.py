"""Asking real servers, over http and https."""

from __future__ import annotations

import http.server
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcc.host.http import RealHttp


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        match self.path:
            case "/moved":
                self.answer(302, Location="/there")
            case "/loop":
                self.answer(302, Location="/loop")
            case "/moved-and-broken":
                self.answer(302, Location="/broken")
            case "/broken":
                self.answer(500, b'{"detail":\n "database is locked"}')
            case "/page":
                self.answer(503, b"<html>long</html>", Content_Type="text/html")
            case "/resting":
                self.answer(503, b"<html>", Content_Type="text/html", Retry_After="120")
            case "/slow":
                threading.Event().wait(1.0)
            case "/hangs-up":
                self.close_connection = True
            case "/agent":
                self.answer(200 if self.headers["User-Agent"] == "mcc" else 400)
            case _:
                self.answer(200, b"x" * 100_000)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients here hang up on purpose


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with serving() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def certificate(folder: Path, *options: str, name: str = "localhost") -> ssl.SSLContext:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", *options],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def expired(folder: Path) -> ssl.SSLContext:
    """A certificate that ended in 2021: openssl ca takes dates, in every version."""
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
        "policy=p\nx509_extensions=x\n[p]\ncommonName=supplied\n[x]\nsubjectAltName=DNS:localhost\n"
    )
    (folder / "index.txt").touch()
    (folder / "serial").write_text("01\n")
    for words in (
        "req -new -newkey rsa:2048 -nodes -keyout key.pem -out r.pem -subj /CN=localhost",
        "ca -batch -config ca.cnf -selfsign -keyfile key.pem -in r.pem -out cert.pem -notext "
        "-startdate 20200101000000Z -enddate 20210101000000Z",
    ):
        subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def test_a_good_answer(site: str) -> None:
    answer = RealHttp().get(site + "/", 5)
    assert (answer.ok, answer.status, answer.reason, answer.url) == (True, 200, "OK", site + "/")


def test_redirects_are_followed_to_the_end(site: str) -> None:
    answer = RealHttp().get(site + "/moved", 5)
    assert answer.ok
    assert answer.reason == f"OK (from {site}/there, after a redirect)"


def test_redirects_without_end(site: str) -> None:
    answer = RealHttp().get(site + "/loop", 5)
    assert (answer.status, answer.reason) == (0, "more than 10 redirects")


def test_a_bad_status_shows_what_the_application_says(site: str) -> None:
    answer = RealHttp().get(site + "/broken", 5)
    assert answer.status == 500
    assert answer.reason == 'Internal Server Error: {"detail": "database is locked"}'
    assert f"from {site}/broken" in RealHttp().get(site + "/moved-and-broken", 5).reason


def test_markup_is_left_out(site: str) -> None:
    assert RealHttp().get(site + "/page", 5).reason == "Service Unavailable"


def test_no_answer_in_time(site: str) -> None:
    answer = RealHttp().get(site + "/slow", 0.1)
    assert answer.status == 0
    assert answer.reason.endswith("does not answer within 0.1 s")


def test_closed_without_an_answer(site: str) -> None:
    assert RealHttp().get(site + "/hangs-up", 5).reason.endswith("closed the connection without an answer")


def test_nobody_listens(free_port: int) -> None:
    answer = RealHttp().get(f"http://127.0.0.1:{free_port}/", 5)
    assert answer.reason == f"127.0.0.1:{free_port} refuses the connection: nobody listens there"


def test_a_name_that_nobody_knows() -> None:
    assert RealHttp().get("http://no-such-host.invalid/", 5).reason == ("the name of no-such-host.invalid is not known")


@pytest.mark.parametrize("url", ["http://", "http://[::1/", "nonsense", "ftp://localhost/", "http://a b/"])
def test_nonsense_is_an_answer_too(url: str) -> None:
    answer = RealHttp().get(url, 1)
    assert answer.status == 0
    assert answer.reason


def test_it_says_who_asks(site: str) -> None:
    assert RealHttp().get(site + "/agent", 5).ok


def test_proxies_of_the_environment_are_not_used(site: str, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port}")
    assert RealHttp().get(site + "/", 5).ok


def test_threads_may_share_it(site: str) -> None:
    asking = RealHttp()
    with ThreadPoolExecutor(20) as pool:
        assert all(answer.ok for answer in pool.map(lambda _: asking.get(site + "/", 10), range(60)))


def test_an_own_authority_is_trusted_by_ssl_cert_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(certificate(tmp_path)) as port:
        url = f"https://localhost:{port}/"
        assert RealHttp().get(url, 5).reason == (
            f"the certificate of localhost:{port} is not trusted: it is signed by itself"
        )
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        assert RealHttp().get(url, 5).ok


def test_an_expired_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(expired(tmp_path)) as port:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        assert RealHttp().get(f"https://localhost:{port}/", 5).reason == (
            f"the certificate of localhost:{port} has expired"
        )


def test_a_certificate_for_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(certificate(tmp_path, name="example.org")) as port:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        reason = RealHttp().get(f"https://localhost:{port}/", 5).reason
        assert "not valid for 'localhost'" in reason


def test_https_asked_of_a_plain_server(site: str) -> None:
    reason = RealHttp().get(site.replace("http:", "https:") + "/", 5).reason
    assert reason.endswith("does not speak TLS")


def test_tcp_says_whether_somebody_listens(site: str, free_port: int) -> None:
    port = int(site.rpartition(":")[2])
    assert RealHttp().tcp("127.0.0.1", port, 5) == ""
    assert "nobody listens" in RealHttp().tcp("127.0.0.1", free_port, 5)


def test_a_503_that_says_when_to_ask_again_is_an_answer_and_nothing_to_wait_for() -> None:
    with serving() as port:
        answer = RealHttp().get(f"http://127.0.0.1:{port}/resting", 5.0)
    assert (answer.status, answer.retry_after, answer.reason) == (503, "120", "Service Unavailable")
