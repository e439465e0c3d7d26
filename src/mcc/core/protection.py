"""Sites whose data nobody may replace or wipe by accident."""

from __future__ import annotations

from mcc.errors import UsageError
from mcc.model.conf import Conf

_PRODUCTION = ("prod", "production", "live")


def site_name(conf: Conf) -> str:
    """What a person types to mean this site and no other: the name of its folder."""
    return conf.server.base.name


def why_protected(conf: Conf) -> str | None:
    """The key that protects a site (``STAGE: prod``, ``PROTECTED: true``), or None."""
    if (conf.stage or "").lower() in _PRODUCTION:
        return f"STAGE: {conf.stage}"
    return "PROTECTED: true" if conf.protected else None


def refuse_protected(conf: Conf, confirmed: str | None, harm: str, how: str, what: str = "the site") -> None:
    """Raise UsageError if a site is protected and its name was not typed.

    ``harm``: what would happen (``all its data would be replaced``); ``how``: the way to type the name, with
    ``NAME`` in its place (``--param confirm=NAME``).
    """
    why, name = why_protected(conf), site_name(conf)
    if why is None or confirmed == name:
        return
    typed = f"{confirmed!r} is not its name; " if confirmed else ""
    raise UsageError(
        f"{what} {conf.server.base} is protected ({conf.path.name}: {why}): {harm}",
        help=f"{typed}if that is meant, type its name: {how.replace('NAME', name)}",
    )
