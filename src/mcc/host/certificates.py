"""The certificate that an https server shows."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime

from mcc.host.http import socket_reason, tls_reason
from mcc.host.senses import Certificate

_EXPIRED, _NOT_YET, _WRONG_NAME = 10, 9, 62  # X509_V_ERR_… of OpenSSL


def certificate(domain: str, timeout: float, port: int = 443) -> Certificate:
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
            return Certificate(domain, "good", _until(connection))
    except ssl.SSLCertVerificationError as error:
        return _not_verified(error, domain, where)
    except ssl.SSLError as error:
        return Certificate(domain, "unreachable", None, tls_reason(error, where))
    except OSError as error:
        return Certificate(domain, "unreachable", None, socket_reason(error, where, timeout))


def _not_verified(error: ssl.SSLCertVerificationError, domain: str, where: str) -> Certificate:
    reason = tls_reason(error, where)
    if error.verify_code in (_EXPIRED, _NOT_YET):
        return Certificate(domain, "expired", None, reason)
    return Certificate(domain, "wrong-name" if error.verify_code == _WRONG_NAME else "not-trusted", None, reason)


def _until(connection: ssl.SSLSocket) -> datetime | None:
    shown = connection.getpeercert()
    end = shown.get("notAfter") if shown else None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(end), UTC) if isinstance(end, str) else None
