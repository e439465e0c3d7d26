"""What the daemon is told: its configuration and the services' definitions, as text."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path

from mcc.core.layout import Site
from mcc.errors import StepError
from mcc.model.conf import EmbeddedService

FIRST_DESCRIPTOR = 200
"""The daemon's listening sockets and its lock have numbers from here on.

supervisord closes the descriptors below ``minfds`` in each child (and when it reloads), so what
lies above is handed on; child.py closes there what is not the service's own.
"""

# autostart is off: only what was asked for is started. startretries 10: the pauses between the
# tries grow by a second each, so a service that waits for its database has about a minute.
_DAEMON = """\
[supervisord]
nodaemon=true
silent=true
minfds={first}
minprocs=1
umask=022
nocleanup=true
childlogdir=%(here)s
logfile=%(here)s/supervisord.log
logfile_maxbytes=1MB
logfile_backups=1
pidfile=%(here)s/supervisord.pid

[unix_http_server]
file={socket}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

_PROGRAM = """
[program:{slug}]
command=./python -I -S child.py {slug}
autostart=false
autorestart=true
startsecs=1
startretries=10
stopsignal=TERM
stopwaitsecs={stop_seconds}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile=NONE
"""


def slug(name: str) -> str:
    """A service's name as supervisor and a file name can take it."""
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,100}", name):
        return name
    return "service-" + hashlib.sha256(name.encode()).hexdigest()[:12]


def configuration(slugs: Iterable[str], socket: str, stop_timeout: float) -> str:
    """supervisord.conf. ``socket`` is a path or begins with ``%(here)s``."""
    programs = (_PROGRAM.format(slug=each, stop_seconds=math.ceil(stop_timeout)) for each in slugs)
    return _DAEMON.format(first=FIRST_DESCRIPTOR, socket=socket) + "".join(programs)


def definition(base: Path, service: EmbeddedService) -> str:
    """How child.py starts a service, as JSON."""
    values = {
        "name": service.name,
        "command": list(service.command),
        "directory": str(base / service.directory),
        "environment": dict(service.environment),
        "listen": service.listen,
        "log": str(log_file(base, service)),
    }
    return json.dumps(values, indent=1, ensure_ascii=True) + "\n"


def read_definition(text: bytes) -> EmbeddedService:
    """The service that :func:`definition` wrote down. Raises StepError."""
    try:
        values = json.loads(text)
        return EmbeddedService(
            name=values["name"],
            command=tuple(values["command"]),
            directory=Path(values["directory"]),
            listen=values["listen"],
            environment=tuple(values["environment"].items()),
            log=Path(values["log"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StepError(f"how a service was started cannot be read: {type(error).__name__}: {error}") from error


def log_file(base: Path, service: EmbeddedService) -> Path:
    """Where a service's output goes: ``BASE/logs/NAME.log`` if nothing else is said."""
    if service.log is not None:
        return base / service.log
    stem = slug(service.name).removesuffix(".service")
    return Site(base).logs / f"{stem}.log"


def address(listen: str) -> tuple[str, int]:
    """Host and port of ``127.0.0.1:8000`` or ``[::1]:8000``. Raises StepError for anything else."""
    host, colon, port = listen.rpartition(":")
    plain = host.removeprefix("[").removesuffix("]")
    if not colon or not plain or not port.isdecimal() or int(port) > 65535:
        raise StepError(
            f"listen: {listen} is no address", help="an address has a host and a port, such as 127.0.0.1:8000"
        )
    return plain, int(port)
