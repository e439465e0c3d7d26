"""The certificate that an https server shows."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from typing import Literal

from mcc.host.http import socket_reason, tls_reason

_EXPIRED, _NOT_YET, _WRONG_NAME = 10, 9, 62  # X509_V_ERR_… of OpenSSL


def certificate(
    domain: str, port: int, timeout: float
) -> tuple[Literal["good", "expired", "not-trusted", "wrong-name", "unreachable"], datetime | None, str]:
    """How a visitor's browser would judge it, until when it is valid, and why it is not. Never raises.

    The system's authorities count, and those of ``SSL_CERT_FILE``.
    """
    where = domain if port == 443 else f"{domain}:{port}"
    context = ssl.create_default_context()
    try:
        with (
            socket.create_connection((domain, port), timeout) as plain,
            context.wrap_socket(plain, server_hostname=domain) as connection,
        ):
            return "good", _until(connection), ""
    except ssl.SSLCertVerificationError as error:
        reason = tls_reason(error, where)
        if error.verify_code in (_EXPIRED, _NOT_YET):
            return "expired", None, reason
        return ("wrong-name" if error.verify_code == _WRONG_NAME else "not-trusted"), None, reason
    except ssl.SSLError as error:
        return "unreachable", None, tls_reason(error, where)
    except OSError as error:
        return "unreachable", None, socket_reason(error, where, timeout)


def _until(connection: ssl.SSLSocket) -> datetime | None:
    shown = connection.getpeercert()
    end = shown.get("notAfter") if shown else None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(end), UTC) if isinstance(end, str) else None
