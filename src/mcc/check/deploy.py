"""What a deploy itself would refuse, all at once."""

from __future__ import annotations

from collections.abc import Iterator

from mcc.check.scene import Scene
from mcc.core.looks.findings import Finding, error, ok, warning
from mcc.deploy.checks import Coded, needed_rights, request_problems, situation_problems, situation_warnings
from mcc.deploy.request import Request
from mcc.deploy.situation import Situation, has_python, look
from mcc.errors import CommandFailed, ConfigError, MccError, MigrationFailed
from mcc.model.problem import Problem
from mcc.runs.run import run_id

_SEEN = "a deploy goes on all the same, and says this again"
_REFUSED = "a deploy would be refused for this"
_WAYS = {
    "disk.room": "remove what is not needed (old releases, backups, logs), or make the disk larger",
    "folders.base": "as root: make the folder, and give it to the deploy user (mcc provision --only folders)",
    "output.components": "build again, with the folder in the output; or correct COMPONENTS",
    "output.file-missing": "copy it into the output when building, or take it out of the conf",
    "databases.unreadable": "look at the file's owner and mode; mcc backup --list says what copies there are",
}


def deploy(scene: Scene) -> Iterator[Finding]:
    """Everything that stands in the way of ``mcc deploy`` with this output, but for rights."""
    assert scene.request is not None
    yield from _warnings(scene.request)
    first = list(request_problems(scene.request, scene.host))
    yield from map(_refused, first)
    known = len(first)
    try:
        if has_python(scene.request, scene.host.files):
            scene.host.uv.interpreter(scene.request.output)
    except CommandFailed as wrong:
        yield error("tools.python", "", wrong.message, wrong.help or "install a Python that requires-python allows")
        return
    if not _has_crontab(scene):
        return  # said where the crontab is looked at; nothing can be planned without it
    try:
        situation = look(scene.request, scene.host, run_id(scene.host), scene.tool)
    except MccError as wrong:
        yield from _could_not_look(wrong)
        return
    first += situation_problems(situation, scene.host)
    yield from map(_refused, first[known:])
    yield from _databases(situation)
    yield from (warning(code, "", text, _SEEN) for code, text in situation_warnings(situation, scene.host))
    yield from _rights(scene, situation)
    if not first:
        yield ok("deploy.planned", f"{scene.request.build or 'this build'} would become {situation.version}")


def _has_crontab(scene: Scene) -> bool:
    try:
        return not scene.host.crontab.available() or scene.host.crontab.read() is not None
    except CommandFailed:
        return False


def _warnings(request: Request) -> Iterator[Finding]:
    for text in request.warnings:
        yield warning("config.warning", "", text, _SEEN)


def _refused(coded: Coded) -> Finding:
    code, wrong = coded
    return error(code, "", wrong.message, wrong.help or _WAYS.get(code, _REFUSED))


def _could_not_look(wrong: MccError) -> Iterator[Finding]:
    if isinstance(wrong, ConfigError):
        yield from map(_in_file, wrong.problems)
        return
    code = "deploy.refused"
    if isinstance(wrong, MigrationFailed):
        code = "databases.unreadable"
    log = f": {'; '.join(wrong.log[-2:])}" if wrong.log else ""
    yield error(code, "", wrong.message + log, wrong.help or _WAYS.get(code, _REFUSED))


def _in_file(problem: Problem) -> Finding:
    """What a file of the release holds: the project's own Python, or a migration."""
    where = f"{problem.file}:{problem.line}" if problem.line else problem.file
    code = "hooks.invalid" if problem.file.endswith(".py") else "databases.migration"
    return error(code, where, problem.message, problem.help or "correct the file")


def _databases(situation: Situation) -> Iterator[Finding]:
    if situation.databases is None:
        return
    try:
        situation.databases.refuse(f"mcc migrate --stage {situation.request.stage.name}")
    except ConfigError as wrong:
        yield from map(_in_file, wrong.problems)
    else:
        pending = len(situation.databases.pending_names)
        said = f"{pending} pending; nothing stands in their way" if pending else "nothing is pending"
        yield ok("databases.migrations", said)


def _rights(scene: Scene, situation: Situation) -> Iterator[Finding]:
    from mcc.check.sudo import missing_rights

    yield from missing_rights(scene, needed_rights(situation, scene.host))
