"""What docs/configuration.md says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mcc.core.build_info import to_build_info
from mcc.core.conf.placeholders import fill
from mcc.core.conf.schema import ComponentFile, ConfFile, CronFile, EmbeddedFile
from mcc.core.conf.schemas import schemas
from mcc.core.conf.stages_schema import ParametersFile, StageFile, to_config
from mcc.core.conf.unfit import Unfit
from mcc.core.conf.values import to_conf
from mcc.host.yaml import parse

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
HEAD = {"REMOTE_BASE": "/srv/site", "OWNERSHIP": "none"}


def tables() -> dict[str, list[list[str]]]:
    """The rows of all tables, by the head of their first column."""
    found: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if cells and not rows:
            rows = found.setdefault(cells[0] if cells[1:2] == ["type"] else "other", [])
            rows.append([])
        elif cells and not cells[0].startswith("---"):
            rows.append(cells)
        elif not cells:
            rows = []
    return {head: [row for row in rows if row] for head, rows in found.items()}


def keys(head: str) -> list[str]:
    return [row[0].strip("`") for row in tables()[head]]


def names(model: Any) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def test_every_key_is_documented_and_every_documented_key_exists() -> None:
    stage = [key for key in keys("key") if key.islower()]
    conf = [key for key in keys("key") if key.isupper()]
    assert sorted(stage) == sorted(names(StageFile))
    assert sorted(conf) == sorted(names(ConfFile))
    assert sorted(keys("parameter")) == sorted(names(ParametersFile))
    assert sorted(keys("key of a component")) == sorted(names(ComponentFile))
    assert sorted(keys("key of a service")) == sorted(names(EmbeddedFile))
    assert sorted(keys("key of a job")) == sorted(names(CronFile))


def test_every_documented_default_is_the_one_in_the_code() -> None:
    documented = {row[0].strip("`"): row[2].strip("`") for row in tables()["key"]}
    for name, field in ConfFile.model_fields.items():
        default = field.get_default()
        if isinstance(default, bool | int | float | str):
            written = str(default).lower() if isinstance(default, bool) else str(default).removesuffix(".0")
            assert documented[name] == written, name
        else:
            assert documented[name] not in ("true", "false"), name


def examples() -> list[tuple[str, str]]:
    return re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)


def test_every_yaml_example_says_which_file_it_is_of() -> None:
    assert len(examples()) == PAGE.count("```yaml")


class Nothing:
    def variable(self, name: str) -> str:
        raise Unfit("no variables in examples")

    def file(self, path: str) -> str:
        raise Unfit("no files in examples")


@pytest.mark.parametrize(("file", "text"), examples())
def test_every_example_is_valid_for_the_program_and_for_editors(file: str, text: str) -> None:
    document = parse(text, file)
    if file == "build_info.yml":
        assert to_build_info(document).number == 18
        return
    kind = "config" if file == "config.yml" else "conf"
    if kind == "conf":
        defaults = HEAD if "DIR_USER" not in document.data else {"REMOTE_BASE": "/srv/site"}
        document.data.update({**defaults, **document.data})
        assert to_conf(document, fill(document, Nothing()), Path(file)).warnings == ()
    else:
        assert to_config(document, Path(file)).warnings == ()
    jsonschema.validate(document.data, schemas()[kind])


def test_the_schemas_are_draft_2020_12_and_describe_every_key() -> None:
    for schema in schemas().values():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        for part in (schema, *schema["$defs"].values()):
            assert all(key.get("description") for key in part["properties"].values())
            assert part["title"]


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {**HEAD, "REMOTE_BASE": "relative"},
        {**HEAD, "API_PORT": 99999},
        {**HEAD, "HEALTH_PATH": 7},
        {**HEAD, "SERVICES": "a"},
        {**HEAD, "OWNERSHIP": "sudoo"},
        {**HEAD, "CRON_JOBS": [{"script": "x"}]},
        {**HEAD, "COMPONENTS": {"a": {"source": {}}}},
    ],
)
def test_an_editor_sees_the_same_mistakes(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schemas()["conf"])


def test_an_editor_takes_placeholders_where_numbers_and_paths_belong() -> None:
    conf = {**HEAD, "API_PORT": "{{PORT}}", "HEALTH_PATH": "{{HEALTH}}", "PROTECTED": "{{P}}", "WORKERS": "4", "OWN": 1}
    jsonschema.validate(conf, schemas()["conf"])
