"""A project's own Python as steps of a run, and what its functions are told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mcc.core.databases import password, url_of
from mcc.core.dotenv import variables
from mcc.core.layout import Site
from mcc.core.masking import is_secret_name, url_passwords
from mcc.host.ports import Files
from mcc.model.build import BuildInfo
from mcc.model.conf import Conf
from mcc.model.database import Target
from mcc.model.hooks import Hook, HookCall, ProjectCode
from mcc.model.plan import Phase, PlannedStep
from mcc.model.release import Release
from mcc.steps.hook import KeepHooks, RunHook

CONTEXT = "hooks.json"
"""The file of the run that holds what hooks may know, secrets included (mode 0600)."""

_PHASES: Mapping[str, Phase] = {"back-up": "back up"}


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a release is: its folders by component, the one with the back end, its environment."""

    name: str
    folders: Mapping[str, Path]
    home: Path | None
    environment: Path | None


def folders_of(release: Release | None, site: Site, files: Files) -> Folders | None:
    """Those of a release in the ledger; the back end is where its environment is linked."""
    if release is None:
        return None
    folders = {folder.partition("/")[0]: site.base / folder for folder in release.folders}
    with_environment = (path for path in folders.values() if files.kind(path / ".venv") != "absent")
    home = next(with_environment, next(iter(folders.values()), None))
    environment = site.environments / release.environment if release.environment else None
    return Folders(release.name, folders, home, environment)


def site_secrets(site: Site, files: Files) -> frozenset[str]:
    """Values of ``.env`` that must not be shown, by their names, and passwords in addresses there."""
    if files.kind(site.variables) != "file":
        return frozenset()
    found = variables(files.read(site.variables).decode("utf-8", "replace"))
    named = {value for name, value in found.items() if is_secret_name(name)}
    return frozenset(named.union(*map(url_passwords, found.values())))


def context_file(
    conf: Conf,
    secrets: frozenset[str],
    stage: str,
    parameters: Mapping[str, Any],
    output: Path,
    targets: Iterable[Target],
    release: Folders | None,
    previous: Folders | None,
    build: BuildInfo | None,
) -> Mapping[str, bytes]:
    """What hooks may know, for :class:`mcc.runs.work.Prepared`. ``secrets`` are those that the conf does not know."""
    data = {
        "stage": stage,
        "parameters": parameters,
        "conf": conf.values,
        "secrets": sorted(conf.secrets | secrets),
        "site": conf.server.base,
        "output": output,
        "release": _as_data(release),
        "previous": _as_data(previous),
        "build": asdict(build) if build else None,
        "services": asdict(conf.services),
        "databases": [_database(conf, target) for target in targets],
    }
    return {CONTEXT: json.dumps(data, default=str).encode()}


def keep_step(code: ProjectCode, output: Path, site: Site, name: str) -> PlannedStep:
    """Keep the code before anything of it runs. ``name``: of the release, or of a run that brings none."""
    step = KeepHooks(output, code.files, site.hooks(name))
    return PlannedStep("place", f"{', '.join(code.files)} -> .mcc/hooks", step)


def hook_step(hook: Hook, code: ProjectCode, site: Site, name: str, run: str, optional: bool = False) -> PlannedStep:
    """One function of the kept code. ``optional``: it stands behind the commit."""
    number = code.hooks.index(hook)
    kept = site.kept(run)
    call = HookCall(hook, site.hooks(name), kept / CONTEXT, kept / f"hook-{number}.json")
    return PlannedStep(_phase(hook), hook.title, RunHook(call), optional)


def _phase(hook: Hook) -> Phase:
    if hook.when == "stage":
        return "run"
    return _PHASES.get(hook.at, hook.at)  # type: ignore[arg-type]


def _as_data(folders: Folders | None) -> Mapping[str, Any] | None:
    if folders is None:
        return None
    paths = {name: str(path) for name, path in folders.folders.items()}
    return {"name": folders.name, "folders": paths, "home": folders.home, "environment": folders.environment}


def _database(conf: Conf, target: Target) -> Mapping[str, Any]:
    if target.kind == "sqlite":
        return {"name": target.name, "kind": "sqlite", "url": f"sqlite:///{target.path}", "path": target.path,
                "schema": None}  # fmt: skip
    url = conf.database.url or url_of(target, password(conf.database, {}))
    return {"name": target.name, "kind": "postgresql", "url": url, "path": None, "schema": target.schema}
