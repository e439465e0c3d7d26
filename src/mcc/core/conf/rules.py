"""What the keys of a conf must be to each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mcc.core.conf.placeholders import Filled
from mcc.core.conf.schema import ConfFile
from mcc.core.document import Document, Place, strings
from mcc.core.nearest import near_miss
from mcc.model.problem import Problem

# Words of commands can be seen by every user of a machine, and a crontab is no place for secrets either.
_OPEN_TO_ALL = ("UV_SYNC_ARGS", "CRON_JOBS", "APP_SERVER_ARGS", "WORKER_COMMAND")


@dataclass(frozen=True, slots=True)
class Given:
    """A conf as far as it could be read.

    ``keys`` are those with a value, ``wrong`` those whose value does not fit: they have their
    default in ``file``. ``cron_text`` is CRON_JOBS in its form as text.
    """

    document: Document
    file: ConfFile
    keys: frozenset[str]
    wrong: frozenset[str]
    filled: Filled
    cron_text: str | None = None

    def lacks(self, key: str) -> bool:
        """Whether a key is neither there nor spoilt by another problem."""
        return key not in self.keys and key not in self.wrong

    @property
    def service_names(self) -> tuple[str, ...]:
        file = self.file
        names = [file.SERVICE_NAME] if file.SERVICE_NAME else file.SERVICES
        return (*names, *file.WORKER_SERVICE_NAME)


Rule = Callable[[Given], list[Problem]]


def rules() -> tuple[Rule, ...]:
    """All rules of this file."""
    return (
        _base_is_there,
        _one_of_two,
        _owners,
        _services_once,
        _domains_once,
        _embedded_services,
        _site_files_once,
        _certificate_and_key,
        _no_secrets_in_commands,
    )


def _base_is_there(given: Given) -> list[Problem]:
    if not given.lacks("REMOTE_BASE"):
        return []
    near = next((key for key in given.document.data if near_miss(key, ["REMOTE_BASE"])), "")
    hint = f"did you mean REMOTE_BASE, where it says {near}?" if near and near != "REMOTE_BASE" else ""
    return [given.document.problem(("REMOTE_BASE",), "is missing", hint or "allowed: the absolute path of the site")]


def _one_of_two(given: Given) -> list[Problem]:
    pairs = (("REMOTE_HOST", "REMOTE_HOSTS"), ("SERVICE_NAME", "SERVICES"), ("DOMAIN", "DOMAINS"))
    data = given.filled.data
    return [
        given.document.problem((many,), f"stands beside {one}", "keep one of the two")
        for one, many in pairs
        if data.get(one) is not None and data.get(many) not in (None, [])
    ]


_OWNERS = {"sudo": ("DIR_USER", "DIR_GROUP"), "acl": ("DIR_USER",)}
_NAMES = {"DIR_USER": "www-data", "DIR_GROUP": "deploy"}


def _owners(given: Given) -> list[Problem]:
    mode = given.file.OWNERSHIP
    if "OWNERSHIP" in given.wrong:
        return []
    return [
        given.document.problem(
            (key,), f"is missing, and OWNERSHIP: {mode} needs it", f"{key}: {_NAMES[key]}, or OWNERSHIP: none"
        )
        for key in _OWNERS.get(mode, ())
        if given.lacks(key)
    ]


def _services_once(given: Given) -> list[Problem]:
    keys = ("SERVICE_NAME", "SERVICES", "WORKER_SERVICE_NAME")
    return _doubles(given, [entry for key in keys for entry in strings(given.filled.data.get(key), (key,))])


def _domains_once(given: Given) -> list[Problem]:
    names = strings(given.filled.data.get("DOMAINS"), ("DOMAINS",))
    return _doubles(given, [(place, name.lower()) for place, name in names])


def _doubles(given: Given, names: Iterable[tuple[Place, str]]) -> list[Problem]:
    """Names that stand twice; looked for in what is written, so that other problems hide none."""
    first: dict[str, int] = {}
    problems = []
    for place, name in names:
        if name in first:
            problems.append(given.document.problem(place, f"{name} stands here and on line {first[name]}"))
        first.setdefault(name, given.document.lines.get(place, 0))
    return problems


def _embedded_services(given: Given) -> list[Problem]:
    if given.file.SERVICE_MANAGER != "embedded" or "EMBEDDED_SERVICES" in given.wrong:
        return []
    return [
        given.document.problem(
            ("EMBEDDED_SERVICES", name),
            "is missing, and SERVICE_MANAGER: embedded needs it",
            "give its command",
        )
        for name in given.service_names
        if name not in given.file.EMBEDDED_SERVICES
    ]


# What mcc itself puts into a site; a file of the project there would be fought over.
_OWN = frozenset({".mcc", ".venv", "venvs", "slots", "run", "pyproject.toml", "uv.lock", "data.db", "domains"})
_USUAL = frozenset({"api", "ui", "current-api", "current-ui"})


def _component_names(given: Given) -> frozenset[str]:
    if given.file.COMPONENTS is None:
        return _USUAL
    names: set[str] = set()
    for name, component in given.file.COMPONENTS.items():
        names |= {(component.folder or name).split("/")[0], *(component.links or {f"current-{name}": "."})}
    return frozenset(names)


def _site_files_once(given: Given) -> list[Problem]:
    problems, seen, taken = [], set(), _OWN | _component_names(given)
    for index, (source, target) in enumerate(given.file.SITE_FILES.items()):
        place: Place = ("SITE_FILES", source)
        place = place if place in given.document.lines else ("SITE_FILES", index)
        if target in seen:
            problems.append(given.document.problem(place, f"{target} has two sources"))
        if target.split("/")[0] in taken:
            problems.append(given.document.problem(place, f"{target} is a place that the deploy itself fills"))
        seen.add(target)
    return problems


def _certificate_and_key(given: Given) -> list[Problem]:
    if given.file.TLS != "files":
        return []
    return [
        given.document.problem((key,), "is missing, and TLS: files needs it", f"the path of the {what}")
        for key, what in (("TLS_CERTIFICATE", "certificate with its chain"), ("TLS_KEY", "key"))
        if given.lacks(key)
    ]


def _no_secrets_in_commands(given: Given) -> list[Problem]:
    return [
        given.document.problem(place, "holds a secret, and other users of the machine could read it there", way_out)
        for place in sorted(given.filled.tainted, key=str)
        if (way_out := _way_out(place))
    ]


def _way_out(place: Place) -> str:
    if place[0] in _OPEN_TO_ALL:
        return "let the program read it from REMOTE_BASE/.env"
    if place[0] == "EMBEDDED_SERVICES" and place[2:3] == ("command",):
        return "put it into the service's environment"
    return ""
