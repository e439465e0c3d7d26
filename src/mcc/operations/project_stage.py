"""A stage whose work is a function of the project's own: ``@app.stage("reset-dev")`` in ``mcc_deploy.py``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from mcc.core.nearest import did_you_mean
from mcc.core.stages import find_stage
from mcc.errors import ConfigError
from mcc.host.ports import Host
from mcc.host.settings import read_config
from mcc.model.config import Config, Stage
from mcc.model.hooks import Hook, ProjectCode
from mcc.model.plan import Plan, PlannedStep
from mcc.model.problem import Problem
from mcc.operations.site import Asked
from mcc.runs.databases import site_databases
from mcc.runs.frozen import refuse_frozen
from mcc.runs.hands import Hands
from mcc.runs.hooks import context_file, folders_of, hook_step, keep_step, site_secrets
from mcc.runs.ledger import read_ledger
from mcc.runs.recover import dead_runs
from mcc.runs.run import run_id, run_work
from mcc.runs.work import Prepared, Work
from mcc.steps.hook import ForgetHooks


@dataclasses.dataclass(frozen=True, slots=True)
class ProjectStage:
    """What was asked for, and the function that does it."""

    asked: Asked
    output: Path
    code: ProjectCode
    hook: Hook


def function_of(output: Path, name: str, parameters: Mapping[str, str], code: ProjectCode | None) -> Hook | None:
    """The project's function for a stage, or for what its ``parameters.operation`` names; None: mcc does it.

    Raises Refused: there is no such stage, or a function is for one that there is not.
    """
    if code is None:
        return None
    config = read_config(output)
    _refuse_unknown(config, code)
    stage = find_stage(config, name)
    return code.stage(stage.name) or code.stage(str({**stage.parameters, **parameters}.get("operation")))


def _refuse_unknown(config: Config, code: ProjectCode) -> None:
    """A misspelt name would leave the stage to what mcc itself does by that name."""
    known = tuple(_names(config.stages))
    problems = [
        Problem(
            hook.file, hook.line, "", f"{config.path.name} has no stage {hook.at!r}",
            "; ".join(filter(None, (did_you_mean(hook.at, known), f"stages: {', '.join(known)}"))),
        )
        for hook in code.hooks if hook.when == "stage" and hook.at not in known
    ]  # fmt: skip
    if problems:
        raise ConfigError(problems)


def _names(stages: Iterable[Stage]) -> Iterator[str]:
    for stage in stages:
        yield stage.name
        if stage.parameters.get("operation") is not None:
            yield str(stage.parameters["operation"])


def plan_project_stage(wanted: ProjectStage, hands: Hands) -> Plan:
    """Look and plan; nothing is changed. Raises Refused."""
    asked = wanted.asked
    host = hands.host(asked.site, asked.conf.services)
    refuse_frozen(asked.site, host.files)
    plan = _prepare(wanted, host, run_id(host)).plan
    open_runs = tuple(f"the run {name} has not ended" for name in dead_runs(host.files, asked.site))
    return dataclasses.replace(plan, warnings=(*plan.warnings, *open_runs))


def run_project_stage(wanted: ProjectStage, hands: Hands) -> int:
    """Run the function as one run, with lock and journal; the answer is the exit code. Raises Refused."""
    asked = wanted.asked
    work = Work(asked.site, asked.stage, "", asked.conf.services, asked.masker, asked.build)
    return run_work(work, lambda host, run: _prepare(wanted, host, run), hands)


def _prepare(wanted: ProjectStage, host: Host, run: str) -> Prepared:
    asked, code = wanted.asked, wanted.code
    found = site_databases(asked.conf, asked.site, host, run)
    live = folders_of(read_ledger(host.files, asked.site).live, asked.site, host.files)
    told = context_file(
        asked.conf, site_secrets(asked.site, host.files), asked.stage, asked.parameters, wanted.output, found.targets,
        live, None, asked.build,
    )  # fmt: skip
    before = (
        keep_step(code, wanted.output, asked.site, run),
        hook_step(wanted.hook, code, asked.site, run, run),
    )
    forget = PlannedStep("prune", "the kept code", ForgetHooks(asked.site.hooks(run)), optional=True)
    warnings = (*asked.warnings, *code.warnings)
    return Prepared(Plan(before, (forget,), warnings), kept={**found.kept, **told})
