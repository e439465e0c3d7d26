"""``OWNERSHIP`` in its three ways: deploys go on, and so does a service that creates, changes and holds files open."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from box import provisioned
from box.harness import DEPLOY_USER, Boxes, Running, until
from box.notes import DOMAINS, Notes, Outputs, reach

WAYS = {
    "acl": provisioned.CONF,
    "sudo": {"SMOKE_URLS": "[]", "STABLE_FOR": "0.5"},
    "none": {"OWNERSHIP": "none", "SMOKE_URLS": "[]", "STABLE_FOR": "0.5"},
}
HOLDER = """
import os, sqlite3, sys, time

base, domain = sys.argv[1:]
folder = f"{base}/domains/{domain}"
held = [open(f"{base}/logs/held.log", "a"), open(f"{base}/current-api/api/main.py")]
os.makedirs(f"{folder}/cache/deep", exist_ok=True)
open(f"{folder}/cache/deep/page", "w").write("x")
connection = sqlite3.connect(f"{folder}/data.db", isolation_level=None, timeout=30)
print("holds", flush=True)
number = 0
while True:
    number += 1
    connection.execute("INSERT INTO notes (text) VALUES (?)", (f"held {number}",))
    held[0].write(f"{number}\\n")
    held[0].flush()
    time.sleep(0.02)
"""
MADE = """
import os, sqlite3, sys

os.close(os.open(sys.argv[1], os.O_CREAT, int(sys.argv[2], 8)))
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA journal_mode=" + sys.argv[3])
connection.execute("CREATE TABLE IF NOT EXISTS t (a)")
connection.execute("INSERT INTO t VALUES (1)")
connection.commit()
os._exit(0)  # killed: what lies beside the database stays there
"""


@pytest.fixture(scope="module", params=WAYS)
def site(request: pytest.FixtureRequest, module_boxes: Boxes, outputs: Outputs) -> Notes:
    """Version 1 is live; the same suite for each way."""
    if request.param == "acl":
        return request.getfixturevalue("acl_site")  # type: ignore[no-any-return]
    notes = Notes(module_boxes()).set_up()  # the services are in the deploy user's group, as the specification has it
    if request.param == "none":
        notes.box.exec(["usermod", "-aG", DEPLOY_USER, "www-data"])
    done = notes.deploy(outputs(), **WAYS[request.param])
    assert done.code == 0, done
    notes.wait_for_version("1")
    return notes


def way(site: Notes) -> str:
    conf = site.box.read(f"{site.brought}/conf-prod.yml")
    return "sudo" if "OWNERSHIP" not in conf else "acl" if "OWNERSHIP: acl" in conf else "none"


@pytest.fixture
def holder(site: Notes) -> Iterator[Running]:
    """Another process of the service user, which writes and holds files open all the time."""
    site.box.write("/opt/holder.py", HOLDER)
    running = site.box.spawn(["python3", "/opt/holder.py", site.base, DOMAINS[0]], "www-data")
    assert running.process.stdout
    line = running.process.stdout.readline()
    if line == "holds\n":
        yield running
    running.signal(9)
    ended = running.wait()
    assert line, ended


def test_a_deploy_migrates_and_prunes_beside_a_service_that_writes(
    site: Notes, outputs: Outputs, holder: Running
) -> None:
    """Both write the databases before and afterwards; what the service has made never stops a deploy."""
    box, old = site.box, site.link("current-api")
    assert [site.post("before", domain) for domain in DOMAINS] == [201, 201]
    cache = f"{site.base}/{old}/api/__pycache__/of-the-service"
    planted = box.exec(["sh", "-c", f"mkdir {cache} && touch {cache}/x"], "www-data", check=False)
    assert planted.ok == (way(site) == "sudo"), planted
    site.bring(outputs("v2"), conf=WAYS[way(site)])
    box.exec(["sed", "-i", "s/keep_builds: 10/keep_builds: 1/", f"{site.brought}/config.yml"])
    second = site.deploy()
    assert second.code == 0, second
    site.wait_for_version("2")
    assert [site.migrations(domain)[-1] for domain in DOMAINS] == ["005_pinned"] * 2
    assert [site.post("after", domain) for domain in DOMAINS] == [201, 201]
    assert holder.process.poll() is None
    assert int(site.sql(f"domains/{DOMAINS[0]}/data.db", "SELECT count(*) FROM notes WHERE text LIKE 'held %'")[0]) > 20
    third = site.deploy()  # until then it is what a rollback goes to
    assert third.code == 0, third
    assert not box.exists(f"{site.base}/{old}"), third


def test_copies_are_the_deploy_users_alone(site: Notes) -> None:
    """Whatever the way, and although the data is the service's too."""
    done = site.mcc("backup", "--stage", "prod")
    assert done.code == 0, done
    for user in ("www-data", "nobody"):
        found = site.box.exec(f"find {site.base}/backups -type f -readable", user, check=False).stdout
        assert found == "", user
    assert site.box.exec(f"find {site.base}/backups -type f", DEPLOY_USER).stdout


