"""Cron jobs by Debian's own cron, and variables by its systemd: both do what mcc says they do."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from box.harness import DEPLOY_HOME, DEPLOY_USER, SITES, Box, Boxes, Result, until
from mcc.core.dotenv import for_systemd

ODD = f"{SITES}/50% off"
PLAIN = f"{SITES}/plain"
UNITED = f"{SITES}/united"
TOLD = f"{SITES}/told"
CONFIG = "deploy:\n  prod:\n    parameters: { conf: conf.yml }\n"
REBOOT = "@reboot"
# Each writes a file of its own, so that what cron made of it can be seen.
AS_TEXT = {
    "percent": r"""echo "week 50\%" 'a  b' > {out}""",
    "stdin": r"cat > {out}%one two%50\%%%end",
    "backslash": r"echo '\a\\b\\\%' > {out}",
    "quoted": r"""TO='a "b" c' sh -c 'echo "$TO" > {out}' # MARKER""",
    "empty": r"cat > {out}%",
    "status": r"false || echo no > {out}; exit 3",
}


@pytest.fixture(scope="module")
def server(module_boxes: Boxes) -> Box:
    return module_boxes()


def deploy(box: Box, base: str, *conf: str, files: dict[str, str] | None = None) -> Result:
    """Deploy a site of one page."""
    at = f"{DEPLOY_HOME}/output"
    box.exec(["rm", "-rf", at])
    lines = [f'REMOTE_BASE: "{base}"', "OWNERSHIP: none", "SMOKE_URLS: []", "STABLE_FOR: 0", *conf]
    every = {"config.yml": CONFIG, "conf.yml": "\n".join(lines) + "\n", "ui/index.html": "x\n", **(files or {})}
    for name, text in every.items():
        box.write(f"{at}/{name}", text, DEPLOY_USER)
    return box.exec(["mcc", "deploy", "--stage", "prod"], DEPLOY_USER, cwd=at)


def mcc(box: Box, *words: str, check: bool = True, **options: object) -> Result:
    return box.exec(["mcc", *words], DEPLOY_USER, check=check, **options)  # type: ignore[arg-type]


def lines_of_env(text: str) -> set[str]:
    return {line for line in text.split("\n") if line and not line.startswith(("_=", "SHLVL=", "LANG=", "LC_ALL="))}


