"""The two slots of a template unit: which units they are, and which of them answers."""

from __future__ import annotations

from mcc.core.unit_names import SLOTS, instance_of, is_template
from mcc.model.conf import Services

LONGEST_SOCKET = 107
"""Bytes of a socket's path: unix(7) has 108, with the zero at its end."""


def template_of(services: Services) -> str:
    """The template unit that is deployed blue/green; empty if there is none."""
    names = services.names if services.manager == "systemd" else ()
    return next((name for name in names if is_template(name)), "")


def restarted(services: Services) -> tuple[str, ...]:
    """The services that a deploy restarts: all that are no template."""
    if services.manager != "systemd":
        return services.all
    return tuple(name for name in services.all if not is_template(name))


def units_of(services: Services) -> tuple[str, ...]:
    """All services, with both slots in the place of their template."""
    return tuple(each for name in services.all for each in _units(services, name))


def running_units(services: Services, slot: str) -> tuple[str, ...]:
    """All services, with the one ``slot`` in the place of the template; without it if no slot is live."""
    template = template_of(services)
    web = (instance_of(template, slot),) if template and slot else ()
    return (*web, *restarted(services))


def slot_of(target: str) -> str:
    """The slot that ``run/current-api.sock`` leads to; empty for anything else."""
    name = target.rpartition("/")[2]
    return next((slot for slot in SLOTS if name == f"{slot}.sock"), "")


def other(slot: str) -> str:
    """The slot that is idle while ``slot`` is live; the first one where none is."""
    return SLOTS[1] if slot == SLOTS[0] else SLOTS[0]


def _units(services: Services, name: str) -> tuple[str, ...]:
    if services.manager == "systemd" and is_template(name):
        return tuple(instance_of(name, slot) for slot in SLOTS)
    return (name,)
