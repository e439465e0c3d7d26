"""What docs/hooks.md says of steps, options and the context is what there is; its examples can be read."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from mcc.core.hooks import BEFORE_COMMIT, HOOK_TIMEOUT, STAGE_TIMEOUT, STEPS, Registry
from mcc.host.commands import RealCommands
from mcc.host.hooks.context import Context, HookDatabase, HookRelease, HookServices
from mcc.host.hooks.project import RealHooks
from mcc.model.build import BuildInfo
from mcc.model.conf import Conf, Server
from mcc.runs.hooks import context_file

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "hooks.md").read_text()
EXAMPLES = [
    pytest.param(text, id=f"{page.name}-{number}")
    for page in (DOCS / "hooks.md", DOCS / "moving-from-a-script.md", DOCS.parent / "README.md")
    for number, text in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.S), 1)
    if "@app." in text
]


def rows(head: str) -> list[list[str]]:
    """The table below a head."""
    lines = TEXT[TEXT.index(head) :].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[: lines.index("")]]


def test_the_steps_are_those_that_a_hook_may_stand_at_in_their_order() -> None:
    named = [row[0].strip("`") for row in rows("| step | is |")]
    commit = named.index("**commit**")
    assert (tuple(named[:commit]), tuple(named[commit + 1 :])) == (BEFORE_COMMIT, STEPS[len(BEFORE_COMMIT) :])


def test_the_options_are_those_of_the_decorators() -> None:
    for decorator in (Registry.before, Registry.after, Registry.stage):
        known = list(inspect.signature(decorator).parameters)[2:]
        assert [row[0].strip("`") for row in rows("| option | default |")] == known
    assert [row[1] for row in rows("| option | default |")] == ["none", f"{HOOK_TIMEOUT:g}"]
    assert f"{STAGE_TIMEOUT:g} for a stage" in TEXT


def test_everything_of_the_context_is_documented_and_nothing_else(tmp_path: Path) -> None:
    conf = Conf(tmp_path, Server(tmp_path))
    ((name, data),) = context_file(conf, frozenset(), "x", {}, tmp_path, (), None, None, None).items()
    (tmp_path / name).write_bytes(data)
    context = Context.read(tmp_path / name, tmp_path / "result", "before own: f")
    real = {name for name in dir(context) if not name.startswith("_")} - {"read"}
    cells = [row[0] for row in rows("| of the context |")]
    assert {name for cell in cells for name in re.findall(r"`(\w+)", cell)} == real


@pytest.mark.parametrize(("row", "kind"), [
    ("release", HookRelease), ("databases", HookDatabase), ("services", HookServices), ("build", BuildInfo),
])  # fmt: skip
def test_parts_of_the_context_are_all_named(row: str, kind: type) -> None:
    (text,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{row}`")]
    members = {name for name in dir(kind) if not name.startswith("_")} | ({"names"} if kind is HookServices else set())
    assert {name for name in members if f"`{name}" not in text} == set()


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_can_be_read(text: str, tmp_path: Path) -> None:
    (tmp_path / "mcc_deploy.py").write_text(text)
    code = RealHooks(RealCommands(), {}).read(tmp_path)
    assert code is not None
    assert code.hooks
