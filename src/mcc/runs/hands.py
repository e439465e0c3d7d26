"""What a deploy needs from the process that it runs in; tests bring their own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from mcc.core.layout import Site
from mcc.core.masking import Masker
from mcc.engine.codec import as_json
from mcc.engine.run import Sink
from mcc.host.ports import Host
from mcc.host.signals import Interrupts
from mcc.host.toolbox import Tool
from mcc.model.conf import Services

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class Lock(Protocol):
    """A held lock; commands that inherit the descriptor hold it too."""

    @property
    def descriptor(self) -> int: ...
    def release(self) -> None: ...


class Hands(Protocol):
    """Host, lock, signals, processes and screen of this process."""

    def host(self, site: Site, services: Services, run: str = "", lock: Lock | None = None) -> Host:
        """The host, with the service manager of the site."""
        ...

    def lock(self, site: Site, holder: Mapping[str, object]) -> Lock:
        """Take the site's lock. Raises SiteLocked."""
        ...

    def tool(self, site: Site) -> Tool:
        """The mcc that is running, as the site would keep it."""
        ...

    def install_tool(self, site: Site, tool: Tool, host: Host) -> None:
        """Put the running mcc into the site."""
        ...

    def sink(self, site: Site, run: str, masker: Masker) -> Sink:
        """Where events go: the screen and the run's record."""
        ...

    def interrupts(self) -> Interrupts:
        """Take the signals of this process over."""
        ...

    def guarded(self, run: str, work: Callable[[], int], rescue: Callable[[str], int]) -> int:
        """Run ``work`` where its death does not hurt; then ``rescue`` puts things right."""
        ...


def header_services(header: Mapping[str, Any]) -> Services:
    """The service manager that a journal's run had."""
    services: Services = _services().validate_python(header["services"])
    return services


def services_header(services: Services) -> Any:
    """The same as JSON, without what may be secret (the environment of embedded services)."""
    data = as_json(services)
    for service in data["embedded"]:
        service["environment"] = []
    return data


@functools.cache
def _services() -> TypeAdapter[Services]:
    from pydantic import TypeAdapter

    return TypeAdapter(Services)
