"""An ASGI application in a Python source: its name, and the path that says how it is. Nothing is run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

_MAKERS = frozenset({"FastAPI", "Starlette", "Litestar", "Quart"})
_ROUTE = frozenset({"get", "api_route", "route"})
_HEALTH = re.compile(r"/(?:health|healthz|ready|readyz|livez|ping|status)/?", re.IGNORECASE)


def applications(text: str) -> tuple[str, ...]:
    """Names at module level that are an application; none if the source cannot be read."""
    return tuple(
        target.id
        for statement in _body(text)
        if isinstance(statement, ast.Assign | ast.AnnAssign) and _makes_app(statement.value)
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        if isinstance(target, ast.Name)
    )


def _makes_app(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Call) and _last_name(value.func) in _MAKERS


def imports(text: str) -> frozenset[str]:
    """The first names of all modules that a source imports."""
    found: set[str] = set()
    for node in ast.walk(ast.Module(_body(text), [])):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return frozenset(found)


def health_path(texts: Iterable[str]) -> str | None:
    """The whole path of the first route that looks like a health check and whose prefixes are all written down."""
    sources = list(texts)
    over = _including(sources)
    for text in sources:
        for owner, path in _routes(text):
            if not _HEALTH.search(path):
                continue
            prefix = _prefix(text, owner, over)
            if prefix is not None:
                return f"{prefix}{path}"
    return None


def _routes(text: str) -> list[tuple[str, str]]:
    """``(app or router, path)`` of each GET route."""
    found = []
    for node in ast.walk(ast.Module(_body(text), [])):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            continue
        first = node.args[0]
        if node.func.attr in _ROUTE and isinstance(first, ast.Constant) and isinstance(first.value, str):
            found.append((_last_name(node.func.value), first.value))
    return found


def _prefix(text: str, owner: str, over: list[str | None]) -> str | None:
    """What stands before the paths of an application or a router; None if that is not certain."""
    if owner in applications(text):
        return ""
    own = _keyword(text, owner, "APIRouter")
    if own is None or len(over) > 1 or None in over:
        return None
    return f"{over[0] if over else ''}{own}"


def _keyword(text: str, name: str, maker: str) -> str | None:
    for statement in _body(text):
        if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
            continue
        names = {target.id for target in statement.targets if isinstance(target, ast.Name)}
        if name in names and _last_name(statement.value.func) == maker:
            return _prefix_of(statement.value)
    return None


def _including(sources: Iterable[str]) -> list[str | None]:
    """The different prefixes that routers are included under."""
    prefixes = (
        _prefix_of(node)
        for text in sources
        for node in ast.walk(ast.Module(_body(text), []))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "include_router"
    )
    return list(dict.fromkeys(prefixes))


def _prefix_of(call: ast.Call) -> str | None:
    for keyword in call.keywords:
        if keyword.arg == "prefix":
            written = keyword.value
            return written.value if isinstance(written, ast.Constant) and isinstance(written.value, str) else None
    return ""


def _last_name(value: ast.expr) -> str:
    return value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else ""


def _body(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError):
        return []