def test_what_is_put_back_the_service_can_write(site: Notes) -> None:
    """The copies of just now, while another process of the service holds nothing open."""
    assert [site.post("since", domain) for domain in DOMAINS] == [201, 201]
    done = site.mcc("restore", "--site", site.base)
    assert done.code == 0, done
    assert "since" not in site.get("/api/notes").text
    assert [site.post("after all", domain) for domain in DOMAINS] == [201, 201]


def test_what_one_user_left_beside_a_database_the_other_can_write(acl_site: Notes) -> None:
    """New databases, and the -wal, -shm and -journal of a process that was killed; in both directions."""
    box = acl_site.box
    box.write("/opt/made.py", MADE)
    folder = f"{acl_site.base}/domains/{DOMAINS[1]}"
    for first, second in ((DEPLOY_USER, "www-data"), ("www-data", DEPLOY_USER)):
        for mode in ("wal", "persist"):
            path = f"{folder}/{first}-{mode}.db"
            box.exec(["python3", "/opt/made.py", path, "660", mode], first)
            beside = "-wal" if mode == "wal" else "-journal"
            assert box.exists(path + beside)
            box.exec(["python3", "/opt/made.py", path, "660", mode], second)
            assert box.exec(["sqlite3", path, "SELECT count(*) FROM t"], first).stdout.strip() == "2"
    assert not box.exec(f"cat {folder}/*.db", "nobody", check=False).ok


def test_a_deploy_that_was_killed_leaves_databases_that_the_service_writes(acl_site: Notes, outputs: Outputs) -> None:
    """In the middle of a migration; whatever lies beside them then. The next deploy goes on."""
    site = acl_site
    deploy = site.start_deploy(outputs(), "--format", "jsonl", **WAYS["acl"])
    reach(deploy, "migrate")
    site.box.exec("pkill -9 -u stenvala -f 'mcc deploy'", check=False)
    deploy.wait()
    until(lambda: site.get("/api/version").status == 200, "the service")  # on a busy machine it was restarted by then
    assert [site.post("after a death", domain) for domain in DOMAINS] == [201, 201]
    done = site.deploy()
    assert done.code == 0, done
    assert json.loads(site.get("/api/version").body)["version"] == "1"
    assert [site.post("at last", domain) for domain in DOMAINS] == [201, 201]


def test_one_tenant_has_its_database_behind_a_link(boxes: Boxes, outputs: Outputs) -> None:
    """The service writes it by the name that it knows, with SQLite's files where it may make them."""
    site = provisioned.set_up(Notes(boxes()), single_tenant=True)
    done = site.deploy(outputs(single_tenant=True), **provisioned.CONF)
    assert done.code == 0, done
    assert site.link("data.db") == "data/data.db"
    box = site.box
    for user in ("www-data", DEPLOY_USER):
        words = f"sqlite3 {site.base}/data.db \"PRAGMA journal_mode=WAL; INSERT INTO notes (text) VALUES ('{user}')\""
        box.exec(words, user)
    again = site.deploy(None, "--plan")
    assert again.code == 0, again
    assert not box.exec(f"touch {site.base}/new", "www-data", check=False).ok
