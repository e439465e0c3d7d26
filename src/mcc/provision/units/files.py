"""The units of a site: its web service, behind a socket or in two slots, and its workers.

Sources: systemd.exec(5), systemd.service(5), systemd.socket(5), systemd.unit(5).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcc.core.layout import Site
from mcc.core.provisioned import start_program
from mcc.core.unit_names import SLOTS, instance_of, is_template, socket_of, unit_file
from mcc.errors import ConfigError
from mcc.model.conf import Conf
from mcc.provision.root_work import unit_problems_of_root
from mcc.provision.start import PERL, start_file
from mcc.provision.templates import DAEMON, filled, own, without_secrets
from mcc.provision.units.commands import web_command, worker_command
from mcc.provision.units.hardening import hardening
from mcc.provision.units.names import api_link, description, worker_description
from mcc.provision.units.problems import unit_problems
from mcc.provision.units.words import command, literal, path_value, words
from mcc.provision.wanted import UNITS, File, Templates

# A restart lets new visitors wait for as long as the old process may finish.
_RESTART_PATIENCE = 10.0
# A slot is stopped when its visitors had DRAIN_TIMEOUT: what is left are streams, which begin anew.
_SLOT_PATIENCE = 5.0
_WORKER_PATIENCE = 30.0
# The program gives up first, and systemd this much later.
_MORE = 5.0


def unit_files(conf: Conf, templates: Templates) -> tuple[File, ...]:
    """The site's units, and the program that starts them; none with another manager. Raises ConfigError."""
    if conf.services.manager != "systemd":
        return ()
    problems = list(unit_problems(conf, [name for name in conf.services.all if not _place(conf, name, templates)]))
    if problems:
        raise ConfigError(problems)
    files = [file for name in conf.services.all for file in _files(conf, name, templates)]
    for file in files:
        without_secrets(file.text, file.path.name, conf)
    starts = any(str(start_program(conf.server.base)) in file.text for file in files)
    return (*((start_file(conf),) if starts else ()), *files)


def _files(conf: Conf, name: str, templates: Templates) -> Sequence[File]:
    place = _place(conf, name, templates)
    if place:
        return _own(conf, name, place, templates)
    if name in conf.services.workers:
        return [_file(unit_file(name), worker_unit(conf, name))]
    if is_template(name):
        return [_file(unit_file(name), slot_unit(conf, name))]
    return [_file(socket_of(name), socket_unit(conf)), _file(unit_file(name), web_unit(conf, name))]


def _file(name: str, text: str) -> File:
    return File(UNITS / name, text, "units", "systemd-analyze", enable="[Install]" in text)


# ---- a project's own


def _place(conf: Conf, name: str, templates: Templates) -> str:
    """The project's template for a unit: the one of its name, or ``mcc/daemon.template`` for the web service."""
    places = [own(name), own(unit_file(name)), *([DAEMON] if conf.services.names[:1] == (name,) else [])]
    return next((place for place in places if place in templates), "")


def _own(conf: Conf, name: str, place: str, templates: Templates) -> list[File]:
    """Its socket is the project's own too: a service that listens by itself would find the port taken by ours."""
    domain = conf.domains[0] if len(conf.domains) == 1 else None
    pairs = {unit_file(name): place}
    if own(socket_of(name)) in templates:
        pairs[socket_of(name)] = own(socket_of(name))
    texts = {unit: filled(templates[path], path, conf, domain) for unit, path in pairs.items()}
    base = conf.server.base
    problems = [each for unit, text in texts.items() for each in unit_problems_of_root(text, pairs[unit], base)]
    if problems:
        raise ConfigError(problems)
    return [_file(unit, text) for unit, text in texts.items()]


# ---- ours


