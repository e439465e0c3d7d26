"""Journals that an older mcc has written can be read: a run that it began is recovered, whoever does that.

The steps are those of the first journals of this schema, with the fields that they had. A field that goes, or a new
one without a default, takes another number of the schema.
"""

from __future__ import annotations

import dataclasses

import pytest

from mcc.core.journal import SCHEMA
from mcc.runs.kinds import step_kinds

FIRST = {
    "BackUpDatabases": "root kind name site targets stage release tool tracking wait unseen",
    "BuildEnvironment": "project environment arguments local_packages made_from reuse",
    "CompileRelease": "python folders",
    "CopySource": "source copied script shown tracking wait",
    "FetchSources": "words server folder wanted tracking",
    "FurnishRoom": "room",
    "InstallCron": "site lines replaces",
    "KeepConf": "source target",
    "KeepOwnership": "paths user group databases",
    "KeepPresent": "targets folder site kind stage release tool tracking",
    "MakeFolders": "folders mode",
    "MigrateDatabases": "migrations targets how schema always dialect scratch",
    "Own": "paths user group",
    "PlaceComponent": "folder sources links",
    "ProbeModule": "python release module",
    "PromoteSet": "root site name kind",
    "Prune": "folders releases ledger run",
    "PruneSets": "root site ledger keep days",
    "PutBack": "source target kept stopped exact tracking",
    "PutClone": "copied source target kept script shown stopped exact tracking",
    "RecordLive": "path release",
    "RecordMigrations": "migrations targets names how dialect",
    "RemoveFiles": "files",
    "RemoveLeftovers": "folders swept",
    "ReplaceFiles": "files keep executable",
    "RestartServices": "names health start_timeout logs",
    "RestoreOnFailure": "targets new kept stopped always tracking",
    "ResumeCron": "site keep replaces aside",
    "RunAlembic": "room tenants",
    "ServicesBack": "names health start_timeout",
    "ServicesStable": "names stable_for logs",
    "SmokeTest": "urls timeout logs",
    "StopServices": "names health start_timeout stop_timeout",
    "SuspendCron": "site keep replaces aside",
    "SwitchLink": "link target",
    "VerifyCopies": "sources targets tracking",
}


@pytest.mark.parametrize("name", FIRST)
def test_a_step_of_the_first_journals_is_known_with_its_fields(name: str) -> None:
    assert SCHEMA == 1
    fields = {field.name: field for field in dataclasses.fields(step_kinds()[name])}
    assert fields.keys() >= set(FIRST[name].split())
    needed = [
        field.name
        for field in fields.values()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    assert set(needed) <= set(FIRST[name].split())
