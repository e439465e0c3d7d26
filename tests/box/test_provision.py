"""A server is set up by what root runs once: from a bare one to a served site, and never halfway."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass

import pytest

from box.harness import CERTIFICATE, DEPLOY_USER, Box, Boxes, Result, until
from box.layers import CHECKOUT, build_wheel
from box.notes import DOMAINS, Notes, Outputs, guardian, reach, runner

OUTPUT = "/srv/notes"
SITE = "/home/stenvala/live/notes-prod"
README = (CHECKOUT / "README.md").read_text()


def block(before: str) -> str:
    """The block of the README behind a comment that begins so."""
    match = re.search(rf"<!-- {before}.*? -->\n```\w+\n(.*?)```", README, re.S)
    assert match, before
    return match[1]


def conf_of_the_readme() -> str:
    """With the names and the certificate that a box has."""
    text = block("conf").replace("example.com", "box.test")
    own = f"TLS: files\nTLS_CERTIFICATE: {CERTIFICATE[0]}\nTLS_KEY: {CERTIFICATE[1]}\n"
    changed = re.sub(r"^CERTBOT_EMAIL:.*\n", own, text, flags=re.M)
    assert changed != text
    return changed


def conf_of_a_plain_unit() -> str:
    """The same for a service that is restarted."""
    text, service = conf_of_the_readme(), "SERVICE_NAME: notes-prod@.service\n"
    assert service in text
    return text.replace(service, "SERVICE_NAME: notes-prod-api.service\nAPI_PORT: 8000\n")


def make_bare(box: Box) -> None:
    """No deploy user, no rights, no site; logrotate is a package that the mirror has."""
    box.exec(["userdel", "-r", DEPLOY_USER], check=False)
    box.exec("rm -rf /home/stenvala /etc/sudoers.d/box /usr/local/bin/uv")
    box.exec("printf 'offline = true\n' >>/etc/uv/uv.toml")  # no retries against a network that is not there
    box.exec("apt-get update -q && apt-get install -dqy --no-install-recommends logrotate", net=True)


@dataclass(frozen=True, slots=True)
class Server:
    """A box, and what root does in it."""

    box: Box

    def conf(self, text: str) -> None:
        self.box.write(f"{OUTPUT}/conf-prod.yml", text)
        self.box.write(f"{OUTPUT}/config.yml", "deploy:\n  prod:\n    parameters: { conf: conf-prod.yml }\n")

    def script(self, *words: str) -> str:
        return self.box.exec(["mcc", "provision", "--stage", "prod", "--script", *words], cwd=OUTPUT).stdout

    def run(self, script: str) -> Result:
        return self.box.exec(["sh"], stdin=script, check=False)

    def provision(self, *words: str) -> Result:
        return self.run(self.script(*words))

    def everything(self) -> dict[str, dict[str, str]]:
        """All that provision may touch."""
        places = ("/etc", "/home", "/var/backups")
        return {place: self.box.tree(place) for place in places}


# ---- from a bare server


@pytest.fixture(scope="module")
def readme(module_boxes: Boxes, outputs: Outputs, tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A bare Debian on which the README's commands were typed, each of them as it stands."""
    folder = tmp_path_factory.mktemp("project")
    box = module_boxes(mcc=False)
    make_bare(box)
    build, bring = block("project").splitlines()
    own = {"/tmp/notes": f"{folder}/notes", "dist/*.whl": str(build_wheel(folder).path), "python3": sys.executable}
    typed(build, {**own, "--branch main": f"--branch main --lock {outputs() / 'uv.lock'}"})
    typed(bring, {**own, "root@server.example.com": f"root@{box.name}", "scp": f"scp -F {box.ssh_config}"})
    server = Server(box)
    server.conf(conf_of_the_readme())
    install, provision, deploy = block("server").splitlines()
    box.write("/root/constraints", _constraints())  # the versions that a box's cache of packages is made for
    box.exec(install, cwd=OUTPUT, net=True, env=_index(), timeout=300)
    for line in (provision, deploy):
        done = box.exec(line, cwd=OUTPUT, check=False)
        assert done.ok, done
    return server