def socket_unit(conf: Conf) -> str:
    """Holds the port, so that visitors wait while the service behind it is restarted, and none is refused.

    No start limit: systemd would give the socket up together with its service. The limit of triggers stays: it ends
    a circle in which the service is never even begun.
    """
    return f"""\
[Unit]
Description={literal(description(conf))}, socket
StartLimitIntervalSec=0

[Socket]
ListenStream=127.0.0.1:{conf.api_port}
NoDelay=yes

[Install]
WantedBy=sockets.target
"""


def web_unit(conf: Conf, name: str) -> str:
    """The web service behind its socket; it is restarted by each deploy."""
    base, socket = conf.server.base, socket_of(name)
    run = web_command(conf, base / ".venv/bin", None, _RESTART_PATIENCE)
    return f"""\
[Unit]
Description={literal(description(conf))}
Requires={socket}
After={socket} network.target postgresql.service
# Several deploys in a short time are not a failure.
StartLimitIntervalSec=0

[Service]
WorkingDirectory={path_value(base / api_link(conf))}
{_started(conf, name, run)}\
{_common(conf, _RESTART_PATIENCE)}
[Install]
WantedBy=multi-user.target
"""


def slot_unit(conf: Conf, name: str) -> str:
    """One of two slots; a link in ``slots/`` says that it may run, and nginx reaches it by a link in ``run/``."""
    site = Site(conf.server.base)
    slot, socket = site.base / "slots/%i", site.run / "%i.sock"
    patience = _SLOT_PATIENCE
    run = web_command(conf, slot / ".venv/bin", socket, patience)
    stale = command(("/bin/rm", "-f", str(socket)), slot=True)
    return f"""\
[Unit]
Description={literal(description(conf))}, slot %i
After=network.target postgresql.service
ConditionPathExists={_with_slot(slot)}
StartLimitIntervalSec=0

[Service]
WorkingDirectory={_with_slot(slot)}
ExecStartPre=-{stale}
{_started(conf, instance_of(name, "%i"), run, slot=True)}\
{_common(conf, patience)}
[Install]
WantedBy=multi-user.target
DefaultInstance={SLOTS[0]}
Also={instance_of(name, SLOTS[1])}
"""


def worker_unit(conf: Conf, name: str) -> str:
    """A service that answers no requests."""
    return f"""\
[Unit]
Description={literal(worker_description(conf))}
After=network.target postgresql.service
StartLimitIntervalSec=0

[Service]
WorkingDirectory={path_value(conf.server.base / api_link(conf))}
{_started(conf, name, worker_command(conf))}\
{_common(conf, _WORKER_PATIENCE)}
[Install]
WantedBy=multi-user.target
"""


def _with_slot(path: Path) -> str:
    return path_value(path).replace("%%i", "%i")


def _started(conf: Conf, name: str, run: Sequence[str], slot: bool = False) -> str:
    """The command, run by the program that opens the log and reads ``.env`` as the service's user.

    The log also is what the deploy user can read, who may not read the journal.
    """
    site = Site(conf.server.base)
    log = site.logs / f"{unit_file(name).removesuffix('.service')}.log"
    words = command((PERL, str(start_program(conf.server.base)), str(log), str(site.variables), *run), slot)
    return f"# Opens the log and reads .env as the service's user; systemd itself would as root.\nExecStart={words}\n"


def _common(conf: Conf, patience: float) -> str:
    """What all services of the site have in common."""
    user = conf.ownership.user or conf.server.user
    group = f"Group={conf.ownership.group}\n" if conf.ownership.group else ""
    return f"""\
User={user}
{group}UMask=0002
Environment={words(_variables(conf))}
Restart=always
RestartSec=1
KillMode=mixed
TimeoutStopSec={patience + _MORE:.0f}
{hardening(conf)}"""


def _variables(conf: Conf) -> list[str]:
    data = conf.values.get("DATA_DIR") or Site(conf.server.base).data
    stage = [f"STAGE={conf.stage}"] if conf.stage else []
    return [*stage, f"LOG_LEVEL={conf.application.log_level}", f"DATA_DIR={data}", "PYTHONUNBUFFERED=1"]
