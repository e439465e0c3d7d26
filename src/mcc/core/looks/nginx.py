"""Whether nginx serves a site from where a deploy puts it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from mcc.core.looks.findings import Finding, error, warning
from mcc.core.looks.nginx_site import Server, Sites, Use

_HERE = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Served:
    """What the conf says: ``links`` are the site's links to the live release; ``port`` is API_PORT."""

    base: str
    domains: tuple[str, ...]
    links: tuple[str, ...]
    port: int | None
    beside: tuple[str, ...] = ("maintenance", "data", "domains")
    """Folders of the site that nginx may serve as well: they outlive releases."""
    https: bool = True
    """Whether nginx itself speaks it, and not another server in front of this one."""


def judge(sites: Sites, served: Served) -> Iterator[Finding]:
    """What does not fit; nothing if all does."""
    own = [server for server in sites.servers if _is_ours(server, served)]
    yield from _domains(sites, served)
    for server in own:
        yield from _roots(server, served)
        yield from _proxies(server, sites, served)


def _is_ours(server: Server, served: Served) -> bool:
    below = any(use.target.startswith(f"{served.base}/") for use in server.uses if use.kind != "proxy_pass")
    return below or any(_answers(server, domain) for domain in served.domains)


def _answers(server: Server, domain: str) -> bool:
    return any(_matches(name, domain) for name in server.names)


def _matches(name: str, domain: str) -> bool:
    if name.startswith("~"):
        try:
            return re.search(name[1:], domain) is not None
        except re.error:
            return False
    name, domain = name.lower(), domain.lower()
    if name.startswith("*."):
        return domain.endswith(name[1:])
    return name in (domain, f".{domain}") or (name.startswith(".") and domain.endswith(name))


def _domains(sites: Sites, served: Served) -> Iterator[Finding]:
    for domain in served.domains:
        servers = [server for server in sites.servers if server.tls is served.https and _answers(server, domain)]
        if not servers:
            kind = "https" if served.https else "http"
            help = f"as root: add the domain to the server_name of the site's {kind} server, then: nginx -t, reload"
            yield error("nginx.domain", domain, f"no {kind} server of nginx has this name", help)
        exact = {server.file for server in servers if domain.lower() in {name.lower() for name in server.names}}
        if len(exact) > 1:
            files = " and ".join(sorted(exact))
            help = "as root: take the name out of one of them; nginx takes the first and ignores the other"
            yield warning("nginx.domain-twice", domain, f"{files} both have this name", help)


def _roots(server: Server, served: Served) -> Iterator[Finding]:
    good = tuple(posixpath.join(served.base, name) for name in (*served.links, *served.beside))
    for use in server.uses:
        if use.kind == "proxy_pass" or not use.target.startswith(f"{served.base}/"):
            continue
        target = posixpath.normpath(use.target)
        if not any(target == folder or target.startswith(f"{folder}/") for folder in good):
            links = ", ".join(posixpath.join(served.base, link) for link in served.links)
            help = f"as root: let it name a link that a deploy switches ({links})"
            message = f"{use.kind} {use.target}: a new release would not be served from there"
            yield error("nginx.root", f"{server.file}:{use.line}", message, help)


def _proxies(server: Server, sites: Sites, served: Served) -> Iterator[Finding]:
    if served.port is None:
        return
    passes = [use for use in server.uses if use.kind == "proxy_pass"]
    ports = {use: _ports(use, sites) for use in passes}
    for use, found in ports.items():
        if found and served.port not in found and not any(served.port in others for others in ports.values()):
            shown = ", ".join(map(str, sorted(found)))
            help = f"as root: proxy_pass http://127.0.0.1:{served.port}; or change API_PORT and the unit"
            message = f"{use.kind} {use.target} leads to port {shown}, and API_PORT is {served.port}"
            yield error("nginx.port", f"{server.file}:{use.line}", message, help)


def _ports(use: Use, sites: Sites) -> Collection[int]:
    """The ports of this machine that a proxy_pass leads to; none where that cannot be told."""
    parts = urlsplit(use.target)
    names = sites.upstreams.get(parts.netloc, (parts.netloc,))
    return {port for name in names if (port := _port(name)) is not None}


def _port(address: str) -> int | None:
    host, colon, port = address.rpartition(":")
    return int(port) if colon and port.isdecimal() and host.strip("[]") in _HERE else None
