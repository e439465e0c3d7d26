"""Which database a request belongs to."""

from pathlib import Path

from fastapi import HTTPException, Request

from shared.site import databases, site_base


def host_of(request: Request) -> str:
    """The name that the visitor asked for, without its port; a proxy says it in X-Forwarded-Host."""
    header = request.headers.get("x-forwarded-host") or request.headers.get("host", "")
    name = header.split(",")[0].strip().lower()
    return name.rsplit(":", 1)[0] if name.rsplit(":", 1)[-1].isdigit() else name


def database_of(request: Request) -> Path:
    """The database of the request's domain, or the first one for a name that is none of ours (127.0.0.1).

    The header is only looked up among the domains that are there; it never becomes a path.
    """
    known = databases(site_base())
    if not known:
        raise HTTPException(503, "there is no database yet: deploy once, the migrations make it")
    return known.get(host_of(request)) or next(iter(known.values()))
