"""Blue/green: a template unit's idle slot is started beside the live one, and one link leads nginx to it."""

from __future__ import annotations

import os.path
from collections.abc import Iterator
from pathlib import Path

from mcc.core.slots import LONGEST_SOCKET
from mcc.core.smoke import smoke_urls
from mcc.core.unit_names import SLOTS, instance_of, is_template, unit_file
from mcc.deploy.situation import Situation
from mcc.deploy.slots import Slots, application
from mcc.errors import Refused, SiteError
from mcc.host.ports import Host
from mcc.model.conf import Conf
from mcc.model.plan import Phase, PlannedStep, Step
from mcc.runs.slots import slot_at, slot_health
from mcc.steps.draining import Slot
from mcc.steps.link import SwitchLink
from mcc.steps.services import ServicesStable
from mcc.steps.slots import EmptySlot, LetDrain, StartSlot
from mcc.steps.smoke import SmokeTest
from mcc.steps.waiting import Health


def start_steps(s: Situation) -> Iterator[PlannedStep]:
    """All that can fail about the new process comes before a visitor can reach it."""
    if s.slots is None or s.slots.runs:
        return
    conf, slot = s.request.conf, _next(s, s.slots)
    services, target = conf.services, _target(s)
    start = StartSlot(
        slot, target, slot_health(conf, slot), services.start_timeout, services.drain_timeout, s.site.logs
    )
    yield _step("start", f"start {slot.unit} with {s.version}", start)
    urls = tuple(url for url in smoke_urls(conf) if _is_for_the_application(url, conf))
    if urls:
        ask = SmokeTest(urls, conf.smoke.timeout, s.site.logs, socket=slot.socket)
        yield _step("start", f"ask {slot.unit} by its own socket", ask)
    stay = ServicesStable((slot.unit,), services.stable_for, s.site.logs)
    yield _step("start", f"{slot.unit} stays up for {services.stable_for:g} s", stay)


def switch_steps(s: Situation) -> Iterator[PlannedStep]:
    """The cut-over: nginx resolves the link at each connect."""
    if s.slots is None:
        return
    slot = _next(s, s.slots)
    title = f"run/{slot.current.name} -> {slot.socket.name}"
    yield _step("cut-over", title, SwitchLink(slot.current, slot.socket.name))


def empty_steps(s: Situation) -> Iterator[PlannedStep]:
    """Before migrations that the old release could not live with: nobody is in it any more."""
    if s.slots is None or not s.slots.live:
        return
    slot = slot_at(s.site, s.slots.template, s.slots.live)
    timeout = s.request.conf.services.drain_timeout
    yield PlannedStep("after", f"{slot.unit} drains and stops", EmptySlot(slot, timeout))


def drain_steps(s: Situation) -> Iterator[PlannedStep]:
    """The old slot goes on until its visitors are through; the site's lock is free by then."""
    if s.slots is None or not s.slots.live:
        return
    unit = instance_of(s.slots.template, s.slots.live)
    timeout = s.request.conf.services.drain_timeout
    words = (str(s.site.tool_command), "recover", "--site", str(s.site.base), "--drain", s.run)
    step = LetDrain((*words, "--drain-timeout", f"{timeout:g}"))
    yield PlannedStep("after", f"{unit} drains for at most {timeout:g} s, then stops", step, optional=True)


def running(s: Situation) -> tuple[str, ...]:
    """The services that have to be stopped where nothing may write: with two slots those that have a release."""
    services = s.request.conf.services
    if s.slots is not None:
        return s.slots.up
    return services.all if services.manager != "none" else ()


def draining(s: Situation) -> tuple[str, ...]:
    """The slot, if it is up, that visitors have left."""
    if s.slots is None:
        return ()
    unit = instance_of(s.slots.template, s.slots.next)
    return (unit,) if unit in s.slots.up else ()


def health_before(s: Situation) -> Health:
    """What says that the web service is well again which was stopped."""
    conf, slots = s.request.conf, s.slots
    if slots is not None:
        return slot_health(conf, slot_at(s.site, slots.template, slots.live)) if slots.live else Health()
    if conf.api_port is None or not conf.services.names:
        return Health()
    return Health(conf.api_port, conf.smoke.health_path, conf.smoke.timeout)


def _next(s: Situation, slots: Slots) -> Slot:
    return slot_at(s.site, slots.template, slots.next)


