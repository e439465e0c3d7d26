"""``mcc check`` on a real server: a healthy site is green, and each fault that is planted is found and named.

Faults that do not touch each other are planted together: what is found must be exactly what was planted.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import pytest

from box.harness import Box
from box.notes import Notes, Outputs

SPECIFIED = {"sudo.chown"}
"""What the specification's way of owning files makes a warning of, on every such site."""

KEPT = """
B={base} O={output} N=/etc/nginx/sites-enabled/notes-prod S=/etc/sudoers.d/box U=/etc/systemd/system
API=notes-prod-api.service WORKER=notes-prod-worker.service
R=$(cat /root/kept/release) E=$(cat /root/kept/environment)
APP=$B/domains/app.box.test CLIENT=$B/domains/client.box.test
give() {{ chown $1 $3; chmod $2 $3; }}
later() {{ sed 's/vrs-2[^"]*/vrs-2099-01-01T000000/g; s/"live"/"failed"/' /root/kept/releases.jsonl; }}
squat() {{ exec setsid python3 -m http.server -b 127.0.0.1 8000 >/dev/null 2>&1; }}
rule() {{ echo "stenvala ALL=(root) NOPASSWD: $1" >>$S; }}
unit() {{ mkdir -p $U/$1.d; printf "[$2]\\n$3\\n" >>$U/$1.d/check.conf; systemctl daemon-reload; }}
cron() {{ {{ cat /root/kept/crontab; printf '%s\\n' "$1"; }} | crontab -u stenvala -; }}
"""
KEEP = """
mkdir -p /root/kept; readlink -f $B/current-api >/root/kept/release; readlink -f $B/.venv >/root/kept/environment
readlink $(cat /root/kept/environment)/bin/python >/root/kept/python
cp -p $N $S $B/.mcc/releases.jsonl $U/$API $U/$WORKER /root/kept; cp -a $O /root/kept/output
crontab -u stenvala -l >/root/kept/crontab
"""
MEND = """
cp -p /root/kept/notes-prod $N; cp -p /root/kept/box $S; cp -p /root/kept/$API /root/kept/$WORKER $U
rm -rf $U/$API.d $U/$WORKER.d $O; cp -a /root/kept/output $O
crontab -u stenvala /root/kept/crontab; systemctl daemon-reload
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """``code`` is what it must be called, ``also`` what comes of it. Scripts run as root; ``mend`` beside MEND."""

    code: str
    plant: str
    mend: str = ""
    also: Sequence[str] = ()


RIGHTS = (
    Fault("sudo.missing", "sed -i '/restart notes-prod-api/d' $S"),
    Fault("sudo.status", "sed -i '/status notes-prod-worker/d' $S"),
    Fault("sudo.wildcard", "rule '/bin/cat /var/log/*'"),
    Fault("sudo.other-unit", "rule '/bin/systemctl restart nginx.service'"),
    Fault("sudo.other", "rule '/usr/bin/apt-get update'"),
    Fault("sudo.any-arguments", "rule /bin/chmod"),
    Fault("folders.everybody", "chmod o+w $B/scripts", "chmod o-w $B/scripts"),
    Fault("folders.closed", "install -d $B/backups", "rmdir $B/backups", ["backups.closed"]),
    Fault("folders.kind", "ln -s /tmp $B/run", "rm $B/run"),
    Fault("folders.writable", "give :www-data 775 $B/venvs", "give :stenvala 755 $B/venvs"),
    Fault("folders.shut", "give stenvala 700 $B/logs", "give www-data 775 $B/logs"),
    Fault("secrets.open", "install -o stenvala -m 644 /dev/null $B/.env", "rm $B/.env", ["units.variables"]),
    Fault("reach.file", "give root 640 $R/api/main.py", "give www-data 664 $R/api/main.py"),
)
UNITS = (
    Fault("units.start-limit", "unit $API Unit StartLimitIntervalSec=10"),
    Fault("units.folder", "unit $API Service WorkingDirectory=/srv"),
    Fault("units.user", "unit $WORKER Service User=backup"),
    Fault("units.restart", "unit $WORKER Service Restart=no"),
    Fault("units.environment", "unit $WORKER Service 'ExecStart=\\nExecStart=/opt/venv/bin/python -m worker.main'"),
    Fault("units.disabled", "systemctl -q disable $WORKER", "systemctl -q enable $WORKER"),
    Fault("units.down", "systemctl stop $WORKER", "systemctl start $WORKER"),
    Fault("nginx.port", "sed -i s/:8000/:8001/ $N"),
    Fault("nginx.root", "sed -i 's|/current-ui;|/ui/vrs-2026-01-01T000000;|' $N"),
    Fault("nginx.domain-twice", "sed 's/client.box.test//' /root/kept/notes-prod >$N.copy", "rm $N.copy"),
    Fault("crontab.double", 'cron "$(grep count_notes.sh /root/kept/crontab)"', also=["deploy.changed"]),
    Fault("crontab.script", "chmod a-x $B/scripts/backup.sh", "chmod a+x $B/scripts/backup.sh"),
    Fault("crontab.daemon", "systemctl stop cron", "systemctl start cron"),
    Fault("clock.behind", "later >>$B/.mcc/releases.jsonl", "cp -p /root/kept/releases.jsonl $B/.mcc"),
    Fault("runs.frozen", "echo '{}' >$B/.mcc/frozen", "rm $B/.mcc/frozen"),
    Fault("runs.dead", "touch $B/.mcc/journal/2026-01-01T000000-dead.jsonl", "rm $B/.mcc/journal/*-dead.jsonl"),
)
OUTPUT = (
    Fault("output.lock-stale", "sed -i 's/^dependencies = \\[/&\"left-pad\",/' $O/pyproject.toml"),
    Fault("output.file-missing", "sed -i 's/script: backup.sh/script: gone.sh/' $O/conf-prod.yml"),
    Fault("config.warning", "echo 'SMOKE_TIMEOUTS: 5' >>$O/conf-prod.yml"),
    Fault("databases.migration", "echo 'BEGIN;' >$O/shared/db/scripts/migrations/099_begin.sql"),
    Fault(
        "deploy.changed",
        "ln -sfn api/vrs-2026-01-01T000000 $B/current-api",
        "ln -sfn ${R#$B/} $B/current-api",
        ["reach.link"],
    ),
    Fault("http.maintenance", "install -d -o stenvala $B/maintenance; touch $B/maintenance/on", "rm -r $B/maintenance"),
    Fault(
        "units.unknown",
        "mv $U/$WORKER /root; systemctl stop $WORKER; systemctl daemon-reload",
        "rm /root/$WORKER; systemctl start $WORKER",
    ),
    Fault("units.reload", "echo '# changed' >>$U/$API"),
    Fault("nginx.unreadable", "install -m 600 /dev/null $N.closed", "rm $N.closed"),
    Fault("crontab.beside", 'cron "5 5 * * * $B/scripts/report.sh"'),
    Fault(
        "databases.read-only",
        "give root:root 664 $APP/data.db",
        "give www-data:stenvala 664 $APP/data.db",
        ["databases.closed"],
    ),
    Fault(
        "databases.folder", "give stenvala 755 $CLIENT", "give www-data 775 $CLIENT", ["folders.shut", "http.health"]
    ),
    Fault("sudo.all", "rule ALL"),
)
VISITORS = (
    Fault("http.health-path", "echo 'HEALTH_PATH: /api/nothing' >>$O/conf-prod.yml", also=["http.answer"]),
    Fault(
        "certificates.wrong-name",
        "sed -i 's|/box[.]|/elsewhere.box.test.|' $N; nginx -s reload; sleep 0.5",
        "nginx -s reload",
    ),
    Fault("crontab.refused", "echo stenvala >/etc/cron.deny", "rm /etc/cron.deny"),
    Fault("sudo.password", "sed -i '/restart notes-prod-api/s/NOPASSWD/PASSWD/' $S"),
    Fault("secrets.owner", "install -o www-data -m 600 /dev/null $B/.env", "rm $B/.env", ["units.variables"]),
)
GONE = (
    Fault("tools.uv", "mv /usr/local/bin/uv /root/kept", "mv /root/kept/uv /usr/local/bin", ["tools.python"]),
    Fault("nginx.domain", "sed -i 's/ client.box.test//' $N"),
    Fault("crontab.block", "crontab -u stenvala -r"),
    Fault("reach.interpreter", "ln -sfn /usr/bin/gone $E/bin/python", "ln -sfn $(cat /root/kept/python) $E/bin/python"),
    Fault(
        "http.port-taken",
        "systemctl stop $API $WORKER; squat & echo $! >/root/kept/pid; sleep 1",
        "kill $(cat /root/kept/pid); systemctl start $API $WORKER",
        ["units.down", "http.answer"],
    ),
)
EARLY = (
    Fault("config.invalid", "echo 'API_PORT: eighty' >>$O/conf-prod.yml"),
    Fault("branches.refused", "sed -i 's/^branch: .*/branch: spare/' $O/build_info.yml"),
)
WAY = (Fault("reach.way", "chmod o-x /home/stenvala", "chmod o+x /home/stenvala", ["reach.blocked", "http.answer"]),)
TABLE: Mapping[str, Sequence[Fault]] = {
    "rights": RIGHTS, "units": UNITS, "output": OUTPUT, "visitors": VISITORS, "gone": GONE, "way": WAY,
    **{fault.code: (fault,) for fault in EARLY},
}  # fmt: skip


@pytest.fixture(scope="module")
def site(shared_live: Notes, outputs: Outputs) -> Notes:
    """A live site with the next release brought to it, and all kept aside that faults are planted in."""
    shared_live.bring(outputs("v2"))
    shared_live.box.certificate("elsewhere.box.test")
    run(shared_live, KEEP)
    return shared_live


def run(site: Notes, script: str) -> None:
    site.box.exec(["bash", "-uc", KEPT.format(base=site.base, output=site.brought) + script])


def found(site: Notes, *words: str, leave: Collection[str] = SPECIFIED) -> tuple[int, set[str]]:
    """The exit code, and the codes of all that is not well."""
    done = site.mcc("check", *(words or ("--stage", "prod")), "--format", "json")
    assert done.stdout.startswith("{"), done
    answer = json.loads(done.stdout)
    bad = [finding for finding in answer["findings"] if finding["level"] != "ok"]
    print(
        *(f"{each['level']} {each['code']} {each['where']}: {each['message']} -> {each['help']}" for each in bad),
        sep="\n",
    )
    assert [finding for finding in bad if not finding["help"]] == [], "every finding has its way out"
    assert done.code == (2 if any(each["level"] == "error" for each in bad) else 0)
    assert answer["green"] is (done.code == 0)
    return done.code, {finding["code"] for finding in bad} - set(leave)


def test_there_are_enough_faults() -> None:
    codes = {fault.code for faults in TABLE.values() for fault in faults}
    assert len(codes) >= 30


def test_a_healthy_site_is_green(site: Notes) -> None:
    """On its server, as an output folder, and by itself."""
    assert found(site) == (0, set())
    assert found(site, "--site", site.base) == (0, set())
    assert found(site, "--output", site.brought) == (0, set())


@pytest.mark.parametrize("together", TABLE)
def test_each_fault_is_found_and_named(site: Notes, together: str) -> None:
    """Planted: found, and nothing else is. Mended: all is well again."""
    faults = TABLE[together]
    run(site, "\n".join(fault.plant for fault in faults))
    try:
        _, codes = found(site)
    finally:
        run(site, "\n".join([MEND, *(fault.mend for fault in faults)]))
    wanted = {fault.code for fault in faults}
    assert wanted - codes == set(), "planted and not found"
    assert codes - wanted == {code for fault in faults for code in fault.also} - wanted


def test_a_site_that_was_mended_is_green_again(site: Notes) -> None:
    site.wait_for_version("1")
    assert found(site) == (0, set())


def test_a_server_that_provision_set_up_is_green_before_its_first_deploy(box: Box, outputs: Outputs) -> None:
    """Folders by lists, sudo lines, units with a socket, nginx: what the one writes, the other finds in order."""
    notes = Notes(box)
    keys = {
        "OWNERSHIP": "acl", "SERVICES": "", "SERVICE_NAME": "notes-prod.service", "TLS": "files",
        "TLS_CERTIFICATE": "/etc/ssl/certs/box.crt", "TLS_KEY": "/etc/ssl/private/box.key",
    }  # fmt: skip
    notes.bring(outputs(), conf=keys)
    parts = " ".join(f"--only {part}" for part in ("folders", "sudoers", "units", "nginx", "recovery"))
    box.exec(
        f"cd {notes.brought} && mcc provision --stage prod {parts} --script >/root/set-up.sh && sh /root/set-up.sh"
    )
    assert found(notes, leave=set()) == (0, set())
