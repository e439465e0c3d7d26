"""JSON Schemas (draft 2020-12) of the files that people write, for their editors."""

from __future__ import annotations

from typing import Any

from mcc.core.conf import schema as conf_schema
from mcc.core.conf import stages_schema as config_schema

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """One schema for ``config`` and one for ``conf``."""
    made = {"config": config_schema.schema(), "conf": conf_schema.schema()}
    return {name: {"$schema": DRAFT, **schema} for name, schema in made.items()}