def test_cron_and_mcc_run_the_installed_jobs_alike(server: Box) -> None:
    """At a start of the machine cron runs all of them at once: nobody has to wait for a minute to be over."""
    above = f"GREETING='hi there'\nPATH=/usr/bin:/bin:/opt/x\n0 3 * * * cd {PLAIN} && ./old.sh # MARKER\n"
    foreign = f"0 4 * * * {PLAIN}-dev/x.sh # MARKER\n"
    server.exec(["crontab", "-"], DEPLOY_USER, stdin=above + foreign)
    jobs = [
        f'  - {{ schedule: "{REBOOT}", script: show.sh, marker: "SHOW 100%", environment: {{ OWN: "it\'s $1 50%" }} }}',
        f'  - {{ schedule: "{REBOOT}", script: held.sh, marker: HELD, overlap: false }}',
        f'  - {{ schedule: "{REBOOT}", script: free.sh, marker: FREE, overlap: false }}',
    ]
    scripts = {
        "scripts/show.sh": "#!/bin/sh\nenv; pwd\n",
        "scripts/held.sh": "#!/bin/sh\necho ran\n",
        "scripts/free.sh": "#!/bin/sh\necho ran\n",
    }
    deploy(server, ODD, "SERVICE_MANAGER: none", "CRON_JOBS:", *jobs, files=scripts)
    text = [f"  {REBOOT} {line.format(out=f'{PLAIN}/logs/{name}')}" for name, line in AS_TEXT.items()]
    deploy(server, PLAIN, "SERVICE_MANAGER: none", "CRON_JOBS: |", *text)
    kept = server.crontab()
    assert "old.sh" not in kept  # its marker is one of ours, and it names the site
    assert kept.startswith(above.split("0 3")[0] + foreign)

    # Something that starts before cron holds the lock over the start of the machine.
    lock = f"{ODD}/.mcc/cron.HELD.lock"
    start = f"""ExecStart=/usr/bin/flock "{lock.replace('%', '%%')}" /bin/sleep infinity"""
    wanted = "[Install]\nWantedBy=multi-user.target\n"
    server.unit("holder.service", f"[Unit]\nBefore=cron.service\n[Service]\nUser=stenvala\n{start}\n{wanted}")
    server.reboot()
    logs = [f"{ODD}/logs/{name}.log" for name in ("show", "held", "free")]
    files = [*logs, *(f"{PLAIN}/logs/{name}" for name in AS_TEXT)]
    until(lambda: all(server.exists(path) for path in files), "cron's jobs")
    until(lambda: "skipped" in server.read(logs[1]) and server.read(logs[0]).count("\n") > 5, "the end of cron's jobs")
    assert "HELD: skipped, the run before has not ended\n" in server.read(logs[1])
    assert "ran" not in server.read(logs[1])
    until(lambda: server.read(logs[2]) == "ran\n", "the job that nobody holds")

    by_cron = lines_of_env(server.read(logs[0]))
    assert {"OWN=it's $1 50%", "GREETING=hi there", "PATH=/usr/bin:/bin:/opt/x", f"{ODD}/scripts"} <= by_cron
    shown = mcc(server, "cron", "run", "SHOW 100%", "--site", ODD).stdout
    assert lines_of_env(shown) == by_cron

    made = {name: server.read(f"{PLAIN}/logs/{name}") for name in AS_TEXT}
    listed = json.loads(mcc(server, "cron", "list", "--site", PLAIN, "--format", "json").stdout)
    names = [job["name"] for job in listed["jobs"]]
    assert names == ["job", "job-2", "job-3", "MARKER", "job-4", "job-5"]
    server.exec(f"rm {PLAIN}/logs/*")
    codes = [mcc(server, "cron", "run", name, "--site", PLAIN, check=False).code for name in names]
    assert codes == [0, 0, 0, 0, 0, 1]
    assert {name: server.read(f"{PLAIN}/logs/{name}") for name in AS_TEXT} == made
    assert made["stdin"] == "one two\n50%\n\nend\n"

    held = mcc(server, "cron", "run", "HELD", "--site", ODD, check=False)
    assert (held.code, "HELD: skipped" in held.stdout) == (4, True)
    assert "a run that would overlap the one before is skipped" in mcc(server, "cron", "list", "--site", ODD).stdout


VALUES = {
    "A": "plain", "B": "two words", "C": "it's", "D": 'say "hi"', "E": "$HOME ${X} `id` $(id)", "F": "# no comment",
    "G": "x # y", "H": "back\\slash\\\\ \\", "I": "größe €", "J": "", "K": " blanks ", "L": "\ttab\t", "M": "%h %% 50%",
    "N": "a;b&c|d", "O": "'", "P": '"', "Q": "=x=", "R": "!bang!", "S": "~/x", "T": "\\n\\t",
}  # fmt: skip


