"""The project's own steps in a deploy: where each stands, and what it is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mcc.core.hooks import BEHIND_COMMIT
from mcc.deploy.situation import Situation
from mcc.host.ports import Host
from mcc.model.plan import PlannedStep
from mcc.runs.hooks import Folders, context_file, folders_of, hook_step, keep_step, site_secrets


def keep_steps(s: Situation) -> Iterator[PlannedStep]:
    """The project's code is kept before any of it runs."""
    if s.code is not None and s.code.around_steps:
        yield keep_step(s.code, s.request.output, s.site, s.version)


def around(s: Situation, step: str, steps: Iterable[PlannedStep]) -> Iterator[PlannedStep]:
    """The steps of that name, if there are any, with what the project has before and after them."""
    yield from _hooks(s, "before", step)
    yield from steps
    yield from _hooks(s, "after", step)


def _hooks(s: Situation, when: str, step: str) -> Iterator[PlannedStep]:
    for hook in s.code.around_steps if s.code else ():
        if s.code is not None and (hook.when, hook.at) == (when, step):
            # Behind the commit the release is live, whatever becomes of the hook.
            yield hook_step(hook, s.code, s.site, s.version, s.run, optional=step in BEHIND_COMMIT)


def told(s: Situation, host: Host) -> Mapping[str, bytes]:
    """What the hooks of this deploy may know; nothing without hooks."""
    if s.code is None or not s.code.around_steps:
        return {}
    request, component = s.request, s.environment_component
    release = Folders(
        s.version,
        {each.folder: s.release_folder(each) for each in s.components},
        s.release_folder(component or s.components[0]) if s.components else None,
        s.environment_folder,
    )
    live = s.adoption.release or s.ledger.live  # also one that a script made
    # A reset begins from nothing: a hook that makes or changes a schema has to make it.
    previous = None if s.resets else folders_of(live, s.site, host.files)
    return context_file(
        request.conf, site_secrets(s.site, host.files), request.stage.name, request.stage.parameters, request.output,
        s.every_target, release, previous, request.build,
    )  # fmt: skip