def typed(line: str, own: dict[str, str]) -> None:
    """Run a line in this checkout, with this machine's names for what it speaks of."""
    for theirs, mine in own.items():
        line = line.replace(theirs, mine)
    done = subprocess.run(["bash", "-c", line], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def _constraints() -> str:
    return "\n".join(re.findall(r"^[\w.\[\]-]+==[\w.]+", (CHECKOUT / "constraints.txt").read_text(), re.M)) + "\n"


def _index() -> dict[str, str]:
    """Where packages come from; time that only a test would lack is not spent on .pyc files."""
    own = {"PIP_CONSTRAINT": "/root/constraints", "PIP_NO_COMPILE": "1"}
    return own | {name: os.environ[name] for name in ("PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT") if name in os.environ}


pytestmark = pytest.mark.slow
whole = pytest.mark.skipif(not os.environ.get("MCC_FULL"), reason="of the long suites, with MCC_FULL=1")


@pytest.mark.network
def test_five_commands_of_the_readme_make_a_served_site_of_a_bare_server(readme: Server) -> None:
    """Two domains by https, the worker, cron and backups; the line for reboots is left to the unit."""
    notes, box = Notes(readme.box), readme.box
    for domain in DOMAINS:
        assert notes.get("/", domain).status == 200
        assert notes.version(domain) == "1"
    assert notes.post("hello", DOMAINS[1]) == 201
    assert [notes.texts(domain)[0] == "hello" for domain in DOMAINS] == [False, True]
    assert [box.state(f"notes-prod{unit}") for unit in ("@a", "@b", "-worker")] == ["active", "inactive", "active"]
    crontab = box.crontab()
    assert "./count_notes.sh" in crontab
    assert "0 3 * * * /home/stenvala/live/notes-prod/.mcc/bin/mcc backup" in crontab
    assert "@reboot" not in crontab, "the unit does that"
    backup = box.exec([f"{SITE}/.mcc/bin/mcc", "backup", "--site", SITE], DEPLOY_USER, check=False)
    assert backup.ok, backup


@pytest.mark.network
def test_a_second_run_changes_nothing(readme: Server) -> None:
    """Neither a file of root's nor who may do what in the site; the visitor's side of it goes on meanwhile."""
    before, again = setting(readme), readme.provision()
    assert again.stdout.endswith("everything is as it should be\n"), again
    assert not re.search(r"^(new|changed|folder|enabled|user) ", again.stdout, re.M)
    assert setting(readme) == before
    shown = readme.box.exec(["mcc", "provision", "--stage", "prod"], cwd=OUTPUT).stdout
    assert "everything is as it should be" in shown


def setting(server: Server) -> tuple[dict[str, str], str]:
    """What root has set up."""
    folders = f"find {SITE} -maxdepth 1 -type d -exec getfacl -p {{}} +; ls /var/backups/mcc/notes-prod"
    return server.box.tree("/etc"), server.box.exec(folders).stdout


@pytest.mark.network
def test_the_unit_ends_a_dead_deploy_as_the_deploy_user(readme: Server) -> None:
    box, notes = readme.box, Notes(readme.box)
    words = ["mcc", "deploy", "--stage", "prod", "--output", OUTPUT, "--format", "jsonl"]
    running = box.spawn(words, DEPLOY_USER)
    reach(running, "cut-over", "current-ui")
    box.exec(["kill", "-9", guardian(box), runner(box)])
    running.wait()
    until(lambda: bool(notes.status()["dead_runs"]), "the death")  # a restart that it began may hold the site yet
    box.exec(["systemctl", "start", "mcc-recover-notes-prod.service"])
    assert notes.status()["dead_runs"] == []
    assert box.exec(["systemctl", "show", "-P", "User", "mcc-recover-notes-prod.service"]).stdout.strip() == DEPLOY_USER
    assert notes.version() == "1"


@pytest.mark.network
def test_logs_are_rotated_with_the_service_users_rights_alone(readme: Server) -> None:
    """A link that the service user planted is not followed; files of both users are rotated."""
    box = readme.box
    box.exec(f"echo 1 >>{SITE}/logs/service.log; ln -s /etc/hosts {SITE}/logs/hosts.log", "www-data")
    box.exec(f"echo 1 >>{SITE}/logs/cron.log", DEPLOY_USER)
    hosts = box.read("/etc/hosts")
    done = box.exec(["logrotate", "-f", "/etc/logrotate.d/mcc-notes-prod"], check=False)
    assert done.ok, done
    packed = {name for name in box.tree(f"{SITE}/logs") if name.endswith(".1")}
    assert {"service.log.1", "cron.log.1"} <= packed
    assert "hosts.log.1" not in packed
    assert box.read("/etc/hosts") == hosts
    assert box.exec(["stat", "-c", "%U %s", f"{SITE}/logs/cron.log"]).stdout == f"{DEPLOY_USER} 0\n"


# ---- all or nothing


@pytest.fixture(scope="module")
def fresh(module_boxes: Boxes) -> Server:
    """A server with mcc; its tests leave it as it was."""
    server = Server(module_boxes())
    server.box.exec("mkdir -p /srv/notes")
    server.conf(conf_of_a_plain_unit())
    return server


def clear(box: Box) -> None:
    """A site that was set up by hand is gone."""
    box.exec("systemctl -q disable notes-prod-api notes-prod-worker", check=False)
    box.exec("rm -rf /etc/systemd/system/notes-prod-* /etc/nginx/sites-*/notes-prod /etc/sudoers.d/*notes-prod")
    box.exec("rm -rf /srv/notes/mcc /var/backups/mcc /etc/sudoers.d/box; systemctl daemon-reload")


PARTS = [word for part in ("folders", "sudoers", "units", "nginx", "recovery") for word in ("--only", part)]
"""All but logrotate, which this box does not have."""


def refused(server: Server, script: str, *says: str) -> None:
    """Exit code 2 with these words, and the server as it was."""
    before = server.everything()
    done = server.run(script)
    assert done.code == 2, done
    assert all(text in done.stderr for text in says), done.stderr
    assert server.everything() == before


BROKEN = {
    "visudo": ("NOPASSWD: /bin/systemctl restart notes-prod-api.service", "NOPASSWD restart"),
    "systemd-analyze verify": ("StartLimitIntervalSec=0\n\n[Socket]", "StartLimitIntervallSec=0\n\n[Socket]"),
    "nginx -t": ("ssl_protocols", "ssl_protocolls"),
}


@pytest.mark.parametrize("checker", BROKEN)
def test_what_its_own_program_rejects_changes_nothing(fresh: Server, checker: str) -> None:
    """The person is told what the program says, with the file's own path."""
    script = fresh.script(*PARTS)
    whole, broken = BROKEN[checker]
    assert whole in script
    refused(fresh, script.replace(whole, broken, 1), f"rejected by {checker}", "/etc/")


def test_files_are_put_back_if_nginx_rejects_the_whole_after_all(fresh: Server) -> None:
    """Somebody breaks another file of nginx while the script runs: what it had put in place is gone again."""
    box, script = fresh.box, fresh.script("--only", "nginx", "--only", "sudoers")
    before = as_it_is(fresh)
    broken = "    echo nonsense >/etc/nginx/conf.d/broken.conf\n    take_up_nginx\n"
    done = fresh.run(script.replace("    take_up_nginx\n", broken, 1))
    assert (done.code, "everything was put back" in done.stderr) == (2, True), done
    box.exec("rm -r /etc/nginx/conf.d/broken.conf /var/backups/mcc")
    assert as_it_is(fresh) == before


def test_a_port_that_is_taken_is_named_with_its_holder(fresh: Server) -> None:
    script = fresh.script(*PARTS)
    server = fresh.box.spawn(["python3", "-m", "http.server", "8000", "--bind", "127.0.0.1"])
    fresh.box.exec("until ss -Hltn 'sport = :8000' | grep -q 8000; do sleep 0.05; done")
    try:
        refused(fresh, script, "the port 8000 (API_PORT) is taken by", "python3")
    finally:
        server.signal(9)
        server.wait()


def test_all_that_speaks_against_it_is_said_at_once(fresh: Server) -> None:
    """A unit that is not ours, another site's file, a domain that is served already, a site behind a link."""
    box, script = fresh.box, fresh.script(*PARTS)
    box.write("/etc/systemd/system/notes-prod-worker.service", "[Service]\nExecStart=/bin/true\n")
    box.write("/etc/sudoers.d/mcc-notes-prod", "# made by mcc for /home/other/live/notes-prod\n", mode=0o440)
    box.write("/etc/nginx/sites-enabled/other", "server {\n server_name x.box.test\n  client.box.test;\n}\n")
    box.exec("ln -s /etc live/notes-prod", DEPLOY_USER)
    try:
        refused(
            fresh, script,
            "notes-prod-worker.service is there and was not made by mcc",
            "belongs to another site: /home/other/live/notes-prod",
            "/etc/nginx/sites-enabled/other answers for the domain client.box.test already",
            f"{SITE} is a link to /etc",
        )  # fmt: skip
        shown = box.exec(["mcc", "provision", "--stage", "prod"], cwd=OUTPUT, check=False)
        assert shown.code == 2, shown
        assert "not made by mcc for this site" in shown.stderr
    finally:
        box.exec("rm /etc/systemd/system/notes-prod-worker.service /etc/sudoers.d/mcc-notes-prod")
        box.exec(f"rm /etc/nginx/sites-enabled/other {SITE}")


def test_undo_puts_everything_back(fresh: Server) -> None:
    """Files, links, what starts at boot, folders with their access lists; also of what was there before."""
    box = fresh.box
    box.exec("mkdir -p live/notes-prod/logs; echo kept >live/notes-prod/logs/old.log; chmod 700 .", DEPLOY_USER)
    try:
        before, undo = as_it_is(fresh), undo_of(fresh.provision(*PARTS))
        assert as_it_is(fresh) != before
        box.exec(f"cd {SITE} && touch logs/new.log", "www-data")  # it gets through a closed home, for this alone
        assert not box.exec(["ls", "/home/stenvala"], "www-data", check=False).ok
        box.exec(f"rm {SITE}/logs/new.log")
        back = box.exec(undo, check=False)
        assert back.stdout.endswith("as it was before\n"), back
        assert as_it_is(fresh) == before
    finally:
        box.exec(f"chmod 755 /home/stenvala; rm -rf {SITE} /var/backups/mcc")


def test_what_a_killed_run_has_done_can_be_taken_back_or_finished(fresh: Server) -> None:
    box, script = fresh.box, fresh.script(*PARTS[2:])
    before = as_it_is(fresh)
    middle = script.index("    place /etc/nginx/sites-available")
    killed = fresh.run(f"{script[:middle]}    kill -9 $$\n{script[middle:]}")
    assert killed.code != 0
    assert as_it_is(fresh) != before
    (undo,) = box.exec("ls /var/backups/mcc/notes-prod/*/undo.sh").stdout.splitlines()
    box.exec(["sh", undo])
    box.exec("rm -r /etc/.mcc-provision.*")  # the next run does that
    assert as_it_is(fresh) == before
    fresh.run(f"{script[:middle]}    kill -9 $$\n{script[middle:]}")
    finished = fresh.run(script)
    assert finished.ok, finished
    assert fresh.run(script).stdout.endswith("everything is as it should be\n")
    assert not [name for name in box.tree("/etc") if ".mcc" in name]
    for kept in reversed(box.exec("ls -d /var/backups/mcc/notes-prod/*").stdout.split()):
        box.exec(["sh", f"{kept}/undo.sh"])
    assert as_it_is(fresh) == before
    box.exec("rm -r /var/backups/mcc")


def as_it_is(server: Server) -> tuple[dict[str, str], dict[str, str], str]:
    """All that provision may touch, but for what it keeps."""
    lists = "getfacl -pR /home/stenvala; ls /etc/systemd/system/*.wants"
    return server.box.tree("/etc"), server.box.tree("/home"), server.box.exec(lists).stdout


def undo_of(done: Result) -> str:
    assert done.ok, done
    (undo,) = re.findall(r"the way back: (sh \S+)\n", done.stdout)
    return undo


def test_the_sudo_lines_alone_are_enough_for_a_server_made_by_hand(fresh: Server, outputs: Outputs) -> None:
    """--only sudoers writes that one file, for OWNERSHIP: sudo too; a deploy then misses no right, and has no more."""
    box = fresh.box
    notes = Notes(box).set_up()
    box.exec("rm /etc/sudoers.d/box")
    try:
        notes.bring(outputs())
        assert notes.mcc("deploy", "--stage", "prod", "--plan").code == 2
        script = box.exec(["mcc", "provision", "--stage", "prod", "--script", "--only", "sudoers"], cwd=notes.brought)
        done = fresh.run(script.stdout)
        assert re.findall(r"^new\s+(\S+)$", done.stdout, re.M) == ["/etc/sudoers.d/mcc-notes-prod"], done
        planned = notes.mcc("deploy", "--stage", "prod", "--plan")
        assert planned.ok, planned
        for more in ("/bin/systemctl restart nginx.service", f"/bin/chown -R www-data:stenvala {SITE}"):
            assert not box.exec(["sudo", "-n", "-l", *more.split()], DEPLOY_USER, check=False).ok
    finally:
        clear(box)


CERTBOT = """#!/bin/sh
# gives the box's own certificate to whom the authority can reach
[ -e /tmp/reachable ] || { echo "no answer from the name" >&2; exit 1; }
while [ $# -gt 0 ]; do [ "$1" != -d ] || name=$2; shift; done
mkdir -p "/etc/letsencrypt/live/$name"
cp CERT "/etc/letsencrypt/live/$name/fullchain.pem"; cp KEY "/etc/letsencrypt/live/$name/privkey.pem"
"""


def test_a_certificate_signed_by_itself_stands_in_until_certbot_has_a_real_one(fresh: Server) -> None:
    """nginx serves from the first run on; what is to do is said; a later run links to certbot's files and reloads."""
    box = fresh.box
    box.write("/usr/bin/certbot", CERTBOT.replace("CERT", CERTIFICATE[0]).replace("KEY", CERTIFICATE[1]), mode=0o755)
    fresh.conf(block("conf").replace("example.com", "box.test"))
    asked = ["curl", "-s", f"https://{DOMAINS[0]}/"]
    try:
        first = fresh.provision("--only", "nginx")
        undo = undo_of(first)
        assert f"certbot has no certificate for {DOMAINS[0]} yet" in first.stdout
        assert "no answer from the name" in first.stdout
        # curl(1), 60: the certificate cannot be authenticated; nginx reloads behind systemctl's back
        until(lambda: box.exec(asked, check=False).code == 60, "a certificate that nobody vouches for", 10)
        assert box.exec([*asked, "--insecure"]).ok
        again = fresh.provision("--only", "nginx")
        assert "everything is as it should be" in again.stdout, again
        box.exec("touch /tmp/reachable")
        real = fresh.provision("--only", "nginx")
        assert "to do" not in real.stdout, real
        for name in DOMAINS:
            until(lambda: box.exec(["curl", "-s", f"https://{name}/"], check=False).ok, f"a real one of {name}", 10)  # noqa: B023
        box.exec(undo)
    finally:
        box.exec("rm -rf /usr/bin/certbot /etc/letsencrypt /etc/mcc /tmp/reachable /var/backups/mcc /var/www/mcc-acme")
        fresh.conf(conf_of_a_plain_unit())


@whole
def test_a_template_is_judged_and_enabled_as_its_two_slots(fresh: Server) -> None:
    box = fresh.box
    fresh.conf(conf_of_the_readme())
    try:
        undo = undo_of(fresh.provision("--only", "units", "--only", "sudoers"))
        for slot in ("notes-prod@a.service", "notes-prod@b.service"):
            assert box.exec(["systemctl", "is-enabled", slot], check=False).stdout == "enabled\n"
            assert box.exec(["sudo", "-n", "-l", "/bin/systemctl", "stop", slot], DEPLOY_USER, check=False).ok
        assert fresh.provision("--only", "units").stdout.endswith("everything is as it should be\n")
        box.exec(undo)
        assert not box.exec("ls /etc/systemd/system/*.wants | grep notes-prod", check=False).stdout
    finally:
        box.exec("rm -rf /var/backups/mcc")
        fresh.conf(conf_of_a_plain_unit())


LISTENS_BY_ITSELF = """[Service]
User=www-data
ExecStart=/usr/bin/python3 -m http.server 8000 --bind 127.0.0.1 --directory /srv/notes
[Install]
WantedBy=multi-user.target
"""


@whole
def test_a_running_service_gives_its_port_to_its_socket_and_gets_it_back(fresh: Server) -> None:
    """A unit of the project's own becomes ours, which has a socket; undo.sh starts the old one again."""
    box, answers = fresh.box, ["curl", "-sf", "http://127.0.0.1:8000/config.yml"]
    box.write(f"{OUTPUT}/mcc/notes-prod-api.service", LISTENS_BY_ITSELF)
    try:
        undo_own = undo_of(fresh.provision("--only", "units"))
        box.exec("systemctl start notes-prod-api.service")
        until(lambda: box.exec(answers, check=False).ok, "the service of the project's own", 10)
        box.exec(f"rm -r {OUTPUT}/mcc")
        done = fresh.provision("--only", "units")
        assert "restarted notes-prod-api.service: its socket listens now" in done.stdout, done
        assert box.state("notes-prod-api.socket") == "active"
        box.exec(undo_of(done))
        until(lambda: box.exec(answers, check=False).ok, "the service as it was", 10)
        box.exec(undo_own)
        assert box.state("notes-prod-api.service") == "inactive"
    finally:
        clear(box)


def test_what_the_deploy_user_plants_leads_only_the_deploy_user_astray(fresh: Server) -> None:
    """Links in the site in place of its folders: root changes nothing where they lead, and stops."""
    box = fresh.box
    box.exec("mkdir /srv/rich; echo secret >/srv/rich/file; chmod 700 /srv/rich")
    box.exec(
        "mkdir -p live/notes-prod; ln -s /srv/rich live/notes-prod/logs; ln -s /etc/sudoers.d live/notes-prod/api",
        DEPLOY_USER,
    )
    before = (box.tree("/srv/rich"), box.exec("getfacl -p /srv/rich /etc/sudoers.d").stdout)
    try:
        done = fresh.provision("--only", "folders")
        assert not done.ok, done
        assert (box.tree("/srv/rich"), box.exec("getfacl -p /srv/rich /etc/sudoers.d").stdout) == before
    finally:
        box.exec(f"rm -r /srv/rich {SITE} /var/backups/mcc", check=False)


SWAPS = """
import contextlib, os, sys
def swap(place, elsewhere):
    with contextlib.suppress(OSError):
        os.rename(place, place + ".aside")
        os.symlink(elsewhere, place)
    with contextlib.suppress(OSError):
        os.unlink(place)
    with contextlib.suppress(OSError):
        os.rename(place + ".aside", place)
print("begun", flush=True)
while True:
    for place in sys.argv[2:]:
        swap(place, sys.argv[1])
"""


def test_links_that_come_and_go_meanwhile_lead_root_nowhere(fresh: Server) -> None:
    """Folders of the site, the site and the one above it are exchanged for links as fast as the deploy user can.

    Of the script it is the part that is root's own (what another way of ownership left is given back), again and again.
    """
    box, script = fresh.box, fresh.script("--only", "folders")
    for other in ("straight", "folder", "passes"):
        script = script.replace(f"\n    {other} ", "\n    : ")
    script = re.sub(r"\n    (give /.*)", r"\n    (\1) || :" * 8, script)
    box.exec("install -d -o www-data -m 700 /srv/victim /srv/victim/api /srv/victim/notes-prod/api /srv/victim/logs")
    box.exec("touch /srv/victim/api/file /srv/victim/notes-prod/api/file; chown -R www-data /srv/victim")
    box.exec(f"mkdir -p {SITE}/api/vrs-1 {SITE}/logs", DEPLOY_USER)
    box.exec(f"chown -R www-data:{DEPLOY_USER} {SITE}/api {SITE}/logs")
    listed = "getfacl -pR /srv/victim; find /srv/victim -printf '%p %U %G %m\n' | sort"
    before = box.exec(listed).stdout
    places = (f"{SITE}/api", f"{SITE}/logs", SITE, "/home/stenvala/live")
    swapping = box.spawn(["python3", "-c", SWAPS, "/srv/victim", *places], DEPLOY_USER)
    try:
        assert swapping.process.stdout is not None
        assert swapping.process.stdout.readline() == "begun\n"
        codes = [fresh.run(script).code for _ in range(2)]
        assert set(codes) == {0}
        assert box.exec(listed).stdout == before
    finally:
        swapping.signal(9)
        swapping.wait()
        box.exec("cd /home/stenvala; rm -rf live live.aside /srv/victim /var/backups/mcc")
        box.exec("mkdir live", DEPLOY_USER)


def test_what_another_way_of_ownership_left_becomes_the_deploy_users(fresh: Server) -> None:
    """Releases that chown gave to the service are its no longer; no link and no second name is followed."""
    box = fresh.box
    box.exec(f"mkdir -p {SITE}/api/vrs-1/api {SITE}/logs /home/other", DEPLOY_USER, check=False)
    box.exec("install -d -o www-data /home/other; install -o www-data /dev/null /home/other/file")
    box.exec(f"touch {SITE}/api/vrs-1/api/main.py {SITE}/logs/api.log; ln /home/other/file {SITE}/api/vrs-1/second")
    box.exec(f"ln -s /home/other {SITE}/api/vrs-1/link; chown -hR www-data:{DEPLOY_USER} {SITE}/api {SITE}/logs")
    try:
        done = fresh.provision("--only", "folders")
        assert done.ok, done
        owner = "stat -c %U -- api logs api/vrs-1/api/main.py api/vrs-1/link logs/api.log api/vrs-1/second /home/other"
        assert box.exec(owner, cwd=SITE).stdout.split() == [DEPLOY_USER] * 4 + ["www-data"] * 3
    finally:
        box.exec(f"rm -r /home/other {SITE} /var/backups/mcc", check=False)


def test_what_was_made_by_hand_is_taken_over_as_it_is(fresh: Server) -> None:
    """--import reads units, nginx and sudo as keys and templates; with these, provision takes over the same files."""
    box = fresh.box
    Notes(box).set_up()
    try:
        shown = box.exec(["mcc", "provision", "--stage", "prod", "--import", "--files", "."], cwd=OUTPUT).stdout
        for line in ("API_PORT: 8000", 'TLS: "files"', 'NGINX_SITE: "notes-prod"', 'APP: "api.main:app"'):
            assert line in shown
        assert "/bin/systemctl restart notes-prod-api.service" in shown
        text = box.read("/etc/systemd/system/notes-prod-api.service")
        assert box.read(f"{OUTPUT}/mcc/notes-prod-api.service") == text
        done = fresh.provision("--only", "units", "--only", "nginx")
        assert done.ok, done
        marked = box.read("/etc/systemd/system/notes-prod-api.service")
        assert marked == f"# made by mcc for {SITE}\n{text}"
    finally:
        clear(box)
