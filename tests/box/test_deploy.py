"""The main job on a real server: as the deploy user, with the sudo lines of the specification alone."""

from __future__ import annotations

import json
import re
import time

from box.harness import DEPLOY_USER, Box, spec_sudoers
from box.notes import DOMAINS, HEALTH, FirstDeploy, Notes, Outputs

MIGRATIONS = ["001_notes", "002_history", "003_titles", "004_heartbeats"]
CRONTAB = """\
# BEGIN mcc {base}
# NOTES-PROD-COUNT
* * * * * cd {base}/scripts && ./count_notes.sh >> {base}/logs/count_notes.log 2>&1
# NOTES-PROD-BACKUP
15 2 * * * cd {base}/scripts && ./backup.sh >> {base}/logs/backup.log 2>&1
@reboot {base}/.mcc/bin/mcc recover --site {base} >> {base}/logs/mcc-recover.log 2>&1
# END mcc {base}
"""


def test_the_example_asks_for_the_rights_of_the_specification_and_no_more(first: FirstDeploy) -> None:
    """Restart and status of two units, chown and chmod of four folders: whole command lines."""
    notes = first.notes
    wanted = spec_sudoers(notes.base, notes.units, paths=("api", "ui", "domains", "logs"))
    assert sorted(line.replace("/usr/bin/ch", "/bin/ch") for line in notes.rules()) == sorted(wanted)


def test_a_first_deploy_serves_two_domains_over_https(first: FirstDeploy) -> None:
    """Front end, assets and API answer each visitor; the log says which build it is."""
    notes = first.notes
    assert first.result.code == 0, first.result
    assert "build #18 from main" in first.result.stdout
    assert re.search(r"done in .* is live; databases: 4 migrations forward", first.result.stdout)
    assert first.result.stderr == ""
    for domain in DOMAINS:
        notes.wait_for_version("1")
        page = notes.get("/", domain).text
        for asset in re.findall(r'"(/assets/[^"]+)"', page):
            assert notes.get(asset, domain).status == 200
        assert json.loads(notes.get(HEALTH, domain).body)["databases"] == dict.fromkeys(DOMAINS, True)
    assert [notes.box.state(unit) for unit in notes.units] == ["active", "active"]


def test_the_service_writes_the_databases_that_the_deploy_made(first: FirstDeploy) -> None:
    """Each domain has its own, with all migrations; www-data can write it and SQLite's files beside it."""
    notes = first.notes
    for domain in DOMAINS:
        assert notes.migrations(domain) == MIGRATIONS
        assert notes.post(f"for {domain}", domain) == 201
        found = json.loads(notes.get("/api/notes", domain).body)
        assert (found["domain"], found["notes"][0]["text"]) == (domain, f"for {domain}")
        assert notes.sql(f"domains/{domain}/data.db", "SELECT name FROM heartbeats") == ["worker"]


def test_files_belong_to_whom_the_specification_says(first: FirstDeploy) -> None:
    """Service user and deploy group on the fixed paths, all else the deploy user's; nothing open to everybody."""
    shared = [(name, facts) for name, facts in first.tree.items() if re.match(r"(api|ui|domains|logs)(/|$)", name)]
    others = [(name, facts) for name, facts in first.tree.items() if (name, facts) not in shared]
    assert len(shared) > 50
    for name, facts in shared:
        assert facts.startswith("l") or (" www-data:stenvala" in facts and facts.split()[1][-2] in "67"), (name, facts)
    for name, facts in others:
        assert facts.startswith("l") or " stenvala:stenvala" in facts, (name, facts)
    for name, facts in first.tree.items():
        assert facts.startswith("l") or facts.split()[1][-1] in "0145", (name, facts)


def test_the_service_cannot_change_what_the_deploy_user_runs(first: FirstDeploy) -> None:
    """Environment, scripts, mcc and its records are out of reach of www-data."""
    box, base = first.notes.box, first.notes.base
    places = [f"{base}/{name}" for name in ("venvs", "scripts", ".mcc/tool", ".mcc/bin", ".mcc/releases.jsonl")]
    found = box.exec(["find", *places, "!", "-type", "l", "-writable"], "www-data").stdout
    assert found == ""
    assert not box.exec(["ls", f"{base}/.mcc/runs"], "www-data", check=False).ok


def test_running_services_write_no_bytecode(first: FirstDeploy) -> None:
    """All was compiled before the start: what is newer than the deploy is data and logs alone."""
    notes = first.notes
    for path in ("/", "/api/notes", "/api/version", HEALTH, "/api/slow?seconds=0"):
        assert notes.get(path).status == 200
    newer = notes.box.exec(["find", notes.base, "-newer", f"{notes.base}/.mcc/releases.jsonl", "-type", "f"]).stdout
    names = [name.removeprefix(f"{notes.base}/") for name in newer.splitlines()]
    assert [name for name in names if not name.startswith(("domains/", "logs/", ".mcc/"))] == []


def test_the_crontab_is_the_specifications_in_one_block(first: FirstDeploy) -> None:
    """Marker, then the job, for each; and the line that recovers after a reboot."""
    assert first.notes.box.crontab() == CRONTAB.format(base=first.notes.base)


