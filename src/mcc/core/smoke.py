"""Which addresses say whether a site is well."""

from __future__ import annotations

from mcc.model.conf import Conf


def smoke_urls(conf: Conf) -> tuple[str, ...]:
    """What is asked as a visitor asks it: ``SMOKE_URLS``, else the front page and health of each domain."""
    if conf.smoke.urls is not None:
        return conf.smoke.urls
    paths = ("/", conf.smoke.health_path)
    return tuple(f"https://{domain}{path}" for domain in conf.domains for path in paths)
