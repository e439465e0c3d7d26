"""``config.yml`` as it is written, and its conversion into :mod:`mcc.model.config`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mcc.core.conf import fields as f
from mcc.core.conf.validation import validated, without_doubles
from mcc.core.document import Document
from mcc.core.nearest import near_miss, nearest
from mcc.errors import ConfigError
from mcc.model.config import Config, Stage
from mcc.model.problem import Problem


class ParametersFile(BaseModel):
    """``parameters``: anything; these keys mean something to mcc."""

    model_config = ConfigDict(extra="allow", field_title_generator=f.as_written, title="parameters")

    conf: f.RelativePath | None = Field(None, description="The conf to load (conf.yml).")
    keep_builds: f.Many | None = Field(None, description="How many good releases are kept, the live one included (10).")
    operation: f.Text | None = Field(
        None, description="What the stage does instead of a deploy, whatever its name says; deploy: a deploy."
    )
    conf_source: f.RelativePath | None = Field(
        None, alias="conf-source", description="The conf that a clone reads from (conf-prod.yml)."
    )
    conf_target: f.RelativePath | None = Field(
        None, alias="conf-target", description="The conf that a clone writes to (conf-dev.yml)."
    )
    source: f.SourcePlace | None = Field(
        None, description="Where a clone's source is: ssh (on the REMOTE_HOST of its conf) or local (local)."
    )
    sql: f.RelativePath | None = Field(
        None, description="A file of SQL that is run on what a clone brings (clone.sql, where it is there)."
    )
    from_: f.Text | None = Field(None, alias="from", description="The set that a restore takes (the newest good one).")


class StageFile(BaseModel):
    """One child of ``deploy``."""

    model_config = ConfigDict(extra="allow", field_title_generator=f.as_written, title="stage")

    allow_branches: f.Pattern | None = Field(
        None, description="A regular expression that a whole branch name must match (any branch)."
    )
    auto_branches: f.Pattern | None = Field(
        None, description="The same for branches that deploy by themselves; - for never (never)."
    )
    link: f.Link | None = Field(None, description="Where the stage can be seen.")
    parameters: ParametersFile | None = Field(None, description="Free-form: whatever the deploy needs.")


class ConfigFile(BaseModel):
    """The stages of a project. Other top-level keys belong to others."""

    model_config = ConfigDict(extra="allow", field_title_generator=f.as_written, title="config.yml")

    deploy: dict[str, StageFile | None] = Field(min_length=1, description="The stages, by name.")


NESTED: dict[str, type[BaseModel]] = {"deploy": StageFile}


def to_config(document: Document, path: Path) -> Config:
    """The stages of a file. Raises ConfigError with all that is wrong."""
    data = {"deploy": document.data.get("deploy")}
    if data["deploy"] is None:
        raise ConfigError([_no_stages(document)])
    bare = document.bare_words(("deploy",))
    _, problems, _ = validated(ConfigFile, data, document, NESTED)
    problems = without_doubles(bare, problems) + _misspelt(document, data["deploy"])
    if problems:
        raise ConfigError(sorted(problems, key=lambda problem: problem.line))
    stages = tuple(_stage(document, name, written or {}) for name, written in data["deploy"].items())
    return Config(path, stages, tuple(str(problem) for problem in _foreign(document, data["deploy"])))


def _no_stages(document: Document) -> Problem:
    near = nearest("deploy", [key for key in document.data if key != "deploy"], at_least=0.75)
    hint = f"did you mean deploy, where it says {near}?" if near else "allowed: deploy: and below it the stages"
    return document.problem(("deploy",), "is missing", hint)


def _stage(document: Document, name: str, written: dict[str, Any]) -> Stage:
    return Stage(
        name=name,
        allow_branches=written.get("allow_branches"),
        auto_branches=written.get("auto_branches"),
        link=written.get("link"),
        parameters=written.get("parameters") or {},
        line=document.lines.get(("deploy", name), 0),
    )


def _unknown(data: object) -> list[tuple[str, str]]:
    stages = data.items() if isinstance(data, dict) else ()
    return [(name, key) for name, stage in stages if isinstance(stage, dict) for key in stage if key not in _KEYS]


_KEYS = tuple(StageFile.model_fields)


def _misspelt(document: Document, data: object) -> list[Problem]:
    """A misspelt ``allow_branches`` would let every branch in: it is an error."""
    return [
        document.problem(("deploy", name, key), "is not a key of a stage", f"did you mean {near}?")
        for name, key in _unknown(data)
        if (near := near_miss(key, _KEYS))
    ]


def _foreign(document: Document, data: object) -> list[Problem]:
    """Other keys may be somebody else's: a warning."""
    allowed = f"known: {', '.join(_KEYS)}; what a deploy needs belongs into parameters"
    return [
        document.problem(("deploy", name, key), "is not a key of a stage and is ignored", allowed)
        for name, key in _unknown(data)
    ]


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``config.yml``."""
    return ConfigFile.model_json_schema()
