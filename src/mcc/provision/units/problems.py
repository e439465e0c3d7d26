"""Why units cannot be made from a conf."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mcc.core.layout import Site
from mcc.core.unit_names import instance_of, is_template, unit_file
from mcc.model.conf import Conf
from mcc.model.problem import Problem
from mcc.provision.templates import own

_APP = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", re.ASCII)
_LEVELS = ("critical", "error", "warning", "info", "debug", "trace")
# unix(7): the path of a socket has 108 bytes, with the zero at its end.
_LONGEST_SOCKET = 107


def unit_problems(conf: Conf, ours: Sequence[str]) -> Iterator[Problem]:
    """All that is wrong or missing for the units in ``ours``, which no template of the project makes."""
    web = [name for name in conf.services.names if name in ours]
    workers = [name for name in conf.services.workers if name in ours]
    for name in ours:
        yield from _name(conf, name)
    for name in web[1:] if web[:1] == list(conf.services.names[:1]) else web:
        help = f"write {own(name)}, a unit of your own, or name it in WORKER_SERVICE_NAME with a WORKER_COMMAND"
        yield _problem(conf, "SERVICES", f"only the first is taken for the web service, and {name} is not", help)
    if web:
        yield from _application(conf, web)
    if workers and not conf.application.worker_command:
        help = f"such as WORKER_COMMAND: python -m worker.main; or write {own(workers[0])}, a unit of your own"
        yield _problem(conf, "WORKER_COMMAND", "is missing, and WORKER_SERVICE_NAME needs it", help)
    data = conf.values.get("DATA_DIR")
    if ours and data is not None and not (isinstance(data, str) and data.isprintable()):
        # Not a key that mcc itself knows, so that nobody has looked at it; a line end would begin a setting.
        yield _problem(conf, "DATA_DIR", f"found {data!r}", "allowed: a path of printable characters")
    if ours and not (conf.ownership.user or conf.server.user):
        yield _problem(conf, "DIR_USER", "is missing, and the units run as that user", "such as DIR_USER: www-data")


def _name(conf: Conf, name: str) -> Iterator[Problem]:
    if not unit_file(name).endswith(".service"):
        yield _problem(conf, "SERVICE_NAME", f"{name} is no service", f"write {own(name)}, a unit of your own")
    elif is_template(name) and unit_file(name) != instance_of(name, ""):
        yield _problem(conf, "SERVICE_NAME", f"{name} is one slot of a template", f"name {instance_of(name, '')}")


def _application(conf: Conf, web: Sequence[str]) -> Iterator[Problem]:
    app, socket = conf.application, Site(conf.server.base).run / "current-api.sock"
    if not _APP.fullmatch(app.name):
        yield _problem(conf, "APP", f'found "{app.name}"', "allowed: module:attribute, such as api.main:app")
    if app.log_level.lower() not in _LEVELS:
        yield _problem(conf, "LOG_LEVEL", f'found "{app.log_level}"', f"allowed: {', '.join(_LEVELS)}")
    if any(not is_template(name) for name in web) and conf.api_port is None:
        yield _problem(conf, "API_PORT", "is missing, and the web service listens on it", "such as API_PORT: 8000")
    if any(is_template(name) for name in web) and len(str(socket).encode()) > _LONGEST_SOCKET:
        yield _problem(conf, "REMOTE_BASE", f"{socket} is longer than a socket's path may be, 107 bytes", "shorten it")


def _problem(conf: Conf, key: str, message: str, help: str) -> Problem:
    return Problem(conf.path.name, 0, key, message, help)
