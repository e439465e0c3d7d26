"""What is installed for a site already, read as keys of a conf and as templates. Pure: texts in, facts out."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcc.core.conf.hostnames import domain
from mcc.core.conf.unfit import Unfit
from mcc.core.provisioned import is_ours
from mcc.provision.templates import NGINX, own

_SERVERS = ("uvicorn", "gunicorn", "hypercorn", "granian")
_PORT = re.compile(r"(?:--port[= ]|(?:--bind|-b)[= ]\S*:)(\d+)")
_WORKERS = re.compile(r"(?:--workers|-w)[= ](\d+)")
_APP = re.compile(r"(?<![\w/:.])([A-Za-z_][\w.]*:[A-Za-z_]\w*)(?![\w/:])")
_PROXY = re.compile(r"proxy_pass\s+https?://(?:127\.0\.0\.1|localhost):(\d+)")
_LOCATION = re.compile(r"location\s+(?:\^~\s+|=\s+)?(/[^\s{]*)\s*\{[^{}]*?proxy_pass", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Installed:
    """Units, sites of nginx and sudo lines that belong to a site: file to text. ``owner``: whose REMOTE_BASE is."""

    base: Path
    units: Mapping[Path, str]
    sites: Mapping[Path, str]
    sudo: tuple[str, ...] = ()
    owner: str = ""

    @property
    def empty(self) -> bool:
        return not (self.units or self.sites or self.sudo)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a conf, and the file that says so."""

    name: str
    value: object
    source: str


def belongs(text: str, base: Path, ports: Iterable[str] = ()) -> bool:
    """Whether a text names the site by whole parts of a path, or nginx passes requests to one of its ports."""
    if re.search(re.escape(str(base)) + r"(?=[/\s\"';:]|$)", _without_comments(text), re.MULTILINE):
        return True
    return bool({*_PROXY.findall(_without_comments(text))} & {*ports})


def ports_of(units: Mapping[Path, str]) -> tuple[str, ...]:
    """The ports that services and their sockets listen on."""
    found = [port for text in units.values() for port in _PORT.findall(_without_comments(text))]
    found += [match for text in units.values() for match in re.findall(r"^ListenStream=(?:\S*:)?(\d+)$", text, re.M)]
    return tuple(dict.fromkeys(found))


def keys(found: Installed) -> tuple[Key, ...]:
    """What the conf should say, in the order of the documentation."""
    return tuple(_one_each([*_site(found), *_units(found), *_web(found)]))


def templates(found: Installed) -> dict[str, str]:
    """The project's templates that would make the same files: what mcc made itself needs none."""
    base = found.base
    units = {own(path.name): text for path, text in found.units.items() if not is_ours(text.encode(), base)}
    sites = [text for text in found.sites.values() if not is_ours(text.encode(), base)]
    return units | ({NGINX: sites[0]} if len(sites) == 1 else {})


def _one_each(found: Iterable[Key]) -> Iterator[Key]:
    seen = set()
    for key in found:
        if key.name not in seen:
            seen.add(key.name)
            yield key


def _site(found: Installed) -> Iterator[Key]:
    if found.owner:
        yield Key("REMOTE_USER", found.owner, str(found.base))
    yield Key("REMOTE_BASE", str(found.base), "")


# ---- units


def _units(found: Installed) -> Iterator[Key]:
    services = {path: text for path, text in found.units.items() if path.suffix == ".service"}
    web = {path: text for path, text in services.items() if _is_web(path, text, found)}
    workers = [path for path in services if path not in web]
    source = next((str(path) for path in web), "")
    for setting, name in (("User", "DIR_USER"), ("Group", "DIR_GROUP")):
        values = [value for text in (*web.values(), *services.values()) for value in _settings(text, setting)]
        if values:
            yield Key(name, values[0], source)
    names = [path.name for path in web]
    if len(names) == 1:
        yield Key("SERVICE_NAME", names[0], source)
    elif names:
        yield Key("SERVICES", names, source)
    if workers:
        only = [path.name for path in workers]
        yield Key("WORKER_SERVICE_NAME", only[0] if len(only) == 1 else only, str(workers[0]))
    for port in ports_of(found.units)[:1]:
        yield Key("API_PORT", int(port), source)
    yield from _command(web)


