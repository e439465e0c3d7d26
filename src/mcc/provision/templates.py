"""A project's own templates of units and nginx sites: ``{{KEY}}`` is a key of the conf, or one of the computed ones.

Files of root's can be read by every user of a machine, so that no secret is ever filled in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mcc.core.conf.schema import ConfFile
from mcc.core.masking import SHORTEST, is_secret_name
from mcc.core.nearest import did_you_mean
from mcc.errors import ConfigError
from mcc.model.conf import Conf
from mcc.model.problem import Problem
from mcc.provision.units.names import api_link, description, domain_safe, ui_link, worker_description

NGINX = "mcc/nginx.template"
DAEMON = "mcc/daemon.template"
# What is as short as a password of a test would be found in every text.
_LITERAL = 8
_PLACEHOLDER = re.compile(r"\{\{[ \t]*((?:env|file):[^{}\n]*|[A-Za-z_][A-Za-z0-9_]*)[ \t]*\}\}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DOMAIN = re.compile(r"\{\{[ \t]*DOMAIN(_SAFE)?[ \t]*\}\}")


def own(name: str) -> str:
    """Where a project keeps its template of a file: ``mcc/NAME``."""
    return f"mcc/{name}"


def is_for_each_domain(text: str) -> bool:
    """Whether a template speaks of one domain, so that it is filled in for each."""
    return _DOMAIN.search(text) is not None


def filled(text: str, file: str, conf: Conf, domain: str | None = None) -> str:
    """The template with every key filled in. Raises ConfigError with all that is wrong, by line."""
    keys = values(conf, domain)
    problems: list[Problem] = []

    def one(match: re.Match[str]) -> str:
        value, wrong, help = _value(match[1], keys, conf)
        if wrong:
            line = text.count("\n", 0, match.start()) + 1
            problems.append(Problem(file, line, match[1], wrong, help))
        return value

    whole = _PLACEHOLDER.sub(one, text)
    if problems:
        raise ConfigError(problems)
    without_secrets(whole, file, conf)
    return whole if whole.endswith("\n") else f"{whole}\n"


def without_secrets(text: str, file: str, conf: Conf) -> None:
    """Raise ConfigError with the line, if a secret of the conf stands in a text."""
    ours = str(conf.server.base)
    for secret in sorted(conf.secrets):
        at = text.find(secret)
        if len(secret) >= _LITERAL and at >= 0 and secret not in ours:
            raise ConfigError([Problem(file, text.count("\n", 0, at) + 1, "", "holds a secret", _WAY_OUT)])


_WAY_OUT = "every user of the machine can read this file; put it into REMOTE_BASE/.env, which the units load"


def values(conf: Conf, domain: str | None = None) -> dict[str, Any]:
    """Every key that a template may name: those of the file, those that have a default, the computed ones."""
    base = conf.server.base
    usual = {
        "DATA_DIR": str(base / "data"),
        "DESCRIPTION": description(conf),
        "WORKER_DESCRIPTION": worker_description(conf),
        "BACKUP_PATH": conf.backup.path,
    }
    given = {key: value for key, value in conf.values.items() if value is not None}
    computed = {"API_SYMLINK": str(base / api_link(conf)), "UI_SYMLINK": str(base / ui_link(conf))}
    if domain is not None:
        computed |= {"DOMAIN": domain, "DOMAIN_SAFE": domain_safe(domain)}
    return {**_defaults(), **usual, **given, "REMOTE_BASE": str(base), **computed}


def _defaults() -> dict[str, Any]:
    """Known keys without a default are here too, as None: so that they are not called unknown."""
    return {name: field.get_default(call_default_factory=True) for name, field in ConfFile.model_fields.items()}


def _value(name: str, keys: Mapping[str, Any], conf: Conf) -> tuple[str, str, str]:
    """The text for a placeholder; or what is wrong with it, and the way out."""
    if ":" in name:
        return "", f"found {{{{{name}}}}}, and what comes from outside of the conf is a secret", _WAY_OUT
    if name in ("DOMAIN", "DOMAIN_SAFE") and keys.get(name) is None:
        return "", _no_domain(conf), "one unit serves all domains: write the template without it"
    if name not in keys:
        return "", f"there is no key {name}", did_you_mean(name, keys) or f"add {name} to {conf.path.name}"
    return _text(name, keys[name], conf)


def _no_domain(conf: Conf) -> str:
    return "the conf names no domain" if not conf.domains else f"there are {len(conf.domains)} domains, and one file"


def _text(name: str, value: Any, conf: Conf) -> tuple[str, str, str]:
    if value is None:
        return "", f"{name} has no value in {conf.path.name}", "give it one"
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        text = " ".join(map(_word, value))
    elif isinstance(value, dict | list):
        return "", f"{name} is a mapping", "allowed: keys with one value, and lists of values"
    else:
        text = _word(value)
    if is_secret_name(name) or _holds_one(text, conf.secrets):
        return "", f"{name} holds a secret", _WAY_OUT
    if _CONTROL.search(text):
        return "", f"{name} has more than one line", "allowed: values of one line"
    return text, "", ""


def _holds_one(text: str, secrets: Iterable[str]) -> bool:
    return any(len(secret) >= SHORTEST and secret in text for secret in secrets)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
