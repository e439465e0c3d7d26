"""What visitors see while a site rests, and what its switch says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

UNAVAILABLE = 503
"""What visitors are answered while the site rests, with Retry-After (RFC 9110, section 15.6.4)."""

_OURS = b"<!-- the plain page of mcc -->"

_PAGE = """\
<!DOCTYPE html>
<!-- the plain page of mcc -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="%(seconds)d">
<title>Back soon</title>
<style>
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: #f6f6f4; color: #222;
         font: 1.1rem/1.5 system-ui, sans-serif; }
  main { max-width: 30rem; padding: 2rem; }
  h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
  p { margin: 0; }
  @media (prefers-color-scheme: dark) { body { background: #1b1b1d; color: #e6e6e6; } }
</style>
</head>
<body>
<main>
<h1>We will be back soon</h1>
<p>This site is being worked on. The page asks again by itself.</p>
</main>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Maintained:
    """Since when a site rests, by whom and what for; what is not known is empty."""

    since: str = ""
    by: str = ""
    reason: str = ""

    @property
    def words(self) -> str:
        """``since 2026-02-27T15:00:00+00:00, by deploy, for a migration``."""
        parts = (f"since {self.since}" if self.since else "", f"by {self.by}" if self.by else "", self.reason)
        return ", ".join(filter(None, parts)) or "switched on by hand"


def plain_page(refresh: int) -> bytes:
    """A small page without other files; ``refresh``: seconds after which a browser asks again."""
    return (_PAGE % {"seconds": refresh}).encode()


def is_ours(page: bytes) -> bool:
    """Whether a page is the plain one, so that it may be written anew."""
    return _OURS in page


def switch_text(since: datetime, by: str, reason: str = "") -> str:
    """What stands in the switch, for those who ask; the web server looks whether it is there."""
    data = {"since": since.isoformat(timespec="seconds"), "by": by, "reason": reason}
    return json.dumps({key: value for key, value in data.items() if value}) + "\n"


def read_switch(text: bytes) -> Maintained:
    """What :func:`switch_text` wrote; a switch that somebody made by hand counts too, and says nothing."""
    try:
        data = json.loads(text)
        return Maintained(*(str(data.get(key, "")) for key in ("since", "by", "reason")))
    except (ValueError, AttributeError):
        return Maintained()


def front_pages(urls: Sequence[str], health_path: str) -> tuple[str, ...]:
    """Those of ``urls`` that show the page: all but the health address, which is answered all the time."""
    return tuple(url for url in urls if urlsplit(url).path != urlsplit(health_path).path)
