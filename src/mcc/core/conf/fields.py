"""Types of the keys in files: each with its check, and with what an editor should allow.

An editor sees the file before placeholders are filled in, so that its schema takes
``"{{KEY}}"`` where a number or a path belongs.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema
from pydantic.fields import ComputedFieldInfo, FieldInfo

from mcc.core.conf import checks
from mcc.core.conf import web as web_checks
from mcc.core.conf.hostnames import address, domain
from mcc.core.conf.notify import notify_address


def _number(kind: str, **limits: float) -> WithJsonSchema:
    quoted = {"type": "string", "pattern": r"^([0-9.]+|.*\{\{.+\}\}.*)$"}
    return WithJsonSchema({"anyOf": [{"type": kind, **limits}, quoted]})


def _text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


_STRING_OR_LIST = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}

Text = Annotated[str, BeforeValidator(checks.text)]
LongText = Annotated[str, BeforeValidator(checks.long_text)]
Flag = Annotated[
    bool,
    BeforeValidator(checks.flag),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": r"^\{\{.+\}\}$"}]}),
]
Port = Annotated[int, BeforeValidator(checks.whole(1, 65535)), _number("integer", minimum=1, maximum=65535)]
Many = Annotated[int, BeforeValidator(checks.whole(1)), _number("integer", minimum=1)]
Kept = Annotated[int, BeforeValidator(checks.whole(0)), _number("integer", minimum=0)]
Seconds = Annotated[
    float,
    BeforeValidator(checks.seconds(positive=True)),
    _number("number", exclusiveMinimum=0, maximum=86400),
]
SecondsOrNone = Annotated[
    float, BeforeValidator(checks.seconds(positive=False)), _number("number", minimum=0, maximum=86400)
]

UserName = Annotated[str, BeforeValidator(checks.user_name)]
Address = Annotated[str, BeforeValidator(address)]
Domain = Annotated[str, BeforeValidator(domain)]
Unit = Annotated[str, BeforeValidator(checks.unit)]
Units = Annotated[list[Unit], BeforeValidator(checks.as_list), WithJsonSchema(_STRING_OR_LIST)]
Words = Annotated[list[str], BeforeValidator(checks.words), WithJsonSchema(_STRING_OR_LIST)]
Module = Annotated[str, BeforeValidator(checks.module)]
TrackingTable = Annotated[str, BeforeValidator(checks.tracking_table)]
Schema = Annotated[str, BeforeValidator(checks.schema)]
Schemas = Annotated[list[Schema], BeforeValidator(checks.as_list), WithJsonSchema(_STRING_OR_LIST)]
Variable = Annotated[str, BeforeValidator(checks.variable)]
VariableValue = Annotated[str, BeforeValidator(checks.variable_value), WithJsonSchema({"type": ["string", "number"]})]
Listen = Annotated[str, BeforeValidator(checks.listen)]
Networks = Annotated[
    list[Annotated[str, BeforeValidator(checks.network)]],
    BeforeValidator(checks.as_list),
    WithJsonSchema(_STRING_OR_LIST),
]
AppServer = Annotated[Literal["uvicorn", "gunicorn"], BeforeValidator(checks.one_of("uvicorn", "gunicorn"))]
Tls = Annotated[Literal["certbot", "files", "none"], BeforeValidator(checks.one_of("certbot", "files", "none"))]
RootPath = Annotated[str, BeforeValidator(web_checks.root_path), _text(r"^(/|\{\{)")]
Mail = Annotated[str, BeforeValidator(web_checks.mail)]
Prefixes = Annotated[
    list[Annotated[str, BeforeValidator(web_checks.prefix)]],
    BeforeValidator(checks.as_list),
    WithJsonSchema(_STRING_OR_LIST),
]
BodyLimit = Annotated[str, BeforeValidator(web_checks.body_limit), WithJsonSchema({"type": ["string", "integer"]})]
RateLimit = Annotated[str, BeforeValidator(web_checks.rate_limit)]
NotifyAddresses = Annotated[
    list[Annotated[str, BeforeValidator(notify_address)]],
    BeforeValidator(checks.as_list),
    WithJsonSchema(_STRING_OR_LIST),
]
NoticeKind = Annotated[
    Literal["failure", "rollback", "stuck", "late-backup", "success"],
    BeforeValidator(checks.one_of("failure", "rollback", "stuck", "late-backup", "success")),
]
NoticeKinds = Annotated[
    list[NoticeKind],
    BeforeValidator(checks.as_list),
    WithJsonSchema(_STRING_OR_LIST),
]
Schedule = Annotated[str, BeforeValidator(checks.schedule)]
Link = Annotated[str, BeforeValidator(checks.link)]
Pattern = Annotated[str, BeforeValidator(checks.pattern)]

Base = Annotated[str, BeforeValidator(checks.remote_base), _text(r"^(/.|\{\{)")]
SitePath = Annotated[str, BeforeValidator(checks.site_path)]
RelativePath = Annotated[str, BeforeValidator(checks.relative_path)]
InnerPath = Annotated[str, BeforeValidator(checks.inner_path)]
PlainPath = Annotated[str, BeforeValidator(checks.plain_path)]
PlainName = Annotated[str, BeforeValidator(checks.plain_name)]
HealthPath = Annotated[str, BeforeValidator(checks.health_path), _text(r"^(/|\{\{)")]
WebAddress = Annotated[str, BeforeValidator(checks.web_address), _text(r"^(https?://|\{\{)")]

OwnershipMode = Annotated[Literal["sudo", "acl", "none"], BeforeValidator(checks.one_of("sudo", "acl", "none"))]
Manager = Annotated[
    Literal["systemd", "embedded", "none"], BeforeValidator(checks.one_of("systemd", "embedded", "none"))
]
DatabaseKind = Annotated[
    Literal["sqlite", "postgresql", "none"], BeforeValidator(checks.one_of("sqlite", "postgresql", "none"))
]
SourcePlace = Annotated[Literal["ssh", "local"], BeforeValidator(checks.one_of("ssh", "local"))]
MigrationTool = Annotated[Literal["sql", "alembic"], BeforeValidator(checks.one_of("sql", "alembic"))]


def as_written(name: str, info: FieldInfo | ComputedFieldInfo) -> str:
    """The title of a key is the key."""
    return info.alias or name


def or_text(schema: dict[str, Any]) -> None:
    """Let a key's schema take text too."""
    _or(schema, {"type": "string"})


def or_names(schema: dict[str, Any]) -> None:
    """Let a key's schema take a list of names too."""
    _or(schema, {"type": "array", "items": {"type": "string"}})


def _or(schema: dict[str, Any], other: dict[str, Any]) -> None:
    own = {key: schema.pop(key) for key in ("type", "items", "additionalProperties", "propertyNames") if key in schema}
    schema["anyOf"] = [own, other]
