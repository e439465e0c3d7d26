"""Is the application well? Asked by every deploy, and by whoever watches the site."""

from typing import Any

from fastapi import APIRouter, Response

from shared.db.connection import answers
from shared.site import databases, site_base
from shared.version import version

router = APIRouter()


@router.get("/api/public/health/health")
def health(response: Response) -> dict[str, Any]:
    """200 when every database answers, 503 when one does not or when there is none."""
    state = {name: answers(path) for name, path in databases(site_base()).items()}
    well = bool(state) and all(state.values())
    response.status_code = 200 if well else 503
    return {"status": "ok" if well else "failing", "version": version(), "databases": state}
