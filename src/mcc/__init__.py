"""Mission Control: brings a new release of a web application live, and knows the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcc.version import __version__

if TYPE_CHECKING:
    from mcc.cli.app import App
    from mcc.host.hooks.context import Context

__all__ = ["App", "Context", "__version__"]


def __getattr__(name: str) -> Any:
    # ``from mcc import App, Context`` in a project's mcc_deploy.py; everything else stays unloaded.
    if name == "App":
        from mcc.cli.app import App

        return App
    if name == "Context":
        from mcc.host.hooks.context import Context

        return Context
    raise AttributeError(f"module 'mcc' has no attribute {name!r}")