def test_a_service_gets_what_was_set(server: Box) -> None:
    """systemd's EnvironmentFile and mcc read alike what mcc writes; and a line by hand as mcc says it does."""
    unit = (
        "[Service]\nEnvironmentFile=-{base}/.env\nUser=www-data\nRuntimeDirectory=united\n"
        "ExecStart=/bin/sh -c 'env -0 > /run/united/env; [ -z \"$BROKEN\" ] && exec sleep infinity'\n"
        "[Install]\nWantedBy=multi-user.target\n"
    )
    server.unit("united.service", unit.format(base=UNITED))
    server.sudoers(
        f"{DEPLOY_USER} ALL=(root) NOPASSWD: /bin/systemctl {verb} united.service" for verb in ("restart", "status")
    )
    deploy(server, UNITED, "SERVICE_NAME: united.service")
    pairs = [f"{name}={value}" for name, value in VALUES.items()]
    done = mcc(server, "env", "set", *pairs, "--site", UNITED)
    assert "united.service has it after a restart: sudo /bin/systemctl restart united.service" in done.stdout
    mcc(server, "env", "set", "DB_PASSWORD", "--stdin", "--restart", "--site", UNITED, stdin=b"s3cr3t $x\n")
    wanted = {**VALUES, "DB_PASSWORD": "s3cr3t $x"}
    assert service_knows(server).items() >= wanted.items()
    listed = mcc(server, "env", "list", "--show", "--format", "json", "--site", UNITED).stdout
    assert json.loads(listed) == {"site": UNITED, "variables": wanted, "warnings": []}
    assert server.exec(["stat", "-c", "%a %U", f"{UNITED}/.env"]).stdout == "600 stenvala\n"

    broken = mcc(server, "env", "set", "BROKEN=yes", "--restart", "--site", UNITED, check=False)
    assert broken.code == 1, broken
    assert server.state("united.service") == "active"
    assert "BROKEN" not in service_knows(server)
    assert "BROKEN" not in server.read(f"{UNITED}/.env")
    found = server.exec(["grep", "-rlF", "s3cr3t", UNITED, f"{DEPLOY_HOME}/output"], check=False).stdout
    assert found == f"{UNITED}/.env\n"


TELLER = """#!/bin/sh
env -0 >"$DATA_DIR/new"
mv "$DATA_DIR/new" "$DATA_DIR/told"
exec sleep infinity
"""
BY_HAND = "\n# by hand\nexport EXPORTED=1 # note\nBARE=a b; touch ran & $(touch ran) `touch ran`\nTWO='one\ntwo'\n"


def test_a_provisioned_service_gets_exactly_what_mcc_lists(server: Box) -> None:
    """Also of lines by hand, none of which is run as code; and nobody but the two users may read them."""
    at, env = f"{DEPLOY_HOME}/output", f"{TOLD}/.env"
    server.write("/usr/local/bin/teller", TELLER, mode=0o755)
    verbs = ("restart", "status")
    server.sudoers(f"{DEPLOY_USER} ALL=(root) NOPASSWD: /bin/systemctl {verb} teller.service" for verb in verbs)
    conf = ["REMOTE_USER: stenvala", "DIR_USER: www-data", "WORKER_SERVICE_NAME: teller.service"]
    conf += ["WORKER_COMMAND: /usr/local/bin/teller"]
    first = deploy(server, TOLD, *conf, "SERVICE_MANAGER: none", files={"api/x": ""})
    assert first.code == 0, first
    server.exec(["sed", "-i", "/SERVICE_MANAGER/d", f"{at}/conf.yml"])
    server.exec(["install", "-d", "-o", "www-data", f"{TOLD}/data", f"{TOLD}/logs"])
    server.write(env, "OLD=1\n", DEPLOY_USER, 0o600)
    said = server.exec("mcc provision --stage prod --only units --script | sh", cwd=at).stdout
    assert f"changed  {env}: www-data may read it" in said
    assert rights_of(server, env).startswith("640 stenvala user::rw- user:www-data:r-- group::--- ")
    server.exec(f"sh {said.rpartition('the way back: sh ')[2]}")
    assert rights_of(server, env) == "600 stenvala user::rw- group::--- other::---"
    server.exec("mcc provision --stage prod --only units --script | sh", cwd=at)
    server.exec(["rm", env])

    pairs = [f"{name}={value}" for name, value in VALUES.items()]
    mcc(server, "env", "set", *pairs, "--stage", "prod", cwd=at)
    assert rights_of(server, env) == "640 stenvala user::rw- user:www-data:r-- group::--- mask::r-- other::---"
    server.exec(["tee", "-a", env], DEPLOY_USER, stdin=BY_HAND)
    server.exec(["setfacl", "-b", env], DEPLOY_USER)  # a deploy gives it back
    done = mcc(server, "deploy", "--stage", "prod", cwd=at)
    assert "www-data reads it" in done.output
    until(lambda: server.exists(f"{TOLD}/data/told"), "the service")
    listed = json.loads(mcc(server, "env", "list", "--show", "--format", "json", "--site", TOLD).stdout)
    assert listed["warnings"] == []
    assert listed["variables"].items() >= {**VALUES, "EXPORTED": "1", "TWO": "one\ntwo"}.items()
    assert "touch ran" in listed["variables"]["BARE"]
    assert told(server, f"{TOLD}/data/told").items() >= listed["variables"].items()
    assert server.exec(["find", TOLD, "-name", "ran"]).stdout == ""

    server.exec(["chmod", "600", env], DEPLOY_USER)  # takes the list's mask away
    shut = mcc(server, "env", "list", "--site", TOLD)
    assert ".env cannot be read by www-data, and the services read it as www-data: setfacl --set " in shut.stderr
    assert "units.variables-closed" in found_by_check(server)
    server.exec(["systemctl", "restart", "teller"])
    until(lambda: "cannot read" in server.read(f"{TOLD}/logs/teller.log"), "the reason")
    changed = mcc(server, "env", "set", "LATER=yes", "--restart", "--site", TOLD)
    assert changed.code == 0, changed
    until(lambda: told(server, f"{TOLD}/data/told").get("LATER") == "yes", "the service")
    assert rights_of(server, env).startswith("640 stenvala user::rw- user:www-data:r-- ")
    assert [code for code in found_by_check(server) if "variables" in code or code.startswith("secrets.o")] == []
    said = mcc(server, "env", "set", "LATER=no", "--site", TOLD).stdout
    assert "teller.service has it after a restart" in said


