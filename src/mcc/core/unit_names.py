"""What the name of a unit says (systemd.unit(5))."""

from __future__ import annotations

SLOTS = ("a", "b")
"""The instances of a web template: two releases, of which one answers."""


_KINDS = frozenset(
    ("service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope")
)


def is_template(name: str) -> bool:
    """Whether a unit is a template (``app@.service``) or a slot of one (``app@a.service``).

    Another instance (``app@main.service``) is a unit like any other, and is restarted.
    """
    _, at, instance = _without_kind(name).partition("@")
    return bool(at) and instance in ("", *SLOTS)


def is_instance(name: str) -> bool:
    """Whether a unit is made of a template, or is one."""
    return "@" in name


def plain_name_of(name: str) -> str:
    """``app@.service`` and ``app@a.service`` without what makes them special: ``app.service``."""
    return f"{_without_kind(name).partition('@')[0]}.service"


def instance_of(template: str, instance: str) -> str:
    """``app@.service`` with a name in it: ``app@a.service``."""
    return f"{_without_kind(template).partition('@')[0]}@{instance}.service"


def unit_file(name: str) -> str:
    """The unit's file: systemctl(1) takes a name without an ending for a service."""
    return name if name.rpartition(".")[2] in _KINDS and "." in name else f"{name}.service"


def socket_of(service: str) -> str:
    """The socket that systemd hands to a service by itself, being of the same name (systemd.socket(5))."""
    return f"{_without_kind(service)}.socket"


def _without_kind(name: str) -> str:
    return name.removesuffix(".service")
