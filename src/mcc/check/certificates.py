"""The certificates that visitors get to see, and how long they are good."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from mcc.check.scene import Scene
from mcc.check.together import each_at_once
from mcc.core.looks.findings import Finding, error, ok, warning
from mcc.core.smoke import smoke_urls
from mcc.host.senses import Certificate

_TIMEOUT = 5.0
_SOON = timedelta(days=14)
_RENEW = "as root: certbot renew, and look why it did not by itself (systemctl list-timers); then reload nginx"


def certificates(scene: Scene) -> Iterator[Finding]:
    """Of each domain, and of each https address that smoke tests ask."""
    addresses = [urlsplit(url) for url in smoke_urls(scene.conf)]
    asked = [parts.hostname for parts in addresses if parts.scheme == "https" and parts.port in (None, 443)]
    names = dict.fromkeys([*scene.conf.domains, *filter(None, asked)])
    yield from each_at_once(lambda name: list(_one(scene, name)), names)


def _one(scene: Scene, name: str) -> Iterator[Finding]:
    seen = scene.senses.certificate(name, _TIMEOUT)
    if seen.trust != "good" or seen.until is None:
        yield _bad(seen)
        return
    left = seen.until - scene.host.clock.now()
    if left < _SOON:
        message = f"its certificate ends in {max(0, left.days)} days, on {seen.until:%Y-%m-%d}"
        yield warning("certificates.soon", name, message, _RENEW)
    else:
        yield ok("certificates.good", f"good for {left.days} days", name)


def _bad(seen: Certificate) -> Finding:
    help = {
        "expired": _RENEW,
        "wrong-name": "as root: name the certificate of this domain in its nginx site (ssl_certificate), reload nginx",
        "not-trusted": "as root: get one of a known authority (certbot), and let nginx send its whole chain",
    }.get(seen.trust, "look at the domain's DNS entry, at nginx, and at the firewall")
    return error(f"certificates.{seen.trust}", seen.domain, seen.reason or "it shows no certificate", help)