def found_by_check(box: Box) -> list[str]:
    done = mcc(box, "check", "--site", TOLD, "--format", "json", check=False)
    return [finding["code"] for finding in json.loads(done.stdout)["findings"]]


def rights_of(box: Box, path: str) -> str:
    lines = box.exec(["getfacl", "-cpE", path]).stdout.split()
    return " ".join([*box.exec(["stat", "-c", "%a %U", path]).stdout.split(), *lines])


def service_knows(box: Box) -> dict[str, str]:
    return told(box, "/run/united/env")


def told(box: Box, path: str) -> dict[str, str]:
    text = box.read(path)
    return dict(pair.split("=", 1) for pair in text.split("\0") if pair)


PARTS = (
    "a", "b c", " ", "\t", '"', "'", "\\", "\\\\", '\\"', "\\$", "\\n", "#", " # ", ";", "$x", "=", "é", "\\ ", "\r",
)  # fmt: skip
BEGINNINGS = ("", " ", "export ", "# c\\\n", "# c\n", ";x\n")
ENDS = ("\n", "", "\nW=1\n", "\\\nmore\n")


def test_systemd_reads_any_line_as_mcc_says_it_does(server: Box, tmp_path: Path) -> None:
    """Many odd files, each read by itself in one unit, so that an open quote in one harms no other."""
    random = Random("environment files")
    texts = []
    for number in range(300):
        value = "".join(random.choice(PARTS) for _ in range(random.randrange(7)))
        name = f"V{number}{random.choice(['', ' '])}"
        texts.append(f"{random.choice(BEGINNINGS)}{name}={value}{random.choice(ENDS)}")
        (tmp_path / f"{number}.env").write_bytes(texts[-1].encode())
    server.push(tmp_path, "/srv/odd", "root")
    files = "".join(f"EnvironmentFile=/srv/odd/{number}.env\n" for number in range(len(texts)))
    unit = f"[Service]\nType=oneshot\n{files}ExecStart=/bin/sh -c 'env -0 > /run/odd.env'\n"
    server.unit("odd.service", unit, enable=False, start=True)
    read = dict(pair.split("=", 1) for pair in server.read("/run/odd.env").split("\0") if pair)
    ours = [for_systemd(text).get(f"V{number}") for number, text in enumerate(texts)]
    theirs = [read.get(f"V{number}") for number in range(len(texts))]
    assert [(text, one, other) for text, one, other in zip(texts, ours, theirs, strict=True) if one != other] == []
