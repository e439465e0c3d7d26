"""uv and Python."""

from __future__ import annotations

from collections.abc import Iterator

from mcc.check.scene import Scene
from mcc.core.looks.findings import Finding, error, ok, warning
from mcc.deploy.situation import has_python
from mcc.errors import CommandFailed

_OLDEST_UV = (0, 5)


def tools(scene: Scene) -> Iterator[Finding]:
    """That they are there and new enough; what is missing altogether, the checks of a deploy say."""
    program = scene.host.commands.find("uv")
    if scene.request is None or program is None or not has_python(scene.request, scene.host.files):
        return
    done = scene.host.commands.run([program, "--version"], timeout=30.0)
    version = _version(done.output)
    if not done.ok:
        yield error("tools.uv", program, f"it does not run (exit code {done.code})", "install uv again")
    elif version and version < _OLDEST_UV:
        shown = ".".join(map(str, version))
        yield warning("tools.uv-old", program, f"uv {shown} is older than 0.5", "install a newer uv")
    try:
        interpreter = scene.host.uv.interpreter(scene.request.output)
    except CommandFailed:
        return  # the checks of a deploy say it
    yield ok("tools.versions", f"{done.output.strip()}; {interpreter.version} at {interpreter.path}")


def _version(text: str) -> tuple[int, ...]:
    words = text.split()
    numbers = words[1].split(".") if len(words) > 1 else []
    return tuple(int(number) for number in numbers[:2] if number.isdecimal())
