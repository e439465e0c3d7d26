"""pydantic's findings, in our words and with the lines of the file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mcc.core.conf.unfit import Unfit, found
from mcc.core.document import Document, Place
from mcc.core.masking import is_secret_name
from mcc.core.nearest import did_you_mean
from mcc.model.problem import Problem

M = TypeVar("M", bound=BaseModel)
_ALLOWED = {
    "list_type": 'a list, each entry on a line that begins with "- "',
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def validated(
    model: type[M],
    data: Mapping[str, Any],
    document: Document,
    nested: Mapping[str, type[BaseModel]],
    skip: Collection[Place] = (),
) -> tuple[M | None, list[Problem], frozenset[str]]:
    """The model, what is wrong, and the top-level keys that are.

    Keys that are wrong are left out of the model, so that the others can be looked at together;
    it is None if one of them cannot be left out. Nothing is said about places in ``skip``.
    """
    try:
        return model.model_validate(data), [], frozenset()
    except ValidationError as error:
        details = error.errors(include_url=False)
    wrong = frozenset(str(detail["loc"][0]) for detail in details)
    problems = [_problem(detail, document, nested) for detail in details if not _below(_place(detail), skip)]
    try:
        rest: M | None = model.model_validate({key: value for key, value in data.items() if key not in wrong})
    except ValidationError:
        rest = None
    return rest, list(dict.fromkeys(problems)), wrong


def without_doubles(first: Sequence[Problem], then: Sequence[Problem]) -> list[Problem]:
    """Both, but of the second only what says something of another place than the first."""
    places = {(problem.line, problem.key) for problem in first}
    return [*first, *(problem for problem in then if (problem.line, problem.key) not in places)]


def _below(place: Place, skip: Collection[Place]) -> bool:
    return any(place[: len(part)] == part for part in skip)


def _place(detail: ErrorDetails) -> Place:
    """Where it is; pydantic marks a wrong key by a last part ``[key]``."""
    place = detail["loc"]
    return place[:-1] if place[-1] == "[key]" else place


def _problem(detail: ErrorDetails, document: Document, nested: Mapping[str, type[BaseModel]]) -> Problem:
    place = _place(detail)
    message, help = _words(detail, place, nested)
    if any(is_secret_name(part) for part in place) and "found" in message:
        message = "found a value that is not allowed"
    # A single text that stands for a list of one has no item in the file.
    return document.problem(place if detail["type"] == "missing" else document.known(place), message, help)


def _words(detail: ErrorDetails, place: Place, nested: Mapping[str, type[BaseModel]]) -> tuple[str, str]:
    kind = detail["type"]
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, Unfit):
        return cause.message, cause.help
    if kind == "missing":
        return "is missing", ""
    if kind == "extra_forbidden":
        known = [field.alias or name for name, field in nested[str(place[0])].model_fields.items()]
        hint = did_you_mean(str(place[-1]), known)
        return "is not a known key", "; ".join(filter(None, [hint, f"known: {', '.join(known)}"]))
    if kind == "too_short":
        return "found nothing", "allowed: at least one entry"
    unfit = found(detail["input"], _ALLOWED.get(kind, "another value"))
    return unfit.message, unfit.help
