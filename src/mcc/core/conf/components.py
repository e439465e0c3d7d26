"""``COMPONENTS``: which folders of the output become which folders and links of the site."""

from __future__ import annotations

from mcc.core.conf.rules import Given
from mcc.core.conf.schema import ComponentFile
from mcc.model.conf import Component
from mcc.model.problem import Problem

# Names in a site that are not a component's to take.
_TAKEN = frozenset(
    {
        ".mcc",
        ".venv",
        ".env",
        "venvs",
        "slots",
        "run",
        "domains",
        "data",
        "data.db",
        "logs",
        "scripts",
        "backups",
    }
    | {"pyproject.toml", "uv.lock"}
)


def _folder(name: str, component: ComponentFile) -> str:
    return component.folder or name


def _links(name: str, component: ComponentFile) -> dict[str, str]:
    return {f"current-{name}": "."} if component.links is None else component.links


def to_components(written: dict[str, ComponentFile]) -> tuple[Component, ...]:
    """The components, in the order of the file, with their defaults."""
    chosen = "api" if "api" in written else next(iter(written), "")
    return tuple(
        Component(
            name=name,
            folder=_folder(name, component),
            sources=tuple(component.sources.items()),
            links=tuple(_links(name, component).items()),
            environment=name == chosen if component.environment is None else component.environment,
        )
        for name, component in written.items()
    )


def component_problems(given: Given) -> list[Problem]:
    """Names that two components, or a component and the site, would fight over."""
    components = given.file.COMPONENTS or {}
    problems: list[Problem] = []
    folders: dict[str, str] = {}
    links: dict[str, str] = {}
    for name, component in components.items():
        problems += _folder_problems(given, name, component, folders)
        problems += _source_problems(given, name, component)
        problems += _link_problems(given, name, component, links)
    return problems + _links_over_folders(given, links, folders)


def _folder_problems(given: Given, name: str, component: ComponentFile, seen: dict[str, str]) -> list[Problem]:
    folder = _folder(name, component)
    problems = []
    if folder.split("/")[0] in _TAKEN:
        problems.append(f"{folder} is a folder that the site keeps for something else")
    problems += [
        f"{folder} is also the folder of {other}, or one lies in the other"
        for earlier, other in seen.items()
        if f"{folder}/".startswith(f"{earlier}/") or f"{earlier}/".startswith(f"{folder}/")
    ]
    seen.setdefault(folder, name)
    return [given.document.problem(("COMPONENTS", name, "folder"), problem) for problem in problems]


def _source_problems(given: Given, name: str, component: ComponentFile) -> list[Problem]:
    problems, seen = [], dict[str, str]()
    for source, target in component.sources.items():
        if target in seen:
            message = f"{target} is also where {seen[target]} goes"
            problems.append(given.document.problem(("COMPONENTS", name, "sources", source), message))
        seen.setdefault(target, source)
    return problems


def _link_problems(given: Given, name: str, component: ComponentFile, seen: dict[str, str]) -> list[Problem]:
    problems = []
    for link in _links(name, component):
        place = ("COMPONENTS", name, "links", link)
        if link in seen:
            problems.append(given.document.problem(place, f"is also a link of {seen[link]}"))
        if link in _TAKEN:
            problems.append(given.document.problem(place, "is a name that the site keeps for something else"))
        seen.setdefault(link, name)
    return problems


def _links_over_folders(given: Given, links: dict[str, str], folders: dict[str, str]) -> list[Problem]:
    tops = {folder.split("/")[0]: name for folder, name in folders.items()}
    return [
        given.document.problem(("COMPONENTS", name, "links", link), f"is also the folder of {tops[link]}")
        for link, name in links.items()
        if link in tops
    ]
