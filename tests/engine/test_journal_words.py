"""A step is written into a journal as pydantic would write it, and read back as it was."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from engine.every_run import KINDS
from mcc.engine import journal_file
from mcc.engine.codec import Mask, decode, encode, kinds_of
from mcc.model.conf import EmbeddedService, Services
from mcc.model.plan import PlannedStep
from mcc.runs.hands import header_services, services_header
from mcc.runs.kinds import step_kinds
from mcc.steps.link import SwitchLink

RUNS = (
    "deploy: first", "deploy: with clean-up", "deploy, two slots: second", "deploy, offline: good",
    "deploy, two slots: back, while the old slot drains", "deploy, own steps: second", "deploy, access lists",
    "deploy, Alembic", "deploy onto a script's site: adopt", "rollback: to the adopted", "rollback: a bad one",
    "reset: good", "leave: from mcc", "backup: the first", "restore: the newest", "clone: all as it should be",
    "clone: from another server", "variables: set", "maintenance: on", "a stage of the project's own",
)  # fmt: skip
SELDOM = {"EmptyDatabase", "EmptySlot", "RecordMigrations"}
"""Steps of other runs; what they are made of is in the steps above, too."""


@pytest.mark.slow
def test_the_steps_of_every_kind_of_run_are_written_so_that_they_are_read_back_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    met: set[str] = set()

    def checked(planned: PlannedStep, mask: Mask) -> dict[str, Any]:
        step: Any = planned.step
        written = encode(planned, _nothing)
        assert written["step"] == TypeAdapter(type(step)).dump_python(step, mode="json")
        assert decode(written, kinds_of(type(step))).step == step
        met.add(type(step).__name__)
        return encode(planned, mask)

    monkeypatch.setattr(journal_file, "encode", checked)
    for run in RUNS:
        KINDS[run].ready()
    assert met == set(step_kinds()) - SELDOM


def test_so_are_the_services_of_a_run() -> None:
    embedded = EmbeddedService("app.service", ("bin/app", "--fd"), Path("current-api"), "127.0.0.1:8000", (("A", "b"),))
    services = Services("embedded", ("app@.service",), ("worker.service",), (embedded,), drain_timeout=2.5)
    written = services_header(services)
    expected = TypeAdapter(Services).dump_python(services, mode="json")
    assert {**written, "embedded": []} == {**expected, "embedded": []}
    assert written["embedded"] == [{**expected["embedded"][0], "environment": []}]
    back = header_services({"services": written})
    assert back == dataclasses.replace(services, embedded=(dataclasses.replace(embedded, environment=()),))


def test_a_type_that_no_step_has_is_refused_before_the_journal_begins() -> None:
    odd: Any = datetime(2026, 11, 25, tzinfo=UTC)
    with pytest.raises(TypeError, match="no words for a datetime"):
        encode(PlannedStep("cut-over", "odd", SwitchLink(Path("/srv/current-api"), odd)), _nothing)


def _nothing(value: Any) -> Any:
    return value
