"""What sudo allows is looked at first: a line that is missing is named, and nothing is changed."""

from __future__ import annotations

import re

from box.harness import DEPLOY_USER, Box
from box.notes import Notes, Outputs

LINE = re.compile(rf"add this line to /etc/sudoers\.d/{DEPLOY_USER}: (.+)")


def test_each_line_that_is_missing_is_named(shared_live: Notes, outputs: Outputs) -> None:
    """Exit code 2 with exactly that line of sudoers; with it in place the deploy can be."""
    site, rules = shared_live, shared_live.rules()
    before = everything(site)
    site.bring(outputs("v2"))
    needed = [rule for rule in rules if "systemctl status" not in rule]
    assert len(needed) == 10
    for rule in needed:
        site.box.sudoers(other for other in rules if other != rule)
        refused = site.deploy()
        assert (refused.code, refused.stdout) == (2, ""), refused
        assert named(refused.stderr) == rule.replace("/usr/bin/ch", "/bin/ch")
        assert everything(site) == before
    site.box.sudoers([*(rule for rule in rules if rule != needed[-1]), named(refused.stderr)])
    assert site.deploy(None, "--plan").code == 0
    assert ran_as_root(site.box) == []


def test_status_is_useful_but_not_needed(shared_live: Notes, outputs: Outputs) -> None:
    """Without it a failure shows what can be seen without rights, and the line that would show more."""
    site = shared_live
    site.box.sudoers(rule for rule in site.rules() if "systemctl status" not in rule)
    failed = site.deploy(outputs("does-not-start"))
    site.box.sudoers(site.rules())
    assert failed.code == 1, failed
    assert named(failed.stdout) in site.rules()
    assert "No module named 'shared.release_notes'" in failed.stdout
    assert site.version() == "1"


def test_what_a_refusal_names_is_all_that_a_deploy_needs(new: Notes, outputs: Outputs) -> None:
    """From no right at all, by the line that mcc names, to a release that is served."""
    new.box.sudoers([])
    refused = new.deploy(outputs())
    assert refused.code == 2, refused
    assert not new.box.exists(new.base)
    new.box.sudoers([named(refused.stderr)])
    done = new.deploy()
    assert done.code == 0, done
    new.wait_for_version("1")
    allowed = named(refused.stderr).partition("NOPASSWD: ")[2].replace("\\", "").split(", ")
    assert sorted(ran_as_root(new.box)) == sorted(allowed)


def everything(site: Notes) -> tuple[object, ...]:
    """Files, crontab and starts of the services; the lock says who held it last, which is nothing that counts."""
    return site.facts(".mcc/lock"), site.box.crontab(), site.starts()


def named(text: str) -> str:
    """The line of sudoers in a message."""
    found = LINE.search(text)
    assert found, text
    return found[1]


def ran_as_root(box: Box) -> list[str]:
    """The command lines that sudo has run since the boot."""
    log = box.sudo_log()
    return re.findall(r"USER=root ; COMMAND=(?!list )(.+)", log)
