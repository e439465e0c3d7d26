"""Asking web addresses, as a visitor does."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from mcc.host import unix_sockets
from mcc.host.ports import Answer

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

_REDIRECTS = 10
_EXCERPT = 300  # bytes of an error page that are shown


class RealHttp:
    """One GET for each call, over a connection of its own; threads may share the object.

    Certificates are checked against the system's authorities; ``SSL_CERT_FILE`` and
    ``SSL_CERT_DIR`` are honoured. Proxies from the environment are not used: the question is
    whether the site itself answers, not whether somebody between has a copy. Nothing is tried a
    second time; that is for the caller, who has the deadline.
    """

    def __init__(self, user_agent: str = "mcc") -> None:
        self._user_agent = user_agent
        self._pool: PoolManager | None = None
        self._making = threading.Lock()

    def get(self, url: str, timeout: float, socket: Path | None = None) -> Answer:
        """Ask once, with redirects followed. ``timeout``: seconds for each connection and answer.

        The reason of a bad status is the server's phrase with the first words of its answer.
        """
        if socket is not None:
            return unix_sockets.get(url, socket, timeout, self._user_agent)
        from urllib3.exceptions import HTTPError

        if not url.lower().startswith(("http://", "https://")):
            return Answer(url, 0, _no_address(url))
        try:
            return self._get(url, timeout)
        except HTTPError as error:
            return Answer(url, 0, _plain(error, url, timeout))
        except (ValueError, OSError) as error:
            return Answer(url, 0, f"{url} cannot be asked: {error}")

    def tcp(self, host: str, port: int, timeout: float) -> str:
        """Whether somebody accepts a connection: an empty text, or the reason why not."""
        try:
            socket.create_connection((host, port), timeout).close()
        except OSError as error:
            return socket_reason(error, f"{host}:{port}", timeout)
        return ""

    def connections(self, socket: Path) -> int | None:
        return unix_sockets.connections(socket)

    def _get(self, url: str, timeout: float) -> Answer:
        from urllib3 import Retry, Timeout

        response = self._manager().request(
            "GET",
            url,
            headers={"User-Agent": self._user_agent, "Accept": "*/*", "Connection": "close"},
            timeout=Timeout(total=timeout),
            # A 503 that says when to ask again is an answer, and nothing to wait for.
            retries=Retry(connect=0, read=0, other=0, status=0, redirect=_REDIRECTS, respect_retry_after_header=False),
            preload_content=False,
        )
        try:
            return Answer(url, response.status, _reason(url, response), response.headers.get("Retry-After", ""))
        finally:
            # Not drained: a stream without end must not hold up a smoke test.
            response.close()

    def _manager(self) -> PoolManager:
        # Late: the library and the system's certificates take a tenth of a second to load, which
        # commands that ask nobody should not pay.
        from urllib3 import PoolManager

        with self._making:
            if self._pool is None:
                self._pool = PoolManager(ssl_context=ssl.create_default_context())
            return self._pool


def _reason(url: str, response: BaseHTTPResponse) -> str:
    words = response.reason or ""
    final = response.geturl()
    if final and response.retries is not None and response.retries.history:
        words = f"{words} (from {_absolute(url, final)}, after a redirect)".lstrip()
    if response.status < 400:
        return words
    excerpt = " ".join(_excerpt(response).split())
    return ": ".join(part for part in (words, excerpt) if part)


def _absolute(url: str, final: str) -> str:
    from urllib.parse import urljoin

    return urljoin(url, final)


def _excerpt(response: BaseHTTPResponse) -> str:
    from urllib3.exceptions import HTTPError

    if "html" in response.headers.get("Content-Type", ""):
        return ""  # markup says little in one line
    try:
        return response.read1(_EXCERPT).decode("utf-8", "replace")
    except (HTTPError, OSError):
        return ""


def _no_address(url: str) -> str:
    return f"{url} is not an address that can be asked"


def _plain(error: Exception, url: str, timeout: float) -> str:
    """What went wrong, in the words of somebody who runs a site."""
    from urllib3 import exceptions as wrong
    from urllib3.util import parse_url

    if isinstance(error, wrong.LocationParseError):
        return _no_address(url)
    where = parse_url(url).netloc or url
    if isinstance(error, wrong.MaxRetryError):
        if isinstance(error.reason, wrong.ResponseError):
            return f"more than {_REDIRECTS} redirects"
        return _plain(error.reason, url, timeout) if error.reason else str(error)
    if isinstance(error, wrong.NameResolutionError):
        return f"the name of {where} is not known"
    if isinstance(error, wrong.NewConnectionError):  # before the next one: it is one of these
        return _below(error, where, timeout)
    if isinstance(error, wrong.ConnectTimeoutError):
        return f"{where} accepts no connection within {timeout:g} s"
    if isinstance(error, wrong.TimeoutError):
        return f"{where} does not answer within {timeout:g} s"
    return _below(error, where, timeout)


def _below(error: Exception, where: str, timeout: float) -> str:
    """Reasons that lie below HTTP: in what an error of urllib3 was raised from."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return tls_reason(cause, where)
        if isinstance(cause, OSError):
            return socket_reason(cause, where, timeout)
    return f"{where}: {error}"


def _causes(error: BaseException) -> list[BaseException]:
    """An error with all that it carries or was raised from, outermost first."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting:
        each = waiting.pop(0)
        if each in found:
            continue
        found.append(each)
        waiting += [argument for argument in each.args if isinstance(argument, BaseException)]
        waiting += [cause for cause in (each.__cause__, each.__context__) if cause is not None]
    return found


_NOT_TRUSTED = {
    18: "it is signed by itself",
    19: "its chain ends in an authority that this machine does not know",
    20: "its issuer is not known to this machine",
    21: "its issuer's certificate is not sent along",
}  # the numbers are X509_V_ERR_… of OpenSSL


def tls_reason(error: ssl.SSLError, where: str) -> str:
    """Why there is no TLS connection, in the words of somebody who runs a site."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
            return f"{where} does not speak TLS"
        return f"no TLS connection to {where}: {error.reason or error}"
    if error.verify_code == 10:
        return f"the certificate of {where} has expired"
    if error.verify_code == 9:
        return f"the certificate of {where} is not valid yet"
    if error.verify_code in _NOT_TRUSTED:
        return f"the certificate of {where} is not trusted: {_NOT_TRUSTED[error.verify_code]}"
    return f"the certificate of {where} is not accepted: {error.verify_message}"


def socket_reason(error: OSError, where: str, timeout: float) -> str:
    """The same for a connection below TLS."""
    if isinstance(error, TimeoutError):
        return f"{where} accepts no connection within {timeout:g} s"
    if isinstance(error, socket.gaierror):
        return f"the name of {where} is not known"
    if isinstance(error, ConnectionRefusedError):
        return f"{where} refuses the connection: nobody listens there"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        # http.client's RemoteDisconnected is one too
        return f"{where} closed the connection without an answer"
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return f"there is no way to {where} from this machine"
    return f"{where}: {error.strerror or error}"
