"""``mcc schema``."""

from __future__ import annotations

import json

from mcc.errors import UsageError


def show_schema(file: str) -> int:
    """Print one JSON Schema."""
    from mcc.core.conf.schemas import schemas

    known = schemas()
    if file not in known:
        raise UsageError(f"there is no schema of {file!r}", help=f"there are: {', '.join(known)}")
    print(json.dumps(known[file], indent=2))
    return 0
