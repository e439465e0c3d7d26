"""``config.yml``: stages, branches, operations."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcc.core.branches import allows, refusal, starts_by_itself
from mcc.core.conf.stages_schema import to_config
from mcc.core.nearest import near_miss, nearest
from mcc.core.stages import clone_confs, conf_name, find_stage, keep_builds, operation
from mcc.errors import ConfigError, UsageError
from mcc.host.yaml import parse
from mcc.model.config import Config, Stage


def config(text: str) -> Config:
    return to_config(parse(text, "config.yml"), Path("config.yml"))


def said(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config(text)
    return [str(problem) for problem in caught.value.problems]


REGEX = 'a regular expression such as "^main$", ".*" for any branch, "-" for none'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("other: 1\n", "config.yml: deploy: is missing (allowed: deploy: and below it the stages)"),
        ("deplyo: {a: {}}\n", "config.yml: deploy: is missing (did you mean deploy, where it says deplyo?)"),
        ("deploy:\n", "config.yml:1: deploy: is missing (allowed: deploy: and below it the stages)"),
        ("deploy: {}\n", "config.yml:1: deploy: found nothing (allowed: at least one entry)"),
        ("deploy: [prod]\n", "config.yml:1: deploy: found a list (allowed: a mapping)"),
        ("deploy:\n  prod: 3\n", "config.yml:2: deploy.prod: found 3 (allowed: a mapping)"),
        (
            "deploy:\n  prod:\n    allow_branches: '*'\n",
            'config.yml:3: deploy.prod.allow_branches: found "*", which does not compile: '
            f"nothing to repeat at position 0 (allowed: {REGEX})",
        ),
        (
            "deploy:\n  prod:\n    auto_branches: [main]\n",
            f"config.yml:3: deploy.prod.auto_branches: found a list (allowed: {REGEX})",
        ),
        (
            "deploy:\n  prod:\n    allow_branch: main\n",
            "config.yml:3: deploy.prod.allow_branch: is not a key of a stage (did you mean allow_branches?)",
        ),
        (
            "deploy:\n  prod:\n    parameters: [1]\n",
            "config.yml:3: deploy.prod.parameters: found a list (allowed: a mapping)",
        ),
        (
            "deploy:\n  prod:\n    parameters:\n      keep_builds: 0\n",
            "config.yml:4: deploy.prod.parameters.keep_builds: found 0 (allowed: a whole number, 1 or more)",
        ),
        (
            "deploy:\n  prod:\n    parameters: {keep_builds: -3}\n",
            "config.yml:3: deploy.prod.parameters.keep_builds: found -3 (allowed: a whole number, 1 or more)",
        ),
        (
            "deploy:\n  prod:\n    parameters: {conf: ../conf.yml}\n",
            'config.yml:3: deploy.prod.parameters.conf: found "../conf.yml" (allowed: a relative path without ..)',
        ),
        (
            "deploy:\n  prod:\n    parameters: {x: NO}\n",
            "config.yml:3: deploy.prod.parameters.x: found NO without quotes, which some programs read as false "
            '(write false, or "NO" in quotes for the word)',
        ),
    ],
)
def test_each_mistake_gets_one_exact_message(text: str, message: str) -> None:
    assert said(text) == [message]


def test_all_problems_of_the_file_come_at_once() -> None:
    text = "deploy:\n  a: {auto_branches: '('}\n  b: {parameters: {conf: 3, keep_builds: x}}\n  c: {alow_branches: x}\n"
    assert [problem.split(": ")[1] for problem in said(text)] == [
        "deploy.a.auto_branches",
        "deploy.b.parameters.conf",
        "deploy.b.parameters.keep_builds",
        "deploy.c.alow_branches",
    ]


def test_parameters_are_kept_untouched_and_foreign_top_level_keys_are_ignored() -> None:
    text = (
        "app: {on: yes}\ndeploy:\n  prod:\n    parameters: {a: [1, {b: 'x'}], conf-source: c.yml, '{{X}}': '{{Y}}'}\n"
    )
    stage = config(text).stages[0]
    assert stage.parameters == {"a": [1, {"b": "x"}], "conf-source": "c.yml", "{{X}}": "{{Y}}"}


def test_a_stage_may_be_empty_and_foreign_keys_in_it_are_a_warning() -> None:
    read = config("deploy:\n  dev:\n  prod: {notify: ops}\n")
    assert read.stages == (Stage("dev", line=2), Stage("prod", line=3))
    assert read.warnings == (
        "config.yml:3: deploy.prod.notify: is not a key of a stage and is ignored "
        "(known: allow_branches, auto_branches, link, parameters; what a deploy needs belongs into parameters)",
    )


@pytest.mark.parametrize(
    ("pattern", "branch", "allowed"),
    [
        ("main", "main", True),
        ("main", "main-2", False),
        ("main", "not-main", False),
        ("^main$", "main\n", False),
        ("main|dev", "dev", True),
        ("main|dev", "develop", False),
        ("release/.*", "release/1.0", True),
        ("-", "-", False),
        ("-", "main", False),
        (None, "anything", True),
    ],
)
def test_a_pattern_must_match_the_whole_branch_name(pattern: str | None, branch: str, allowed: bool) -> None:
    assert allows(pattern, branch) is allowed


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_longer_name_never_passes_a_pattern_without_wildcards(branch: str, more: str) -> None:
    import re

    pattern = re.escape(branch)
    assert not allows(pattern, branch + more)
    assert not allows(pattern, more + branch)


def test_only_a_stage_with_auto_branches_starts_by_itself_and_only_where_it_is_allowed() -> None:
    assert not starts_by_itself(Stage("a"), "main")
    assert not starts_by_itself(Stage("a", auto_branches="-"), "main")
    assert starts_by_itself(Stage("a", auto_branches=".*"), "main")
    assert not starts_by_itself(Stage("a", "main", ".*"), "dev")


STAGES = Config(
    Path("config.yml"), (Stage("prod", "^main$"), Stage("dev", "main|dev"), Stage("test"), Stage("never", "-"))
)


def test_a_refusal_says_which_stages_would_take_the_branch() -> None:
    prod, dev, _, never = STAGES.stages
    assert refusal(STAGES, prod, "main") is None
    assert refusal(STAGES, prod, "dev") == (
        'stage prod does not allow branch dev: allow_branches "^main$" must match the whole name; '
        'allowed by: dev (allow_branches "main|dev"), test (any branch)'
    )
    assert refusal(STAGES, never, "main") == (
        'stage never does not allow branch main: allow_branches "-" allows none; '
        'allowed by: prod (allow_branches "^main$"), dev (allow_branches "main|dev"), test (any branch)'
    )
    alone = Config(Path("config.yml"), (dev,))
    assert refusal(alone, dev, "x") == (
        'stage dev does not allow branch x: allow_branches "main|dev" must match the whole name; '
        "no stage of config.yml allows x; deploy another branch, or change allow_branches"
    )


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("reset-dev", "reset"),
        ("clone-prod-to-dev", "clone"),
        ("db-backup", "db-backup"),
        ("db-restore", "db-restore"),
        ("DB-Vacuum", "db-vacuum"),
        ("maintenance-on", "maintenance-on"),
        ("maintenance-off", "maintenance-off"),
        ("reset", "reset"),
        ("prod", None),
        ("production", None),
        ("database", None),
        ("cloned", None),
        ("db", None),
    ],
)
def test_the_name_of_a_stage_says_whether_it_is_an_operation(name: str, what: str | None) -> None:
    assert operation(name, {}) == what


def test_the_parameters_decide_over_the_name() -> None:
    assert operation("prod", {"operation": "db-backup"}) == "db-backup"
    assert operation("clone-army", {"operation": "deploy"}) is None


def test_parameters_have_the_specifications_defaults() -> None:
    stage = Stage("x")
    assert (keep_builds(stage), conf_name(stage)) == (10, "conf.yml")
    assert clone_confs(stage) == ("conf-prod.yml", "conf-dev.yml")
    other = Stage("x", parameters={"keep_builds": "3", "conf-source": "a.yml", "conf-target": "b.yml"})
    assert keep_builds(other) == 3
    assert clone_confs(other) == ("a.yml", "b.yml")


@pytest.mark.parametrize("value", [0, -1, True, "many", 1.5, []])
def test_a_number_of_builds_that_is_none_is_refused_wherever_it_comes_from(value: object) -> None:
    with pytest.raises(ConfigError, match=r"config.yml:7: deploy.x.parameters.keep_builds: found"):
        keep_builds(Stage("x", parameters={"keep_builds": value}, line=7))


def test_an_unknown_stage_is_refused_with_the_nearest_and_all_that_there_are() -> None:
    assert find_stage(STAGES, "prod").name == "prod"
    with pytest.raises(UsageError) as error:
        find_stage(STAGES, "porduction")
    assert str(error.value) == "config.yml has no stage porduction"
    assert error.value.help == "stages: prod, dev, test, never"


def test_a_typing_error_is_told_from_a_key_of_its_own() -> None:
    known = ("DOMAINS", "API_PORT", "SERVICE_NAME")
    assert near_miss("DOMIANS", known) == "DOMAINS"
    assert near_miss("service_name", known) == "SERVICE_NAME"
    assert near_miss("UI_PORT", known) is None
    assert nearest("UI_PORT", known) == "API_PORT"
    assert nearest("x" * 1000, known) is None
    assert nearest("a", ()) is None
