"""What things of a site are called on a server."""

from __future__ import annotations

import re

from mcc.core import provisioned
from mcc.model.conf import Conf


def site_name(conf: Conf) -> str:
    """The name of nginx's file, and the stem of what is named after the site."""
    return conf.web.site or provisioned.site_name(conf.server.base)


def word(name: str) -> str:
    """A name that may be part of an nginx variable or zone: letters, digits and ``_``."""
    return re.sub(r"[^A-Za-z0-9]", "_", name)


def domain_safe(domain: str) -> str:
    """``app.example.com`` where only letters, digits and ``_`` may stand: ``app_example_com``."""
    return word(domain)


def description(conf: Conf) -> str:
    """What the web unit is called."""
    stage = f" ({conf.stage})" if conf.stage else ""
    return conf.application.description or f"{conf.server.base.name}{stage}"


def worker_description(conf: Conf) -> str:
    """What a worker's unit is called."""
    return conf.application.worker_description or f"{description(conf)}, worker"


def api_link(conf: Conf) -> str:
    """The link to the release that the services run: ``current-api``, or the first of the part with the environment."""
    links = [name for part in conf.components or () if part.environment for name, _ in part.links]
    return "current-api" if "current-api" in links or not links else links[0]


def ui_link(conf: Conf) -> str:
    """The link to the files that nginx serves."""
    links = [name for part in conf.components or () for name, _ in part.links]
    return next((name for name in links if name.endswith("-ui")), "current-ui")
