"""Which components an output has when ``COMPONENTS`` says nothing: the specification's folders."""

from __future__ import annotations

from collections.abc import Collection

from mcc.model.conf import Component

_BACK_END = ("api", "shared", "worker", "migrations")


def found_in(folders: Collection[str]) -> tuple[Component, ...]:
    """``api``, ``shared``, ``worker`` and ``migrations`` go into the api release, the content of ``ui`` into ui's."""
    components = []
    sources = tuple((name, name) for name in _BACK_END if name in folders)
    if sources:
        components.append(Component("api", "api", sources, (("current-api", "."),), environment=True))
    if "ui" in folders:
        components.append(Component("ui", "ui", (("ui", "."),), (("current-ui", "."),)))
    return tuple(components)
