"""The front end, for machines without a web server in front; nginx serves `current-ui` by itself."""

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

from shared.site import site_base

router = APIRouter()


@router.get("/{path:path}", include_in_schema=False)
def page(path: str) -> FileResponse:
    """A file of the live front end. The link is followed anew for each request, and never left."""
    root = (site_base() / "current-ui").resolve()
    file = (root / (path or "index.html")).resolve()
    if not file.is_relative_to(root) or not file.is_file():
        raise HTTPException(404, "there is no such page")
    forever = path.startswith("assets/")  # their names change with their content
    return FileResponse(file, headers={"Cache-Control": "max-age=31536000" if forever else "no-cache"})
