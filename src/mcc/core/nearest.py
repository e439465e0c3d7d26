"""Which known word a person probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

# DOMIANS is 0.86 like DOMAINS; UI_PORT, which is somebody's own key, 0.80 like API_PORT.
_TYPING_ERROR = 0.85
_LIKE = 0.6


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one.casefold(), other.casefold(), autojunk=False).ratio()


def nearest(word: str, known: Iterable[str], at_least: float = _LIKE) -> str | None:
    """The known word that is most like ``word``, if any is like it at all; case does not count."""
    if len(word) > 100:
        return None
    ranked = [(_likeness(word, name), name) for name in known]
    likeness, name = max(ranked, default=(0.0, ""))
    return name if likeness >= at_least else None


def near_miss(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` looks like a typing error of."""
    return nearest(word, known, _TYPING_ERROR)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean DOMAINS?``, or nothing."""
    name = nearest(word, known)
    return f"did you mean {name}?" if name is not None else ""
