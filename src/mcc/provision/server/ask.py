"""What a person asked for: a stage of an output folder, its conf and the project's own templates."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from mcc.core.conf.found_components import found_in
from mcc.core.stages import find_stage
from mcc.core.unit_names import socket_of, unit_file
from mcc.errors import ConfigError
from mcc.host.ports import Files
from mcc.host.settings import conf_name, read_conf, read_config
from mcc.model.conf import Component, Conf
from mcc.model.problem import Problem
from mcc.provision import not_root
from mcc.provision.nginx.site import certificates, nginx_files
from mcc.provision.templates import DAEMON, NGINX, own
from mcc.provision.units.files import unit_files
from mcc.provision.wanted import Part, Templates
from mcc.provision.wish import ALL, Made, Wish, wish

_LARGEST = 256 * 1024
_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# Where no output is built yet: the specification's own.
_USUAL = ("api", "ui")


def read_wish(output: Path, stage_name: str, files: Files, only: Collection[Part] = ()) -> Wish:
    """What the stage wants of its server. Raises Refused with all that is wrong."""
    conf = read_stage(output, stage_name)
    found = list(not_root.problems(conf))
    if found:
        raise ConfigError(found)
    made = _made(conf, read_templates(output, conf, files), only or ALL)
    return wish(conf, made, components_of(output, conf, files), only)


def _made(conf: Conf, templates: Templates, parts: Collection[Part]) -> Made:
    """Units and nginx sites as far as they are asked for: what is wrong with the others does not matter then."""
    units = unit_files(conf, templates) if "units" in parts else ()
    sites = nginx_files(conf, templates) if "nginx" in parts else ()
    return Made((*units, *sites), certificates(conf, templates) if "nginx" in parts else ())


def read_stage(output: Path, stage_name: str) -> Conf:
    """The stage's conf; secrets, which nothing here needs, are not looked up. Raises Refused."""
    stage = find_stage(read_config(output), stage_name)
    return read_conf(output, conf_name(stage), site_env=False, stand_ins=True)


def components_of(output: Path, conf: Conf, files: Files) -> tuple[Component, ...]:
    """The parts that a deploy will place."""
    if conf.components is not None:
        return conf.components
    folders = [name for name in files.names(output) if files.kind(output / name) == "folder"]
    return found_in(folders) or found_in(_USUAL)


def read_templates(output: Path, conf: Conf, files: Files) -> Templates:
    """The project's own templates, from ``mcc/``. Raises ConfigError for what is no text."""
    names = [NGINX, DAEMON, *_units(conf.services.all)]
    return {name: _text(output / name, name, files) for name in dict.fromkeys(names) if _there(output / name, files)}


def _units(services: Iterable[str]) -> list[str]:
    return [own(name) for each in services for name in (each, unit_file(each), socket_of(each))]


def _there(path: Path, files: Files) -> bool:
    return files.kind(path.parent) == "folder" and files.kind(path) != "absent"


def _text(path: Path, name: str, files: Files) -> str:
    kind = files.kind(path)
    if kind != "file":
        raise ConfigError([Problem(name, 0, "", f"is a {kind}, not a file", "put the template itself there")])
    data = files.read(path, _LARGEST + 1)
    if len(data) > _LARGEST:
        raise ConfigError(
            [Problem(name, 0, "", f"is larger than {_LARGEST // 1024} KiB", "a template is a short text")]
        )
    try:
        text = data.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise ConfigError([Problem(name, 0, "", "is not UTF-8", "save it as UTF-8")]) from None
    # A shell drops zeros, so that END_OF_\0FILE would end the text in the script; others hide what a terminal shows.
    if found := _HIDDEN.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise ConfigError([Problem(name, line, "", f"holds the control character {found[0]!r}", "take it out")])
    return text
