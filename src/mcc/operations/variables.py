"""``mcc env``: the variables of a site, in its ``.env``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mcc.core import sudo
from mcc.core.acl import others_in, readers_in
from mcc.core.conf.unfit import Unfit
from mcc.core.dotenv import Difference, differences, variables
from mcc.core.dotenv_edit import line_for, with_variables, without_variables
from mcc.core.layout import Site
from mcc.core.looks.unit import loaded_by, read_shown
from mcc.core.masking import Masker, is_secret_name
from mcc.core.nearest import did_you_mean
from mcc.core.ownership import closing
from mcc.core.stages import find_stage
from mcc.errors import Refused, RightsError, SiteError, UsageError
from mcc.host.access import may
from mcc.host.ports import Access, Files, Host
from mcc.host.settings import conf_name, read_conf, read_config
from mcc.model.conf import Conf, Services
from mcc.model.plan import Plan, PlannedStep
from mcc.runs.hands import Hands
from mcc.runs.ledger import read_ledger
from mcc.runs.run import run_work
from mcc.runs.slots import health_of, units_that_serve
from mcc.runs.work import Prepared, Work
from mcc.steps.services import RestartServices, ServicesBack, ServicesStable
from mcc.steps.variables import WriteVariables, read_by_services

_SHORT = 8


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of ``.env``. ``restart``: the live release's conf, if its services are to see it at once."""

    site: Site
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    gone: tuple[str, ...] = ()
    restart: Conf | None = None
    reader: str = ""
    """As whom the services run, as far as it is known."""

    @property
    def action(self) -> str:
        """The words of the command, for the reader of a run."""
        return "env set" if self.values else "env unset"

    @property
    def masker(self) -> Masker:
        # A value such as 8000 or prod is in every second line of a log, and no secret by its name.
        long = (value for name, value in self.values.items() if is_secret_name(name) or len(value) >= _SHORT)
        return Masker((*long, *(self.restart.secrets if self.restart else ())))


@dataclass(frozen=True, slots=True)
class Found:
    """``.env`` as it is. ``access`` is None if there is no file.

    ``reader`` is the user of services that read it themselves, if that is another; ``read``: that user may.
    """

    path: Path
    values: Mapping[str, str] = field(repr=False)
    differences: tuple[Difference, ...]
    access: Access | None
    reader: str = ""
    read: bool = True

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should be put right, for a person."""
        return tuple(self._warnings())

    def _warnings(self) -> Iterator[str]:
        if self.access is None:
            return
        acl = self.access.acl
        others = others_in(self.access.mode, acl, (self.reader,) if self.reader else readers_in(acl))
        if others:
            who, way_out = ", ".join(others), closing(self.path, self.reader, acl)
            yield f".env can be read or written by {who} (mode {self.access.mode:04o}): {way_out}"
        if not self.read:
            way_out = f"{closing(self.path, self.reader)}; it takes a disk that knows access control lists"
            yield f".env cannot be read by {self.reader}, and the services read it as {self.reader}: {way_out}"
        for each in self.differences:
            yield f".env, {each} (a comment behind a value, export, or an open quote): mcc env set writes it anew"


def check_values(values: Mapping[str, str]) -> None:
    """Raises UsageError for what no ``.env`` can hold; before anybody waits for a lock."""
    for name, value in values.items():
        try:
            line_for(name, value)
        except Unfit as error:
            raise UsageError(error.message, help=error.help) from None


def look_at_variables(site: Site, host: Host, user: str = "") -> Found:
    """What the site has. ``user`` runs its services. Raises SiteError for a file that is none, or no text."""
    text, path = _text(site, host.files), site.variables
    access = host.rights.look(path) if host.files.kind(path) == "file" else None
    reader = _reads_itself(site, host, user)
    read = not (access and reader) or may(host.rights, reader, path, "r")
    # systemd reads it for services that do not read it themselves
    found = () if read_by_services(host.files, site.base) else differences(text)
    return Found(path, variables(text), found, access, reader, read)


def service_user(site: Site, output: Path, stage: str | None, files: Files) -> str:
    """As whom the services run, by the stage's conf or the live release's; empty where no conf can say it."""
    try:
        if stage is not None:
            folder, name = output, conf_name(find_stage(read_config(output), stage))
        else:
            live = read_ledger(files, site).live
            folder, name = site.own / "conf", site.conf(live.name).name if live else ""
        conf = read_conf(folder, name, site_env=False, stand_ins=True) if name else None
    except Refused:
        return ""
    return (conf.ownership.user or "") if conf else ""


def _reads_itself(site: Site, host: Host, user: str) -> str:
    others = user if user != host.machine.user() else ""
    return others if others and read_by_services(host.files, site.base) else ""


def change_variables(change: Change, hands: Hands) -> int:
    """Write the file anew, as a run; the answer is the exit code. Raises Refused."""
    check_values(change.values)
    services = change.restart.services if change.restart else Services(manager="none")
    work = Work(change.site, change.action, "", services, change.masker, although_frozen=True)
    return run_work(work, lambda host, run: _prepare(change, host, run), hands)


def readers(site: Site, hands: Hands) -> tuple[str, ...]:
    """Units of the live release that load ``.env`` when they start; systemd says so without any right."""
    live = read_ledger(hands.host(site, Services(manager="none")).files, site).live
    if live is None or live.manager != "systemd":
        return ()
    host = hands.host(site, Services(manager="systemd"))
    if host.commands.find("systemctl") is None:
        return ()
    return tuple(unit for unit in live.services if _loads(host, unit, site))


def _loads(host: Host, unit: str, site: Site) -> bool:
    words = ["systemctl", "show", "--property=Id,EnvironmentFiles,ExecStart", "--", unit]
    shown = read_shown(host.commands.run(words, timeout=30.0).output)
    return any(loaded_by(each, str(site.base)) for each in shown.values())


def _prepare(change: Change, host: Host, run: str) -> Prepared:
    text = _text(change.site, host.files)
    _refuse_unknown(change.gone, variables(text))
    try:
        changed = with_variables(text, change.values) if change.values else without_variables(text, change.gone)
    except Unfit as error:
        raise SiteError(f"{change.site.variables}: {error.message}", help=error.help) from None
    file = change.site.kept(run) / "variables"
    names = ", ".join(change.values or change.gone)
    write = PlannedStep("place", f".env: {names}", WriteVariables(change.site.variables, file, _reader(change, host)))
    steps = (write,) if change.restart is None else (*_restart(change.restart, change.site, host, write),)
    return Prepared(Plan(steps, ()), kept={file.name: changed.encode()})


def _reader(change: Change, host: Host) -> str:
    """The services' user if they read the file themselves; else who was named in its list by hand."""
    path = change.site.variables
    access = host.rights.look(path) if host.files.kind(path) == "file" else None
    named = readers_in(access.acl) if access else ()
    return _reads_itself(change.site, host, change.reader) or next(iter(named), "")


