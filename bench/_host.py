"""mcc's own hands on this machine, for benchmarks that run a part of it in their own process."""

from __future__ import annotations

import dataclasses

from mcc.cli.hands import RealHands
from mcc.core.layout import Site
from mcc.host.ports import Host
from mcc.model.conf import Services


class _Quiet:
    """What a step says is not shown."""

    def say(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def progress(self, done: int, total: int, what: str) -> None: ...


def quiet_host(site: Site) -> Host:
    """A host for a site without services."""
    host = RealHands(lambda _masker: lambda _event: None).host(site, Services("none"))
    return dataclasses.replace(host, listener=_Quiet())
