"""What the pages say is there, is there: commands, options, files, links, exit codes, events; and their examples run.

The keys of the configuration have a test of their own beside this one.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer

from mcc.cli import main as cli
from mcc.cli.declared import releases
from mcc.core.conf.placeholders import fill
from mcc.core.conf.stages_schema import to_config
from mcc.core.conf.unfit import Unfit
from mcc.core.conf.values import to_conf
from mcc.errors import MccError
from mcc.host.yaml import parse
from mcc.model import event as events
from mcc.model.build import BuildInfo
from mcc.model.plan import Phase
from mcc.model.release import Release
from mcc.version import __version__

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
MCC: Any = typer.main.get_command(cli.app)


def commands(group: Any = MCC, above: str = "") -> dict[str, Any]:
    """Every command by the words behind ``mcc``: ``deploy``, ``cron list``."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        words = f"{above}{name}"
        found |= commands(command, f"{words} ") if hasattr(command, "commands") else {words: command}
    return found


COMMANDS = commands()
GROUPS = {name for name, command in MCC.commands.items() if hasattr(command, "commands")}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


# ---- reading a page


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block. ``runs``: a comment before it says so; ``line`` is that of its fence."""

    language: str
    text: str
    line: int
    runs: bool


def blocks(page: Path) -> list[Block]:
    found: list[Block] = []
    start, language, indent, lines = 0, "", 0, list[str]()
    before = ""
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        bare = line.strip()
        if bare.startswith("```") and not start:
            start, language, indent, lines = number, bare[3:], line.index("`"), []
        elif bare == "```":
            found.append(Block(language, "\n".join(lines) + "\n", start, before.startswith("<!-- runs")))
            start, before = 0, ""
        elif start:
            lines.append(line[indent:])
        else:
            before = bare
    assert not start, f"{page.name}:{start}: a block without an end"
    return found


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.M | re.S)


def spans(page: Path) -> list[str]:
    """What stands between backquotes; a line break in one is a blank."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(page))]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def table(text: str, *head: str) -> list[list[str]]:
    """The rows of the first table whose head begins with these words."""
    rows: list[list[str]] | None = None
    for line in text.splitlines():
        is_row = line.lstrip().startswith("|")
        if rows is None and is_row and tuple(cells(line)[: len(head)]) == head:
            rows = []
        elif rows is not None and is_row:
            rows.append(cells(line))
        elif rows is not None:
            break
    assert rows, f"there is no table with the head {head}"
    return rows[1:]  # the line of dashes


def sections(page: Path) -> dict[str, str]:
    parts = re.split(r"^## (.*)$", page.read_text("utf-8"), flags=re.M)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


# ---- commands and options


def options(command: Any) -> dict[str, Any]:
    """The visible options of a command by their long names, but for ``--help``."""
    visible = [option for option in command.params if option.param_type_name == "option" and not option.hidden]
    return {option.opts[0]: option for option in visible if "--help" not in option.opts}


def test_every_command_and_option_is_documented_and_nothing_else() -> None:
    pages = sections(DOCS / "commands.md")
    documented = {title.removeprefix("mcc ") for title in pages if title}
    assert documented == set(COMMANDS)
    for title, text in pages.items():
        command = COMMANDS[title.removeprefix("mcc ")] if title else MCC
        real = options(command)
        rows = table(text, "option") if "| option |" in text else []
        assert {row[0].strip("`") for row in rows} == set(real), title
        for row in rows:
            option = real[row[0].strip("`")]
            assert (row[1] == "needed") == bool(option.required), row
            if row[1].startswith("`"):
                assert row[1].strip("`") == getattr(option.default, "value", option.default), row


def test_every_value_of_a_format_is_documented() -> None:
    pages = sections(DOCS / "commands.md")
    for name in ("deploy", "status", "releases"):
        kind = get_type_hints(getattr(releases, name))["format"]
        (row,) = [row for row in table(pages[f"mcc {name}"], "option") if row[0] == "`--format`"]
        assert {value.value for value in kind} <= set(quoted(row[1] + row[2])), row


def command_lines(page: Path) -> Iterator[str]:
    """Each command line of a page that calls ``mcc`` or a project's ``mcc_deploy.py``."""
    for block in blocks(page):
        if block.language in ("sh", "console", "text", ""):
            for line in block.text.splitlines():
                yield from _calls(re.sub(r"^\$ ", "", line))
    for span in spans(page):
        yield from _calls(span)


def _calls(line: str) -> Iterator[str]:
    call = re.match(r"(?:[A-Z_]+=\S+ )*(?:uv run (?:--frozen )?)?(?:\S*bin/)?(mcc|mcc_deploy\.py)( .*|$)", line)
    if call:
        yield call.group(1) + call.group(2)


