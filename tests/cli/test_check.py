"""``mcc check`` as a person calls it: in a project, in an output folder, on its server, of a site."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.ground import Ground, contents

Change = Callable[[Ground], object]


def found(ground: Ground, *words: str, at: Path | None = None) -> tuple[int, dict[str, str]]:
    """The exit code, and the level of every finding that is not fine, by its code."""
    done = ground.run("check", *words, "--format", "json", cwd=at or ground.output)
    assert done.stderr == ""
    answer = json.loads(done.stdout)
    assert answer["green"] is (done.returncode == 0)
    bad = [finding for finding in answer["findings"] if finding["level"] != "ok"]
    assert all(finding["help"] for finding in bad)
    return done.returncode, {finding["code"]: finding["level"] for finding in bad}


def test_an_output_that_is_in_order_is_green_also_on_its_server(ground: Ground) -> None:
    """Nothing is made by the look, not even the site."""
    before = contents(ground.folder)
    assert found(ground) == (0, {})
    assert found(ground, "--stage", "prod") == (0, {})
    assert contents(ground.folder) == before


def test_the_text_has_a_line_a_group_and_a_last_word(ground: Ground) -> None:
    ground.conf("SMOKE_TIMEOUTS: 5")
    done = ground.run("check", cwd=ground.output)
    lines = done.stdout.splitlines()
    assert lines[0] == f"the output folder {ground.output}"
    assert any(line.startswith("config        warning  conf-prod.yml: ") for line in lines)
    assert any(line.lstrip().startswith("-> ") for line in lines)
    assert lines[-1] == "nothing stands in the way of a deploy; 1 warning"
    assert done.returncode == 0


def test_a_live_site_by_itself(first: Ground) -> None:
    assert found(first, "--site", str(first.site), at=first.folder) == (0, {})
    assert found(first, "--stage", "prod") == (0, {})


FAULTS: dict[str, tuple[str, Change]] = {
    "config.invalid": ("error", lambda g: g.conf("API_PORT: eighty")),
    "config.warning": ("warning", lambda g: g.conf("SMOKE_TIMEOUTS: 5")),
    "branches.refused": ("warning", lambda g: g.write("build_info.yml", "branch: other\n")),
    "output.build-info": ("error", lambda g: g.write("build_info.yml", "build_number: x\n")),
    "output.no-build-info": ("warning", lambda g: (g.output / "build_info.yml").unlink()),
    "output.components": ("error", lambda g: g.conf("COMPONENTS: {api: {sources: {gone: .}}}")),
    "output.file-missing": ("error", lambda g: g.conf("SITE_FILES: [a.ini]")),
    "output.lock-missing": ("error", lambda g: g.write("pyproject.toml", "[project]\n")),
    "output.migration": ("warning", lambda g: g.migration("001_a", "BEGIN")),
    "hooks.invalid": ("error", lambda g: g.write("mcc_deploy.py", "from mcc import App\napp = App(\n")),
    "hooks.own-script": ("warning", lambda g: g.write("mcc_deploy.py", "print('mine')\n")),
}
TOGETHER = (
    ("config.invalid", "output.build-info", "hooks.invalid"),
    ("config.warning", "branches.refused", "output.file-missing", "output.lock-missing", "output.migration"),
    ("output.no-build-info", "output.components", "hooks.own-script"),
)


@pytest.mark.parametrize("together", TOGETHER, ids=lambda codes: codes[0])
def test_each_fault_of_an_output_is_named_and_nothing_else(ground: Ground, together: tuple[str, ...]) -> None:
    for code in together:
        FAULTS[code][1](ground)
    levels = {code: FAULTS[code][0] for code in together}
    assert found(ground) == (2 if "error" in levels.values() else 0, levels)


def test_every_fault_is_planted_once() -> None:
    assert sorted(code for codes in TOGETHER for code in codes) == sorted(FAULTS)


def test_a_branch_that_is_refused_is_an_error_for_its_stage(ground: Ground) -> None:
    ground.write("build_info.yml", "branch: other\n")
    assert found(ground, "--stage", "prod") == (2, {"branches.refused": "error"})


def test_a_stage_that_nobody_knows_to_do_is_an_error_until_the_project_says_it(ground: Ground) -> None:
    ground.write(
        "config.yml",
        "deploy:\n  prod: {parameters: {conf: conf-prod.yml}}\n  db-shrink: {parameters: {conf: conf-prod.yml}}\n",
    )
    assert found(ground) == (2, {"config.operation": "error"})
    ground.write(
        "mcc_deploy.py",
        "from mcc import App\n\napp = App()\n\n\n@app.stage('db-shrink')\ndef shrink(context):\n    pass\n",
    )
    assert found(ground) == (0, {})
    assert found(ground, "--stage", "db-shrink") == (0, {})


def test_values_of_the_server_are_no_mistake_elsewhere_and_one_there(ground: Ground) -> None:
    """``{{env:…}}`` is looked up where the site is."""
    ground.conf('DB_PASSWORD: "{{env:SHOP_PASSWORD}}"', 'API_PORT: "{{env:SHOP_PORT}}"')
    assert found(ground) == (0, {})
    assert found(ground, "--stage", "prod") == (2, {"config.invalid": "error"})
    ground.variables = {"SHOP_PASSWORD": "hidden-away", "SHOP_PORT": "8000"}
    assert found(ground, "--stage", "prod") == (0, {})


# ---- a project


@pytest.fixture
def project(ground: Ground) -> Ground:
    """The same folder, as a person works in it: git has it, with two branches."""
    git(ground, "init", "-b", "main")
    git(ground, "add", ".")
    git(ground, "commit", "-m", "one")
    git(ground, "branch", "main-old")
    return ground


def git(ground: Ground, *words: str) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *words], cwd=ground.output, check=True, capture_output=True)


def test_a_project_shows_what_its_branches_would_trigger(project: Ground) -> None:
    project.write(
        "config.yml",
        "deploy:\n  prod: {allow_branches: ^main$, auto_branches: ^main$, parameters: {conf: conf-prod.yml}}\n",
    )
    done = project.run("check", cwd=project.output)
    assert done.stdout.startswith(f"the project {project.output}\n")
    assert "branch    prod\nmain      auto\nmain-old  -\n" in done.stdout
    answer = json.loads(project.run("check", "--format", "json", cwd=project.output).stdout)
    assert answer["branches"] == {"main": {"prod": "auto"}, "main-old": {"prod": "-"}}


def test_a_project_is_told_of_patterns_passwords_and_scripts(project: Ground) -> None:
    project.write("config.yml", "deploy:\n  prod: {allow_branches: main, parameters: {conf: conf-prod.yml}}\n")
    project.conf("SMTP_PASSWORD: open-to-all")
    assert found(project) == (0, {"branches.whole-name": "warning", "secrets.in-git": "warning"})
    shown = project.run("check", cwd=project.output).stdout
    assert "main-old" in shown
    assert "open-to-all" not in shown
    git(project, "rm", "-q", "--cached", "conf-prod.yml")
    assert found(project) == (0, {"branches.whole-name": "warning"})


def test_a_checkout_that_is_deployed_from_is_looked_at_with_its_server(project: Ground) -> None:
    """With a stage, once its site is on this machine."""
    words = ("check", "--stage", "prod")
    assert project.run(*words).stdout.startswith("the project ")
    project.site.mkdir()
    assert project.run(*words).stdout.startswith("this server for ")


# ---- what cannot be asked


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--stage", "prd"), "did you mean prod?"),
        (("--stage", "prod", "--site", "."), "cannot be asked for together"),
        (("--site", "."), "nothing is live at"),
    ],
)
def test_what_cannot_be_asked_is_one_message(ground: Ground, words: tuple[str, ...], says: str) -> None:
    done = ground.run("check", *words, cwd=ground.output)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_a_folder_that_is_neither_is_said(tmp_path: Path, ground: Ground) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert found(ground, at=empty) == (2, {"config.invalid": "error"})
