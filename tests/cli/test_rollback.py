"""``mcc rollback`` and ``mcc leave`` as a person calls them, on a site without services."""

from __future__ import annotations

import json

import pytest

from cli.ground import Ground, is_one_message

pytestmark = pytest.mark.slow


def names(ground: Ground) -> list[str]:
    return [line["name"] for line in ground.ledger() if line["event"] == "live"]


def test_back_and_what_is_said_of_it(ground: Ground) -> None:
    live = ground
    live.good()
    live.release("two")
    live.write("scripts/tool.sh", "#!/bin/sh\necho two\n")
    live.good()
    first, second = names(live)
    text = live.run("releases", "--site", str(live.site)).stdout.splitlines()
    assert text[0].startswith(f"<- {first}  good")
    assert text[1].startswith(f"-> {second}  live")
    plan = live.run("rollback", "--stage", "prod", "--plan")
    assert f"current-ui -> ui/{first}" in plan.stdout
    assert live.page() == "<h1>two</h1>\n"
    done = live.run("rollback", "--stage", "prod")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"back to {first}" in done.stdout
    assert f"{first} is live" in done.stdout
    assert live.page() == "<h1>one</h1>\n"
    told = live.status()
    assert (told["live"]["back_from"], told["changes"], told["can_go_back_to"]) == (second, [], [second])
    assert live.run("rollback", "--site", str(live.site), "--to", second).returncode == 0
    assert live.page() == "<h1>two</h1>\n"


def test_a_folder_that_is_gone_is_named(live: Ground) -> None:
    live.good()
    first, _ = names(live)
    (live.site / "ui" / first / "index.html").unlink()
    (live.site / "ui" / first).rmdir()
    done = live.run("rollback", "--site", str(live.site))
    assert (done.returncode, is_one_message(done.stderr)) == (2, True)
    assert f"there is no way back to {first}: ui/{first} is gone" in done.stderr
    assert f"no way back: ui/{first} is gone" in live.run("releases", "--site", str(live.site)).stdout
    answer = json.loads(live.run("releases", "--site", str(live.site), "--format", "json").stdout)
    assert [release["no_way_back"] for release in answer] == [f"ui/{first} is gone", "it is live"]


def test_links_that_somebody_changed_are_said_by_status(live: Ground) -> None:
    live.good()
    first, second = names(live)
    (live.site / "current-ui").unlink()
    (live.site / "current-ui").symlink_to(live.site / "ui" / first)
    told = live.run("status", "--site", str(live.site)).stdout
    assert (
        f"current-ui was changed by someone else: it is {live.site}/ui/{first}, and {second} made it ui/{second}"
        in told
    )
    (live.site / "current-ui").unlink()
    assert "current-ui -> nothing" in live.run("status", "--site", str(live.site)).stdout


@pytest.mark.parametrize("command", ["rollback", "leave"])
def test_bad_input_is_one_message_and_nothing_is_touched(first: Ground, command: str) -> None:
    site = str(first.site)
    wrong = [(), ("--site", site, "--stage", "prod"), ("--site", "/nowhere"), ("--stage", "absent")]
    if command == "rollback":
        wrong += [("--site", site), ("--site", site, "--to", "vrs-1")]
    before = first.traces()
    for words in wrong:
        done = first.run(command, *words)
        assert (done.returncode, is_one_message(done.stderr)) == (2, True), (words, done.stderr)
    assert first.traces() == before


def test_a_site_is_given_back_and_taken_over_again(live: Ground) -> None:
    live.python()
    live.good()
    assert (live.site / ".venv").is_symlink()
    plan = live.run("leave", "--site", str(live.site), "--plan")
    assert "nothing was changed" in plan.stdout
    done = live.run("leave", "--site", str(live.site))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "given back to the script" in done.stdout
    assert not (live.site / ".venv").is_symlink()
    assert (live.site / ".venv/bin/python").exists()
    (aside,) = live.site.glob(".mcc-left-*")
    assert str(aside) in done.stdout
    assert not (live.site / ".mcc").exists()
    assert "not by mcc: the next deploy adopts" in live.run("status", "--site", str(live.site)).stdout
    live.release("three")
    live.good()
    adopted = next(line for line in live.ledger() if line["event"] == "live")
    assert adopted["origin"] == "adopted"
    assert live.run("rollback", "--site", str(live.site)).returncode == 0
    assert live.page() == "<h1>two</h1>\n"
