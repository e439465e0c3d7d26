"""A release that is broken: the old one is live and serving afterwards, and the message says what failed."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from box.harness import DEPLOY_USER, Result, until
from box.notes import DOMAINS, Notes, Outputs


@dataclass(frozen=True, slots=True)
class Broken:
    """A release, the sentence that says what is wrong with it, and a line of the evidence for it."""

    variants: tuple[str, ...]
    says: str
    shows: str
    databases: str = "as before"
    undoes_cut_over: bool = True


KINDS = [
    Broken(
        ("does-not-start",),
        "notes-prod-api.service did not come up: ",
        "ModuleNotFoundError: No module named 'shared.release_notes'",
    ),
    Broken(
        ("dies-after-a-second",),
        "notes-prod-api.service did not ",
        "FATAL: the licence of the calendar could not be renewed",
    ),
    Broken(
        ("answers-500",),
        "http://127.0.0.1:8000/api/public/health/health answers 500",
        '"GET /api/public/health/health HTTP/1.1" 500',
    ),
    Broken(
        ("third-migration-fails",),
        "008_label_colours",
        "no such table: label",
        undoes_cut_over=False,
    ),
    Broken(("bad-lock",), "uv sync --frozen ended with exit code", "Hash mismatch", undoes_cut_over=False),
    Broken(
        ("v2", "does-not-start"),
        "notes-prod-api.service did not come up: ",
        "No module named 'shared.release_notes'",
        databases="1 migration ahead",
    ),
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "+".join(kind.variants))
def test_the_old_release_serves_on(live: Notes, outputs: Outputs, kind: Broken) -> None:
    """Exit code 1, the reason with its log, code and databases in words; the site is as it was, letter by letter."""
    before, crontab = live.facts(".mcc/"), live.box.crontab()
    failed = live.deploy(outputs(*kind.variants), SMOKE_TIMEOUT="3", START_TIMEOUT="6")
    print(failed)
    assert failed.code == 1
    assert failed.stderr == ""
    assert kind.says in failed.stdout
    assert kind.shows in failed.stdout
    assert f"databases: {kind.databases}" in failed.stdout
    assert f"code:      as before ({live.link('current-api').removeprefix('api/')} is live)" in failed.stdout
    assert "Traceback (most" not in told_by_mcc(failed)

    assert [live.version(domain) for domain in DOMAINS] == ["1", "1"]
    assert [live.post("after a failure", domain) for domain in DOMAINS] == [201, 201]
    assert [live.box.state(unit) for unit in live.units] == ["active", "active"]
    assert live.facts(".mcc/") == before
    assert live.box.crontab() == crontab
    told = live.status()
    assert told["dead_runs"] == []
    assert kind.says.partition(": ")[0].split("/")[-1] in told["last_failure"]["error"]


def test_a_worker_that_is_broken_takes_the_other_service_back_too(live: Notes, outputs: Outputs) -> None:
    """Two services are one release: the web application came up, and runs the old code again all the same."""
    before = live.facts(".mcc/")
    at = live.bring(outputs("v2"))
    live.box.write(f"{at}/worker/main.py", 'raise SystemExit("the queue is not there")\n', DEPLOY_USER)
    failed = live.deploy()
    print(failed)
    assert failed.code == 1
    assert "notes-prod-worker.service did not" in failed.stdout
    assert "the queue is not there" in failed.stdout
    assert [live.version(domain) for domain in DOMAINS] == ["1", "1"]
    assert [live.box.state(unit) for unit in live.units] == ["active", "active"]
    assert live.facts(".mcc/") == before
    beats = "SELECT version, at FROM heartbeats"
    last = live.sql("domains/app.box.test/data.db", beats)
    until(lambda: live.sql("domains/app.box.test/data.db", beats) != last, "another heartbeat")
    assert last[0].startswith("1|")


def test_the_next_good_deploy_works(live: Notes, outputs: Outputs) -> None:
    """After a release that failed at the restart and one that failed before; the databases go on."""
    assert live.deploy(outputs("v2", "does-not-start")).code == 1
    assert live.deploy(outputs("bad-lock")).code == 1
    good = live.deploy(outputs("v2"))
    assert good.code == 0, good
    assert live.version() == "2"
    assert live.migrations("app.box.test")[-1] == "005_pinned"
    states = [line.lstrip("<->").split()[1] for line in live.mcc("releases", "--stage", "prod").stdout.splitlines()
              if "vrs-" in line]  # fmt: skip
    assert states == ["good", "failed", "failed", "live"]


def test_a_slow_start_is_no_failure(live: Notes, outputs: Outputs) -> None:
    """Five seconds before it listens: waited for, not slept through."""
    good = live.deploy(outputs("slow-start"))
    assert good.code == 0, good
    assert live.get("/api/version").status == 200


def test_a_first_release_that_is_broken_leaves_nothing_live(new: Notes, outputs: Outputs) -> None:
    """There is no old code to go back to: links, crontab and releases are gone, the service is named."""
    failed = new.deploy(outputs("does-not-start"))
    print(failed)
    assert failed.code == 1
    assert "code:      as before (nothing is live yet)" in failed.stdout
    assert "databases: 4 migrations ahead" in failed.stdout
    assert "notes-prod-api.service" in failed.stdout.split("to do:")[1]
    tree = new.box.tree(new.base)
    assert not {"current-api", "current-ui", ".venv", "uv.lock"} & set(tree)
    assert not [name for name in tree if name.startswith(("api/", "ui/", "venvs/", "scripts/"))]
    assert new.box.crontab() == ""
    good = new.deploy(outputs())
    assert good.code == 0, good
    new.wait_for_version("1")


def told_by_mcc(result: Result) -> str:
    """What mcc says, without the evidence that it shows of others."""
    return "\n".join(line for line in result.output.splitlines() if "| " not in line)


