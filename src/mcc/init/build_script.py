"""``mcc_build.sh``: makes ``output/`` from the project, in plain POSIX shell that a person can change."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from mcc.model.project import FrontEnd, Project

_INSTALL = {"npm": "npm ci", "pnpm": "pnpm install --frozen-lockfile", "yarn": "yarn install --frozen-lockfile"}

_HEAD = """\
#!/bin/sh
# Makes output/: all that a deploy reads. Run it on a desk or in a pipeline, then bring output/ to the server.
set -eu
cd "$(dirname "$0")"
rm -rf output.new
mkdir output.new
"""

_BUILD_INFO = """\
# Where it comes from; a pipeline may have written it already.
if [ -f build_info.yml ]; then
  cp build_info.yml output.new/
else
  branch=$(git symbolic-ref --short HEAD 2>/dev/null || echo "${BRANCH:-}")
  branch=$(printf %s "$branch" | sed "s/'/''/g")
  commit=$(git rev-parse HEAD 2>/dev/null || true)
  printf "branch: '%s'\\ncommit_sha: '%s'\\n" "$branch" "$commit" >output.new/build_info.yml
fi
"""

_TAIL = """\
find output.new -name __pycache__ -type d -prune -exec rm -rf {} +
rm -rf output
mv output.new output
echo "output/ is ready"
"""


def build_script(project: Project, config_name: str) -> str:
    """The whole script."""
    parts = (_HEAD, _python(project), _front(project.front), _files(project, config_name), _BUILD_INFO, _TAIL)
    return "\n".join(part for part in parts if part)


def _python(project: Project) -> str:
    if not project.app:
        return ""
    return "\n".join(_python_lines(project)) + "\n"


def _python_lines(project: Project) -> Iterator[str]:
    yield "# The back end, with the exact versions of what it needs"
    yield "if [ -f uv.lock ]; then uv lock --check; else uv lock; fi"
    yield "cp pyproject.toml uv.lock output.new/"
    if project.packaged:
        yield "for file in README.md README.rst LICENSE; do [ ! -f $file ] || cp $file output.new/; done"
    if project.sources:
        yield f"cp -R {shlex.join(project.sources)} output.new/"
    if project.loose:
        yield "mkdir output.new/modules"
        yield f"cp {shlex.join(project.loose)} output.new/modules/"
    if project.migrations and project.migrations.tool == "alembic":
        yield "cp alembic.ini output.new/"


def _front(front: FrontEnd | None) -> str:
    if front is None:
        return ""
    lines = ["# The front end"]
    if front.package_manager:
        install = _INSTALL[front.package_manager]
        lines.append(f"(cd {shlex.quote(front.folder)} && {install} && {front.package_manager} run build)")
    lines.append(f"cp -R {shlex.quote(front.result)} output.new/ui")
    return "\n".join(lines) + "\n"


def _files(project: Project, config_name: str) -> str:
    lines = ["# What the deploy itself reads", f"cp {config_name} conf-*.yml mcc_deploy.py output.new/"]
    lines.append("[ ! -d mcc ] || cp -R mcc output.new/")
    if project.scripts:
        lines.append("cp -R scripts output.new/")
    return "\n".join(lines) + "\n"