def _refuse_unknown(gone: Sequence[str], known: Mapping[str, str]) -> None:
    for name in gone:
        if name not in known:
            raise UsageError(f"there is no {name} in .env", help=did_you_mean(name, known))


def _restart(conf: Conf, site: Site, host: Host, write: PlannedStep) -> Iterator[PlannedStep]:
    """The new variables with a restart, and on the way back the old ones with another."""
    services = conf.services
    if not services.all or services.manager == "none":
        raise UsageError(f"{conf.path.name} names no services that could be restarted", help="leave --restart out")
    names = units_that_serve(services, site, host.files)
    if services.manager == "systemd":
        _check_rights(host, names)
    health = health_of(conf, site, host.files)
    guard = ServicesBack(names, health, services.start_timeout)
    yield PlannedStep("cut-over", "remember how the services are", guard)
    yield write
    restart = RestartServices(names, health, services.start_timeout, site.logs)
    yield PlannedStep("cut-over", f"restart {', '.join(names)}", restart)
    stay = ServicesStable(names, services.stable_for, site.logs)
    yield PlannedStep("smoke", f"services stay up for {services.stable_for:g} s", stay)


def _check_rights(host: Host, names: Sequence[str]) -> None:
    missing = [words for words in map(sudo.restart, names) if not host.sudo.allows(words)]
    if missing:
        user = host.machine.user()
        what = "\n".join(f"  sudo {' '.join(words)}" for words in missing)
        raise RightsError(f"{user} may not run what is needed:\n{what}", help=sudo.way_out(user, *missing))


def _text(site: Site, files: Files) -> str:
    kind = files.kind(site.variables)
    if kind == "absent":
        return ""
    if kind != "file":
        raise SiteError(f"{site.variables} is a {kind}, not a file", help="put a file in its place, mode 0600")
    try:
        return files.read(site.variables).decode()
    except UnicodeDecodeError:
        raise SiteError(f"{site.variables} is not UTF-8", help="put it right by hand") from None