@each_page
def test_every_mcc_command_on_a_page_exists(page: Path) -> None:
    for line in command_lines(page):
        program, *words = shlex.split(line, comments=True)
        if program == "mcc" and words and words[0].startswith("COMMAND"):
            continue
        name = words.pop(0) if program == "mcc" and words and not words[0].startswith("-") else ""
        if name in GROUPS and not words:
            continue
        name = f"{name} {words.pop(0)}" if name in GROUPS else name
        command = COMMANDS.get(name) if name else (MCC if program == "mcc" else COMMANDS["deploy"])
        assert command is not None, f"{page.name}: {line}: there is no such command"
        known = {*options(command), "--help", "-h"}
        used = {word.split("=")[0] for word in words if word.startswith("-")}
        assert used <= known, f"{page.name}: {line}"


def test_pages_do_call_mcc() -> None:
    """The test above reads what it is meant to read."""
    lines = [line for page in PAGES for line in command_lines(page)]
    assert "mcc deploy --stage prod --plan" in {line.partition("  ")[0] for line in lines}
    assert "mcc_deploy.py --stage prod" in lines
    assert len(lines) > 40


# ---- files, links, anchors


def slug(title: str) -> str:
    """The anchor of a title, as web hosts of repositories make it."""
    kept = re.sub(r"[^\w\- ]", "", title.strip().lower())
    return kept.replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {slug(title) for title in re.findall(r"^#+ (.*)$", prose(page), flags=re.M)}


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    """Files, folders and anchors of relative links exist."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(file), f"{page.name}: {target}: no such title"


ROOMS = ("src", "docs", "examples", "scripts", "tests", "bench")


def named_files(page: Path) -> set[str]:
    """Paths of this repository that a page names, in its text or in a command."""
    commands = [word for block in blocks(page) if block.language == "sh" for word in block.text.split()]
    words = [word for span in spans(page) for word in span.split()] + commands
    paths = (word.removeprefix("./").rstrip(",;:") for word in words)
    return {path for path in paths if re.match(rf"(?:{'|'.join(ROOMS)})/[\w./-]+$", path)}


@each_page
def test_files_that_a_page_names_exist(page: Path) -> None:
    missing = [path for path in named_files(page) if not (ROOT / path).exists()]
    assert missing == []


def test_scripts_that_pages_name_can_be_run() -> None:
    named = {path for page in PAGES for path in named_files(page) if path.startswith("scripts/")}
    assert {"scripts/demo", "scripts/test", "scripts/setup", "scripts/lock"} <= named
    assert [path for path in named if not os.access(ROOT / path, os.X_OK)] == []


def test_options_of_the_test_script_exist() -> None:
    script = (ROOT / "scripts/test").read_text()
    used = {word for page in PAGES for word in re.findall(r"scripts/test (--\w+)", page.read_text("utf-8"))}
    assert used
    assert all(f"{option})" in script for option in used)


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    assert [page.name for page in DOCS.glob("*.md") if page.name != "README.md" and f"({page.name})" not in index] == []


def test_the_wheel_is_named_as_this_version_is() -> None:
    names = {name for page in PAGES for name in re.findall(r"mcc_deploy-([\w.]+?)-py3", page.read_text("utf-8"))}
    assert names == {__version__}


# ---- what programs read


@pytest.mark.parametrize("page", [ROOT / "README.md", DOCS / "deploy.md"], ids=lambda page: page.name)
def test_exit_codes_are_those_of_the_errors(page: Path) -> None:
    def below(kind: type[MccError]) -> Iterator[type[MccError]]:
        yield kind
        for other in kind.__subclasses__():
            yield from below(other)

    rows = table(page.read_text("utf-8"), "exit code")
    assert [row[0] for row in rows] == sorted({"0", *(str(kind.exit_code) for kind in below(MccError))})


def test_events_and_their_fields_are_those_of_the_model() -> None:
    base = {field.name for field in dataclasses.fields(events.Event)}
    real = {
        kind.event: {field.name for field in dataclasses.fields(kind)} - base
        for kind in events.Event.__subclasses__()
    }
    rows = table((DOCS / "deploy.md").read_text("utf-8"), "event", "fields")
    assert {row[0].strip("`"): set(quoted(row[1])) for row in rows} == real


def test_the_documented_json_line_has_the_fields_of_its_event() -> None:
    (block,) = [block for block in blocks(DOCS / "deploy.md") if block.language == "json"]
    line = json.loads(block.text)
    assert list(line) == ["event", *(field.name for field in dataclasses.fields(events.RunEnded))]


def test_phases_are_those_of_a_plan() -> None:
    rows = table((DOCS / "deploy.md").read_text("utf-8"), "phase")
    assert {row[0].strip("*") for row in rows} <= set(get_args(Phase))


def test_fields_of_a_release_are_those_of_the_ledger() -> None:
    rows = table((DOCS / "site.md").read_text("utf-8"), "field")
    documented = {name for row in rows for name in quoted(row[0])}
    assert documented == {field.name for field in dataclasses.fields(Release)} - {"state"}
    (build,) = [row[1] for row in rows if row[0] == "`build`"]
    assert {field.name for field in dataclasses.fields(BuildInfo)} <= set(quoted(build))


# ---- examples


@each_page
def test_configuration_on_a_page_is_valid(page: Path) -> None:
    """YAML blocks are read as ``config.yml`` or as a conf, after the keys that every conf needs."""
    if page.name == "configuration.md":
        return  # has its own test
    for block in blocks(page):
        if block.language != "yaml" or not re.match(r"\w", block.text):
            continue
        if block.text.startswith("deploy:"):
            to_config(parse(block.text, "config.yml"), Path("config.yml"))
        else:
            conf(block.text)


def conf(text: str) -> None:
    document = parse(text, "conf-prod.yml")
    document.data.update({"REMOTE_BASE": "/srv/site", "OWNERSHIP": "none", **document.data})
    to_conf(document, fill(document, Nothing()), Path("conf-prod.yml"))


class Nothing:
    def variable(self, name: str) -> str:
        raise Unfit("no variables in examples")

    def file(self, path: str) -> str:
        raise Unfit("no files in examples")


def test_sudo_lines_of_the_readme_are_those_of_the_example() -> None:
    (block,) = [block for block in blocks(ROOT / "README.md") if block.language == "sudoers"]
    example = (ROOT / "examples/notes/deploy/notes-prod.sudoers").read_text().splitlines()
    assert block.text.splitlines() == [line for line in example if line and not line.startswith("#")]


def test_the_deploy_script_of_the_readme_is_that_of_the_example() -> None:
    shown, other, _ = [block.text for block in blocks(ROOT / "README.md") if block.language == "python"]
    example = (ROOT / "examples/notes/mcc_deploy.py").read_text()
    assert head_of(shown) == head_of(example)
    assert body_of(shown) == body_of(example)
    assert {**head_of(example), "tool": {"uv": {"find-links": ["/opt/wheels"]}}} == head_of(other)


def head_of(script: str) -> dict[str, Any]:
    """The metadata in a script's first comment (PEP 723)."""
    lines = script.partition("# /// script\n")[2].partition("# ///\n")[0].splitlines()
    return tomllib.loads("\n".join(line.removeprefix("#").strip() for line in lines))


