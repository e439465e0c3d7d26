"""Listening sockets."""

from __future__ import annotations

import errno
import socket
import time

from mcc.errors import StepError
from mcc.host.embedded.settings import address

_BACKLOG = 2048  # the kernel takes less where net.core.somaxconn is less (listen(2))


def open_socket(listen: str, patience: float = 0.0) -> socket.socket:
    """A socket that listens at ``127.0.0.1:8000``.

    ``patience``: seconds to wait for whoever listens there. Raises StepError with the reason.
    """
    host, port = address(listen)
    deadline = time.monotonic() + patience
    while True:
        try:
            return _bound(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise StepError(f"cannot listen at {listen}: {_reason(error)}") from error
            time.sleep(0.1)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    server = socket.socket(family, socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((host, port))
        server.listen(_BACKLOG)
    except OSError:
        server.close()
        raise
    return server


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program listens there already"
    return error.strerror or str(error)
