"""An output folder: complete, and in order, before it is brought to a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from mcc.check.files import hooks_file, migrations_in
from mcc.core.branches import refusal
from mcc.core.conf.found_components import found_in
from mcc.core.looks import lock_step
from mcc.core.looks.findings import Finding, error, ok, warning
from mcc.errors import CommandFailed, ConfigError
from mcc.host.ports import Host
from mcc.host.settings import read_build_info
from mcc.model.build import BuildInfo
from mcc.model.conf import Component, Conf
from mcc.model.config import Config, Stage

_LIMIT = 60.0
_BUILD = "build again, with the folder in the output"


@dataclasses.dataclass(frozen=True, slots=True)
class Output:
    """An output folder, as far as it can be read away from its server."""

    folder: Path
    host: Host
    config: Config
    build: BuildInfo | None = None


def check_output(output: Output, stages: Sequence[tuple[Stage, Conf]]) -> Iterator[Finding]:
    """What is the same for all stages, then each stage's own; on its server a deploy's own checks say more."""
    yield from lock(output.host, output.folder)
    yield from hooks_file(output.host, output.folder)
    for stage, conf in stages:
        yield from complete(output, stage, conf)
        yield from branch(output, stage)


def build_info(folder: Path) -> tuple[BuildInfo | None, list[Finding]]:
    """Where the output comes from."""
    try:
        build = read_build_info(folder)
    except ConfigError as wrong:
        found = [
            error("output.build-info", p.file, str(p), p.help or "let the pipeline write it anew")
            for p in wrong.problems
        ]
        return None, found
    if build is None:
        help = "let the build copy build_info.yml into the output"
        return None, [warning("output.no-build-info", "build_info.yml", "it is missing: no branch is checked", help)]
    return build, []


def lock(host: Host, folder: Path) -> Iterator[Finding]:
    """``uv.lock`` is there, and was made from this ``pyproject.toml``."""
    has = {name: host.files.kind(folder / name) == "file" for name in ("pyproject.toml", "uv.lock")}
    if not has["pyproject.toml"]:
        return
    if not has["uv.lock"]:
        yield error(
            "output.lock-missing", "uv.lock", "pyproject.toml has no uv.lock beside it", "run uv lock when building"
        )
        return
    texts = [host.files.read(folder / name).decode("utf-8", "replace") for name in ("pyproject.toml", "uv.lock")]
    try:
        missing = lock_step.missing(*texts)
    except ValueError as wrong:
        yield error("output.lock-unreadable", "uv.lock", f"this is no TOML: {wrong}", "run uv lock")
        return
    stale = f"it does not know {', '.join(missing)}" if missing else _stale(host, folder)
    if stale:
        message = f"{stale}: the environment would not be the one that pyproject.toml asks for"
        yield error("output.lock-stale", "uv.lock", message, "run uv lock, commit it, and build again")
    else:
        yield ok("output.lock", "uv.lock is in step with pyproject.toml")


def _stale(host: Host, folder: Path) -> str:
    """What uv says, where it can say anything without a network."""
    program = host.commands.find("uv")
    if program is None:
        return ""
    words = [program, "lock", "--check", "--offline", "--project", str(folder)]
    try:
        done = host.commands.run(words, cwd=folder, env={"UV_NO_PROGRESS": "1", "VIRTUAL_ENV": ""}, timeout=_LIMIT)
    except CommandFailed:
        return ""
    return "uv says that it needs to be updated" if not done.ok and "needs to be updated" in done.output else ""


def complete(output: Output, stage: Stage, conf: Conf) -> Iterator[Finding]:
    """Everything that the conf names is in the output."""
    files, folder = output.host.files, output.folder
    folders = [name for name in files.names(folder) if files.kind(folder / name) == "folder"]
    components = conf.components if conf.components is not None else found_in(folders)
    found = [*_components(output, stage, components), *_named(output, stage, conf)]
    found += migrations_in(output.host.files, folder, conf, components)
    yield from found
    if not found:
        names = ", ".join(component.name for component in components)
        yield ok("output.complete", f"{names}: all is there that {conf.path.name} names", f"stage {stage.name}")


def _components(output: Output, stage: Stage, components: Sequence[Component]) -> Iterator[Finding]:
    if not components:
        message = "there is nothing to deploy: no api/, shared/, worker/, migrations/ or ui/"
        yield error(
            "output.components", f"stage {stage.name}", message, "build first, or name the folders with COMPONENTS"
        )
    for component in components:
        for source, _ in component.sources:
            if output.host.files.kind(output.folder / source) != "folder":
                message = f"the component {component.name} needs {source}/, which is not there"
                yield error("output.components", f"stage {stage.name}", message, _BUILD)


def _named(output: Output, stage: Stage, conf: Conf) -> Iterator[Finding]:
    files, where = output.host.files, f"stage {stage.name}"
    for job in conf.cron:
        # It may lie on the server from an earlier deploy; a new server has it not.
        if job.script and files.kind(output.folder / "scripts" / job.script) != "file":
            message = f"the cron job {job.marker} runs scripts/{job.script}, which is not there"
            yield warning("output.file-missing", where, message, "copy scripts/ into the output when building")
    for file in conf.site_files:
        if files.kind(output.folder / file.source) != "file":
            message = f"SITE_FILES: {file.source} is not there"
            yield error("output.file-missing", where, message, "copy it into the output when building")


def branch(output: Output, stage: Stage) -> Iterator[Finding]:
    """The branch that it was built from may be deployed there."""
    if output.build is None or output.build.branch is None:
        return
    refused = refusal(output.config, stage, output.build.branch)
    if refused:
        # Another stage of the same output may take it.
        help = "deploy it to another stage, build another branch, or change allow_branches"
        yield warning("branches.refused", f"stage {stage.name}", refused, help)