def body_of(script: str) -> str:
    """A script without its comments and its docstring."""
    statements = [
        node for node in ast.parse(script).body
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]  # fmt: skip
    return "\n".join(map(ast.unparse, statements))


RUN = [(page, block) for page in PAGES for block in blocks(page) if block.runs]


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The tour of the README, done once: its folder, and what it printed."""
    folder = tmp_path_factory.mktemp("tour")
    (block,) = [block for page, block in RUN if page.name == "README.md"]
    done = shell(block.text, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    yield folder, done.stdout
    shutil.rmtree(folder)


@pytest.mark.parametrize(("page", "block"), [(page, block) for page, block in RUN if page.name != "README.md"])
def test_marked_blocks_run(page: Path, block: Block, tmp_path: Path) -> None:
    """A shell block that is marked runs to its end in an empty folder, with mcc on the PATH."""
    done = shell(block.text, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tour_of_the_readme_runs_and_serves_its_second_release(tour: tuple[Path, str]) -> None:
    folder, printed = tour
    assert "nothing was changed" in printed
    assert "<h1>two</h1>" in printed
    assert (folder / "site/current-ui/index.html").read_text() == "<h1>two</h1>\n"


def test_the_json_of_status_and_of_a_plan_is_as_documented(tour: tuple[Path, str]) -> None:
    folder, _ = tour
    status = json.loads(shell("mcc status --site site --format json", folder).stdout)
    text = sections(DOCS / "commands.md")["mcc status"]
    assert set(status) == set(quoted(text[text.index("The JSON has") :]))
    plan = json.loads(shell("cd output && mcc deploy --stage prod --plan --format jsonl", folder).stdout)
    text = sections(DOCS / "deploy.md")["Output for programs"].partition("A plan in this format")[2]
    assert {*plan, *plan["steps"][0], "plan"} == set(quoted(text))


def shell(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    variables = {"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8"}
    words = ["bash", "-euo", "pipefail", "-c", text]
    return subprocess.run(words, cwd=folder, env=variables, capture_output=True, text=True, timeout=120)