def _is_web(path: Path, text: str, found: Installed) -> bool:
    if path.with_suffix(".socket") in found.units:
        return True
    command = " ".join(_settings(text, "ExecStart"))
    return any(server in command for server in _SERVERS) or bool(_PORT.search(command))


def _command(web: Mapping[Path, str]) -> Iterator[Key]:
    for path, text in list(web.items())[:1]:
        command = " ".join(_settings(text, "ExecStart"))
        for workers in _WORKERS.findall(command)[:1]:
            yield Key("WORKERS", int(workers), str(path))
        for app in _APP.findall(command)[:1]:
            yield Key("APP", app, str(path))
        for server in ("gunicorn", "uvicorn"):
            if re.search(rf"(?<![\w.]){server}(?!\.)", command):
                yield Key("APP_SERVER", server, str(path))


def _settings(text: str, name: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    return [value.strip() for value in re.findall(rf"^{name}=(.+)$", joined, re.MULTILINE)]


# ---- nginx


def _web(found: Installed) -> Iterator[Key]:
    for path, whole in found.sites.items():
        text, source = _without_comments(whole), str(path)
        yield Key("NGINX_SITE", path.name, source)
        domains = _domains(text)
        if domains:
            yield Key("DOMAINS", domains, source)
        for port in _PROXY.findall(text)[:1]:
            yield Key("API_PORT", int(port), source)
        yield from _tls(text, domains, source)
        prefixes = list(dict.fromkeys(_LOCATION.findall(text)))
        if prefixes:
            yield Key("API_PREFIX", prefixes[0] if len(prefixes) == 1 else prefixes, source)
        for limit in re.findall(r"client_max_body_size\s+(\w+)\s*;", text)[:1]:
            yield Key("BODY_LIMIT", limit, source)


def _domains(text: str) -> list[str]:
    names = [name for names in re.findall(r"server_name\s+([^;]+);", text) for name in names.split()]
    return [name for name in dict.fromkeys(names) if _is_domain(name)]


def _is_domain(name: str) -> bool:
    try:
        return bool(domain(name)) and "." in name
    except Unfit:
        return False


def _tls(text: str, domains: Sequence[str], source: str) -> Iterator[Key]:
    pairs = {
        name: list(dict.fromkeys(path.strip("\"'") for path in re.findall(rf"{setting}\s+([^;\s]+)\s*;", text)))
        for setting, name in (("ssl_certificate", "TLS_CERTIFICATE"), ("ssl_certificate_key", "TLS_KEY"))
    }
    if not pairs["TLS_CERTIFICATE"]:
        yield Key("TLS", "none", source)
    elif all("/etc/letsencrypt/" in path for path in pairs["TLS_CERTIFICATE"]):
        yield Key("TLS", "certbot", source)
    else:
        yield Key("TLS", "files", source)
        for name, paths in pairs.items():
            yield from (Key(name, _for_each(path, paths, domains), source) for path in paths[:1])


def _for_each(path: str, paths: Sequence[str], domains: Sequence[str]) -> str:
    """One path a domain becomes one with ``{{DOMAIN}}`` in it."""
    named = next((name for name in domains if name in path), None)
    return path.replace(named, "{{DOMAIN}}") if named and len(paths) > 1 else path


def _without_comments(text: str) -> str:
    return re.sub(r"^\s*[#;].*$", "", text, flags=re.MULTILINE)


# ---- sudo


def sudo_lines(listing: str, found: Installed) -> tuple[str, ...]:
    """The commands of ``sudo -l`` that speak of the site or of its units."""
    names = {word for path in found.units for word in (path.name, path.name.removesuffix(".service"))}
    lines = [line.strip() for line in listing.splitlines() if "/" in line and line.startswith(" ")]
    return tuple(line for line in lines if belongs(line, found.base) or names & set(_words(line)))


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line.replace(",", " "))
    except ValueError:
        return line.split()