def _target(s: Situation) -> str:
    return os.path.relpath(_folder(s), s.site.slots)


def _folder(s: Situation) -> Path:
    """The release folder with the application in it: what a unit finds below ``slots/a``."""
    component = application(s.components)
    assert component is not None  # else there are no slots
    return s.release_folder(component)


def _is_for_the_application(url: str, conf: Conf) -> bool:
    """Pages of the front end are nginx's."""
    path = "/" + url.partition("://")[2].partition("/")[2].partition("?")[0]
    return path.startswith("/api/") or path == conf.smoke.health_path


def _step(phase: Phase, title: str, step: Step) -> PlannedStep:
    return PlannedStep(phase, title, step)


# ---- what would stop it


def slot_problems(s: Situation, host: Host) -> Iterator[Refused]:
    """Why a template unit cannot be deployed."""
    services = s.request.conf.services
    if services.manager != "systemd":
        return
    yield from _names(s)
    if s.slots is not None:
        yield from _run_folder(s, host)
        yield from _units(s.slots, host)
        yield from _release(s, host)


def _names(s: Situation) -> Iterator[Refused]:
    services = s.request.conf.services
    templates = [name for name in services.names if is_template(name)]
    for name in filter(is_template, services.all):
        if unit_file(name) != instance_of(name, ""):
            yield SiteError(f"{name} is one slot of a template unit", help=f"name {instance_of(name, '')}")
        elif name in services.workers:
            yield SiteError(
                f"{name} is a template unit, and a worker has no socket to lead visitors to",
                help="name an ordinary unit in WORKER_SERVICE_NAME",
            )
    if len(templates) > 1:
        yield SiteError(f"{', '.join(templates)}: only one service can have two slots", help="name one template unit")


def _run_folder(s: Situation, host: Host) -> Iterator[Refused]:
    run, stage = s.site.run, s.request.stage.name
    if len(os.fsencode(s.site.current_socket)) > LONGEST_SOCKET:
        words = f"{s.site.current_socket} is longer than a socket's path may be, {LONGEST_SOCKET} bytes"
        yield SiteError(words, help="let REMOTE_BASE be shorter")
    help = f"root makes it: mcc provision --stage {stage} --only folders"
    if host.files.kind(run) != "folder":
        yield SiteError(f"{run} is missing, where a service of two slots has its sockets", help=help)
    elif not host.files.may_write(run):
        yield SiteError(f"{host.machine.user()} may not write in {run}", help=help)
    link = s.site.current_socket
    if host.files.kind(link) not in ("absent", "link"):
        yield SiteError(f"{link} is a {host.files.kind(link)}, not a link", help="remove it, then deploy again")


def _units(slots: Slots, host: Host) -> Iterator[Refused]:
    if slots.runs:
        return  # one instance of the template is up, so both are known; visitors wait for this
    for name in SLOTS:
        state = host.services.state(instance_of(slots.template, name))
        if not state.known:
            yield SiteError(
                f"the service {state.name} is not known: {state.words}",
                help="only root can install it: mcc provision shows the unit, and writes a script for root",
            )


def _release(s: Situation, host: Host) -> Iterator[Refused]:
    """A release that a script made has its environment beside it, and a slot looks inside."""
    back = s.back_to
    if back is not None and back.environment and host.files.kind(_folder(s) / ".venv") != "link":
        yield SiteError(
            f"{back.name} has no environment of its own in {_folder(s)}, as a service of two slots needs it",
            help="deploy that build again",
        )


def slot_warnings(s: Situation) -> Iterator[str]:
    """What goes on beside the services that the conf names, and what root has to do."""
    before = set(s.ledger.live.services) if s.ledger.live else set()
    left = sorted(before - set(s.request.conf.services.all))
    if s.slots is not None and left:
        stage = s.request.stage.name
        yield (
            f"{', '.join(left)} served the site so far, and goes on with the old code until nginx leads to "
            f"{s.site.current_socket}: mcc provision --stage {stage} --only nginx; then root stops and disables it"
        )
    elif any(is_template(name) for name in left):
        units = " ".join(instance_of(name, slot) for name in left if is_template(name) for slot in SLOTS)
        yield (
            f"the two slots of the site go on with the old code until nginx leads elsewhere; "
            f"then, as root: systemctl disable --now {units}"
        )