def test_a_plan_of_a_new_site_touches_nothing(new: Notes, outputs: Outputs) -> None:
    """Not even the site's folder is made, and a refusal leaves nothing either."""
    new.bring(outputs())
    before = new.box.tree("/home/stenvala")
    planned = new.deploy(None, "--plan")
    assert planned.code == 0, planned
    assert "4 pending" in planned.stdout
    assert "nothing was changed" in planned.stdout
    new.box.sudoers([])
    assert new.deploy().code == 2
    assert new.box.tree("/home/stenvala") == before
    assert new.box.crontab() == ""


def test_later_deploys_keep_what_is_not_theirs(live: Notes, outputs: Outputs) -> None:
    """Notes, foreign cron lines and the unchanged environment stay; keep_builds says when releases go."""
    box, base = live.box, live.base
    box.exec(["crontab", "-"], DEPLOY_USER, stdin=f"MAILTO=me\n{box.crontab()}# mine\n5 4 * * 1 true  # %\n")
    box.exec(["install", "-d", "-o", "www-data", "-m", "700", f"{base}/{live.link('current-api')}/cache"])
    crontab, environment, old = box.crontab(), live.link(".venv"), live.link("current-api")
    assert live.post("before the second deploy") == 201
    planned_from, old_assets = box.tree(base), assets(live)
    live.bring(outputs("v2"))
    assert live.deploy(None, "--plan").code == 0
    assert without_databases(box.tree(base)) == without_databases(planned_from)

    second = live.deploy()
    assert second.code == 0, second
    assert [live.version(domain) for domain in DOMAINS] == ["2", "2"]
    new_assets = assets(live)
    assert {live.get(path).status for path in {*old_assets, *new_assets}} == {200}
    assert [live.migrations(domain)[-1] for domain in DOMAINS] == ["005_pinned"] * 2
    assert "before the second deploy" in live.get("/api/notes").text
    assert (box.crontab(), live.link(".venv")) == (crontab, environment)
    assert box.exists(f"{base}/{old}")
    told = live.status()
    assert told["links"] == {name: live.link(name) for name in ("current-api", "current-ui")}
    assert (told["can_go_back_to"], told["dead_runs"]) == ([old.removeprefix("api/")], [])

    live.bring(outputs())
    box.exec(["sed", "-i", "s/keep_builds: 10/keep_builds: 1/", f"{live.brought}/config.yml"])
    third = live.deploy()
    assert third.code == 0, third
    listed = live.mcc("releases", "--stage", "prod").stdout.splitlines()
    assert [line.lstrip("<->").split()[1] for line in listed] == ["pruned", "good", "live"], listed
    assert box.exec(["ls", f"{base}/api", f"{base}/ui"]).stdout.count("vrs-") == 4
    assert live.version() == "1"
    assert assets(live) == old_assets
    changed = set(new_assets) - set(old_assets)
    assert changed, "another release, another hash"
    assert {live.get(path).status for path in changed} == {200}, "a page of the release before goes on"


def assets(notes: Notes) -> list[str]:
    """What the page asks for: names with a hash in them."""
    return re.findall(r'"(/assets/[^"]+)"', notes.get("/").text)


def without_databases(tree: dict[str, str]) -> dict[str, str]:
    """SQLite's files change while the services run."""
    return {name: facts for name, facts in tree.items() if ".db" not in name}


def test_the_sites_own_mcc_needs_nothing_else(live: Notes) -> None:
    """No uv, no installed mcc, no output folder, no variables of a login."""
    box = live.box
    box.exec(["rm", "-rf", "/usr/local/bin/uv", "/usr/local/bin/mcc", "/opt/mcc", live.brought])
    own = ["env", "-i", f"{live.base}/.mcc/bin/mcc"]
    status = box.exec([*own, "status", "--site", live.base], DEPLOY_USER).stdout
    assert f"live      {live.link('current-api').removeprefix('api/')}" in status
    assert "build #18 from main" in status
    assert "live" in box.exec([*own, "releases", "--site", live.base], DEPLOY_USER).stdout
    assert "nothing to recover" in box.exec([*own, "recover", "--site", live.base], DEPLOY_USER).stdout


def test_one_tenant_has_its_database_in_the_site(box: Box, outputs: Outputs) -> None:
    """SQLite's files beside data.db need a folder that the service may write: the deploy says so, with the command."""
    notes = Notes(box).set_up()
    box.sudoers(spec_sudoers(notes.base, notes.units, paths=("api", "ui", "logs", "data.db")))
    done = notes.deploy(outputs(single_tenant=True), SMOKE_URLS="['https://app.box.test/']")
    print(done)
    assert done.code == 0, done
    assert box.tree(notes.base)["data.db"].startswith("f 664 www-data:stenvala")
    advice = re.search(r"as root: (chown .* && chmod .*)", done.output)
    assert advice, done
    box.exec(advice[1])
    assert notes.post("one for all") == 201
    again = notes.deploy()
    assert again.code == 0, again
    assert "as root" not in again.output


def test_cron_runs_the_jobs_as_the_deploy_user(first: FirstDeploy) -> None:
    """A line a domain, each minute; the one test that may have to wait for a minute to be over."""
    box, log = first.notes.box, f"{first.notes.base}/logs/count_notes.log"
    deadline = time.monotonic() + 75
    while not box.exists(log) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert [line.split()[1] for line in box.read(log).splitlines()[:2]] == list(DOMAINS)
    assert box.exec(["stat", "-c", "%U", log]).stdout == "stenvala\n"
