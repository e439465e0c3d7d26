"""The sample application and its build: what the demo and the box tests rest on."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

NOTES = Path(__file__).resolve().parents[2] / "examples" / "notes"
SPECIFICATION = NOTES.parent / "from-the-specification" / "mcc_deploy.py"
MIGRATIONS = "shared/db/scripts/migrations"
DOMAINS = ("app.box.test", "client.box.test")
VARIANTS = sorted(path.name for path in (NOTES / "variants").iterdir())
LOCK = 'version = 1\n[[package]]\nname = "x"\nwheels = [{ hash = "sha256:' + "ab" * 32 + '" }]\n'


def run_build(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(NOTES / "mcc_build.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def build(output: Path, *words: str, lock: bool = True) -> Path:
    """An output folder; with ``lock`` nothing is resolved and the network is not needed."""
    if lock:
        file = output.with_name(f"{output.name}.lock")
        file.write_text(LOCK)
        words = (*words, "--lock", str(file))
    result = run_build("--output", str(output), "--branch", "main", *words)
    assert result.returncode == 0, result.stderr
    return output


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The plain release (by the name ``plain``) and every variant, without resolving anything."""
    folder = tmp_path_factory.mktemp("outputs")
    built = {name: build(folder / name, "--variant", name) for name in VARIANTS}
    return built | {"plain": build(folder / "plain")}


def uv() -> str:
    found = shutil.which("uv") or shutil.which(str(Path(sys.executable).with_name("uv")))
    if found is None:
        pytest.skip("uv is not here")
    return found


# The output


def test_the_output_has_everything_that_a_deploy_reads(outputs: dict[str, Path]) -> None:
    names = files_of(outputs["plain"]).keys()
    wanted = {
        "api/main.py", "shared/site.py", "shared/VERSION", "worker/main.py", "ui/index.html",
        "build_info.yml", "scripts/backup.sh", "scripts/count_notes.sh", "pyproject.toml",
        "uv.lock", "mcc_deploy.py", "config.yml", "conf-prod.yml", "conf-dev.yml",
        f"{MIGRATIONS}/001_notes.sql", f"{MIGRATIONS}/004_heartbeats.sql",
    }  # fmt: skip
    assert wanted <= names
    assert not [
        name for name in names if "__pycache__" in name or name.endswith(".pyc") or "variants" in name
    ]


def test_assets_carry_the_hash_of_their_content_and_pages_name_them(outputs: dict[str, Path]) -> None:
    for output in outputs.values():
        page = (output / "ui/index.html").read_text()
        assets = {path.name: path.read_bytes() for path in (output / "ui/assets").iterdir()}
        assert set(re.findall(r'"/assets/([^"]+)"', page)) == assets.keys()
        assert all(hashlib.sha256(data).hexdigest()[:8] in name for name, data in assets.items())
        assert "{{" not in page


def test_two_builds_of_the_same_sources_are_alike(outputs: dict[str, Path], tmp_path: Path) -> None:
    again = files_of(build(tmp_path / "again"))
    first = files_of(outputs["plain"])
    assert again | {"build_info.yml": b""} == first | {"build_info.yml": b""}


def test_a_build_replaces_what_a_build_made_and_nothing_else(tmp_path: Path) -> None:
    output = build(tmp_path / "output", "--variant", "v2")
    build(output)
    assert (output / "shared/VERSION").read_text() == "1\n"
    foreign = tmp_path / "letters"
    foreign.mkdir()
    (foreign / "letter.txt").write_text("dear")
    for target in (foreign, NOTES, NOTES.parent):
        refused = run_build("--output", str(target))
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
        assert str(target) in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["letters", "output", "output.lock"]


def test_a_build_that_cannot_finish_leaves_the_old_output(tmp_path: Path) -> None:
    output = build(tmp_path / "output")
    before = files_of(output)
    assert run_build("--output", str(output), "--lock", str(tmp_path / "none")).returncode == 1
    assert files_of(output) == before


def test_sources_that_may_only_be_read_are_enough(tmp_path: Path) -> None:
    """An installed copy may belong to somebody else; what is built from it can be changed all the same."""
    project = tmp_path / "notes"
    shutil.copytree(NOTES, project, ignore=shutil.ignore_patterns("output", "__pycache__"))
    for path in [project, *project.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    (tmp_path / "lock").write_text(LOCK)
    words = ["--output", tmp_path / "o", "--variant", "v2", "--lock", tmp_path / "lock"]
    subprocess.run([sys.executable, project / "mcc_build.py", *words], check=True, timeout=60)
    for path in [project, *project.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o200)
    assert all(path.stat().st_mode & 0o200 for path in (tmp_path / "o").rglob("*"))
    info = yaml.safe_load((tmp_path / "o/build_info.yml").read_text())
    assert (info["branch"], info["commit_sha"]) == (None, None)


def test_the_version_text_wins_over_the_variants_own(outputs: dict[str, Path], tmp_path: Path) -> None:
    assert (outputs["v2"] / "shared/VERSION").read_text() == "2\n"
    output = build(tmp_path / "o", "--variant", "v2", "--version-text", '3 <&"')
    assert (output / "shared/VERSION").read_text() == '3 <&"\n'
    assert '<meta name="release" content="3 &lt;&amp;&quot;">' in (output / "ui/index.html").read_text()


def test_build_info_says_what_was_told(tmp_path: Path) -> None:
    output = build(tmp_path / "o", "--build-number", "18")
    info = yaml.safe_load((output / "build_info.yml").read_text())
    assert info["build_number"] == 18
    assert info["branch"] == "main"
    assert info.keys() == {"build_number", "timestamp", "branch", "commit_sha", "committer"}


def test_the_configuration_has_the_stages_and_sites_of_both(outputs: dict[str, Path]) -> None:
    stages = yaml.safe_load((outputs["plain"] / "config.yml").read_text())["deploy"]
    assert stages.keys() == {"prod", "dev", "clone-prod-to-dev"}
    confs = [yaml.safe_load((outputs["plain"] / f"conf-{name}.yml").read_text()) for name in ("prod", "dev")]
    for key in ("REMOTE_BASE", "SERVICES", "DOMAINS", "API_PORT"):
        assert confs[0][key] != confs[1][key]
    for job in confs[0]["CRON_JOBS"]:
        assert (outputs["plain"] / "scripts" / job["script"]).stat().st_mode & 0o111


def test_one_tenant_has_no_domains_and_its_migrations_beside_the_code(tmp_path: Path) -> None:
    output = build(tmp_path / "o", "--single-tenant", "--variant", "third-migration-fails")
    assert len(list((output / "migrations").glob("*.sql"))) == 7
    assert not (output / MIGRATIONS).exists()
    conf = yaml.safe_load((output / "conf-prod.yml").read_text())
    assert conf["DOMAINS"] == []
    assert conf["CRON_JOBS"]


# Variants


@pytest.mark.parametrize(
    ("variant", "changed"),
    [
        ("does-not-start", {"api/routes/version.py"}),
        ("dies-after-a-second", {"api/lifespan.py"}),
        ("slow-start", {"api/lifespan.py"}),
        ("answers-500", {"api/routes/health.py", "api/routes/pages.py"}),
        ("bad-lock", {"uv.lock"}),
        (
            "third-migration-fails",
            {f"{MIGRATIONS}/{name}.sql" for name in ("006_labels", "007_note_labels", "008_label_colours")},
        ),
    ],
)
def test_a_variant_differs_in_its_own_files_only(
    outputs: dict[str, Path], variant: str, changed: set[str]
) -> None:
    plain, other = files_of(outputs["plain"]), files_of(outputs[variant])
    differing = {name for name in plain | other if plain.get(name) != other.get(name)}
    assert differing - {"build_info.yml"} == changed


def test_version_2_has_another_look_and_one_more_migration(outputs: dict[str, Path]) -> None:
    plain, second = files_of(outputs["plain"]), files_of(outputs["v2"])
    assert second.keys() - plain.keys() >= {f"{MIGRATIONS}/005_pinned.sql", "api/routes/pins.py"}
    (style,) = (name for name in second if name.startswith("ui/assets/style."))
    assert style not in plain
    assert all(plain[name] == second[name] for name in ("uv.lock", "pyproject.toml"))


def test_variants_can_be_laid_over_each_other(tmp_path: Path) -> None:
    output = build(tmp_path / "o", "--variant", "v2", "--variant", "answers-500")
    names = files_of(output)
    assert f"{MIGRATIONS}/005_pinned.sql" in names
    assert names["api/routes/health.py"] == (NOTES / "variants/answers-500/api/routes/health.py").read_bytes()


# Migrations


def statements(file: Path) -> Iterator[str]:
    text = ""
    for line in file.read_text().splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            yield text
            text = ""
    assert not text.strip()


def migrate(database: Path, folder: Path) -> list[str]:
    """Each file in a transaction of its own, as a deploy tool would; the names of those that worked."""
    applied = []
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for file in sorted(folder.glob("*.sql")):
            connection.execute("BEGIN IMMEDIATE")
            try:
                for statement in statements(file):
                    connection.execute(statement)
            except sqlite3.OperationalError:
                connection.execute("ROLLBACK")
                return applied
            connection.execute("COMMIT")
            applied.append(file.stem)
    return applied


def test_all_migrations_run_in_order_on_an_empty_database(outputs: dict[str, Path], tmp_path: Path) -> None:
    folder = outputs["v2"] / MIGRATIONS
    names = ["001_notes", "002_history", "003_titles", "004_heartbeats", "005_pinned"]
    assert migrate(tmp_path / "data.db", folder) == names
    with closing(sqlite3.connect(tmp_path / "data.db")) as connection:
        assert connection.execute("SELECT title, pinned FROM notes").fetchall() == [("Welcome", 1)]
        connection.execute("INSERT INTO notes (text) VALUES ('x')")
        assert connection.execute("SELECT value FROM totals").fetchall() == [(2,)]
        assert connection.execute("SELECT what FROM history").fetchall() == [("added",)]


def test_the_third_pending_migration_is_the_one_that_fails(outputs: dict[str, Path], tmp_path: Path) -> None:
    for start in ("plain", "v2"):
        database = tmp_path / f"{start}.db"
        migrate(database, outputs[start] / MIGRATIONS)
        fresh = tmp_path / start
        fresh.mkdir()
        for file in (NOTES / "variants/third-migration-fails" / MIGRATIONS).iterdir():
            shutil.copy2(file, fresh)
        assert len(list(fresh.iterdir())) == 3
        assert migrate(database, fresh) == ["006_labels", "007_note_labels"]


# Jobs and files for root


def make_site(base: Path, output: Path) -> Path:
    """A site by hand: the release's folders, their links and a migrated database for each domain."""
    shutil.copytree(output, base / "api" / "vrs-1", ignore=shutil.ignore_patterns("ui", "scripts"))
    shutil.copytree(output / "ui", base / "ui" / "vrs-1")
    shutil.copytree(output / "scripts", base / "scripts")
    (base / "current-api").symlink_to("api/vrs-1")
    (base / "current-ui").symlink_to("ui/vrs-1")
    for domain in DOMAINS:
        (base / "domains" / domain).mkdir(parents=True)
        migrate(base / "domains" / domain / "data.db", output / MIGRATIONS)
    return base


def test_the_jobs_count_and_copy_every_database(outputs: dict[str, Path], tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", outputs["plain"])
    counted = subprocess.run(["./count_notes.sh"], cwd=site / "scripts", capture_output=True, text=True)
    assert [line.split()[1:] for line in counted.stdout.splitlines()] == [[domain, "1"] for domain in DOMAINS]
    for day in range(8):
        (site / "backups/daily" / f"2001-01-0{day + 1}").mkdir(parents=True)
    subprocess.run(["./backup.sh"], cwd=site / "scripts", check=True, capture_output=True)
    days = sorted((site / "backups/daily").iterdir())
    assert len(days) == 7
    assert [path.name for path in sorted(days[-1].iterdir())] == [f"{domain}.db" for domain in DOMAINS]
    with closing(sqlite3.connect(days[-1] / "app.box.test.db")) as copy:
        assert copy.execute("SELECT COUNT(*) FROM notes").fetchone() == (1,)


def test_the_units_and_the_sudo_lines_name_what_the_conf_names(outputs: dict[str, Path]) -> None:
    conf = yaml.safe_load((outputs["plain"] / "conf-prod.yml").read_text())
    sudoers = (NOTES / "deploy/notes-prod.sudoers").read_text()
    for name in conf["SERVICES"]:
        unit = (NOTES / "deploy" / name).read_text()
        assert f"WorkingDirectory={conf['REMOTE_BASE']}/current-api\n" in unit
        assert f"User={conf['DIR_USER']}\nGroup={conf['DIR_GROUP']}\nUMask=0002\n" in unit
        assert f"/bin/systemctl restart {name}\n" in sudoers
        assert f"/bin/systemctl status {name}\n" in sudoers
    if shutil.which("visudo"):
        subprocess.run(["visudo", "-cqf", NOTES / "deploy/notes-prod.sudoers"], check=True)


def test_the_script_of_the_specification_stands_by_itself() -> None:
    text = SPECIFICATION.read_text()
    imported = re.findall(r"^(?:import|from) (requests|typer|yaml|mcc)\b", text, re.M)
    assert imported == ["requests", "typer", "yaml"]
    compile(text, str(SPECIFICATION), "exec")


# With the real uv


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    uv()
    return build(tmp_path_factory.mktemp("locked") / "output", lock=False)


@pytest.fixture(scope="module")
def environment(locked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment") / ".venv"
    sync(locked, folder, check=True)
    return folder


def sync(output: Path, environment: Path, check: bool = False) -> subprocess.CompletedProcess[str]:
    variables = {**environ(), "UV_PROJECT_ENVIRONMENT": str(environment)}
    words = [uv(), "sync", "--frozen", "--quiet"]
    return subprocess.run(words, cwd=output, env=variables, check=check, capture_output=True, text=True)


def environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "NOTES_BASE")}


@contextmanager
def serve(site: Path, environment: Path) -> Iterator[tuple[str, subprocess.Popen[str], Path]]:
    """uvicorn on a socket that is handed over, as a manager does that holds it open; its address and log."""
    log = site / "api.log"
    with closing(socket.create_server(("127.0.0.1", 0))) as held, log.open("w") as written:
        words = [environment / "bin/uvicorn", "api.main:app", "--fd", str(held.fileno())]
        process = subprocess.Popen(
            words, cwd=site / "current-api", env=environ(), stdout=written, stderr=subprocess.STDOUT,
            text=True, pass_fds=[held.fileno()],
        )  # fmt: skip
        try:
            yield f"http://127.0.0.1:{held.getsockname()[1]}", process, log
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=15)


def ask(url: str, host: str = "", body: Any = None, timeout: float = 15) -> tuple[int, Any]:
    """Status and answer; a release that does not answer at all is status 0."""
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    if host:
        request.add_header("X-Forwarded-Host", host)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            text = answer.read().decode()
            return answer.status, json.loads(text) if "json" in answer.headers["Content-Type"] else text
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


HEALTH = "/api/public/health/health"


@pytest.mark.network
def test_a_build_makes_a_lock_that_uv_can_sync(locked: Path, environment: Path) -> None:
    assert 'name = "uvicorn"' in (locked / "uv.lock").read_text()
    probe = [environment / "bin/python", "-c", "import fastapi, uvicorn, requests, typer, yaml"]
    subprocess.run(probe, check=True)


@pytest.mark.network
def test_the_bad_lock_cannot_be_synced(locked: Path, environment: Path, tmp_path: Path) -> None:
    output = build(tmp_path / "o", "--variant", "bad-lock", "--lock", str(locked / "uv.lock"), lock=False)
    result = sync(output, tmp_path / ".venv")
    assert result.returncode != 0
    assert "Hash mismatch" in result.stderr


@pytest.mark.network
@pytest.mark.slow
def test_the_application_serves_each_domain_from_its_own_database(
    outputs: dict[str, Path], environment: Path, tmp_path: Path
) -> None:
    site = make_site(tmp_path / "site", outputs["plain"])
    first, second = DOMAINS
    with serve(site, environment) as (url, process, log):
        state = {"status": "ok", "version": "1", "databases": dict.fromkeys(DOMAINS, True)}
        assert ask(url + HEALTH) == (200, state)
        assert ask(url + "/api/version") == (200, {"version": "1", "pid": process.pid})
        assert ask(url + "/api/notes", second, {"text": "only here; really"})[0] == 201
        assert [ask(url + "/api/notes", name)[1]["count"] for name in (first, f"{second}:443")] == [1, 2]
        assert ask(url + "/api/notes")[1]["domain"] == first
        assert ask(url + "/api/notes", "../../etc")[1]["domain"] == first
        assert ask(url + "/api/notes", second, {"text": ""})[0] == 422
        assert ask(url + "/api/slow?seconds=0.05") == (200, {"version": "1", "seconds": 0.05})
        assert "Front end 1" in ask(url + "/")[1]
        assert ask(url + "/..%2f..%2fapi/vrs-1/pyproject.toml")[0] == 404
        (site / "domains" / second / "data.db").write_bytes(b"no database at all" * 100)
        assert ask(url + HEALTH)[0] == 503
    assert "notes 1 has served its last request" in log.read_text()


@pytest.mark.network
@pytest.mark.slow
def test_the_application_makes_no_database(
    outputs: dict[str, Path], environment: Path, tmp_path: Path
) -> None:
    site = make_site(tmp_path / "site", outputs["plain"])
    shutil.rmtree(site / "domains")
    with serve(site, environment) as (url, _, _):
        assert [ask(url + path)[0] for path in (HEALTH, "/api/notes")] == [503, 503]
    assert not list(site.rglob("data.db"))


@pytest.mark.network
@pytest.mark.slow
def test_each_variant_behaves_as_it_says(outputs: dict[str, Path], environment: Path, tmp_path: Path) -> None:
    """All are started together, since they wait more than they work."""
    names = ["does-not-start", "answers-500", "dies-after-a-second", "slow-start"]
    with ExitStack() as stack:
        begun = time.monotonic()
        served = [
            stack.enter_context(serve(make_site(tmp_path / name, outputs[name]), environment))
            for name in names
        ]
        (_, lost, lost_log), (sick_url, _, _), (dying_url, dying, dying_log), (slow_url, _, _) = served
        assert ask(dying_url + HEALTH)[0] == 200
        assert dying.wait(timeout=10) == 1
        assert "FATAL" in dying_log.read_text()
        assert lost.wait(timeout=10) == 1
        assert "No module named 'shared.release_notes'" in lost_log.read_text()
        assert [ask(sick_url + path)[0] for path in (HEALTH, "/", "/api/version")] == [500, 500, 200]
        assert ask(slow_url + HEALTH)[0] == 200
        assert time.monotonic() - begun >= 5


@pytest.mark.network
@pytest.mark.slow
def test_version_2_pins_notes(outputs: dict[str, Path], environment: Path, tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", outputs["v2"])
    with serve(site, environment) as (url, _, _):
        assert ask(url + "/api/version")[1]["version"] == "2"
        assert ask(url + "/api/pins") == (200, [1])


@pytest.mark.network
@pytest.mark.slow
def test_the_worker_says_that_it_is_alive(
    outputs: dict[str, Path], environment: Path, tmp_path: Path
) -> None:
    site = make_site(tmp_path / "site", outputs["v2"])
    words = [environment / "bin/python", "-m", "worker.main"]
    process = subprocess.Popen(words, cwd=site / "current-api", env=environ(), stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while (rows := [beats(site, domain) for domain in DOMAINS]) != [[("worker", "2", process.pid)]] * 2:
            assert time.monotonic() < deadline, rows
            time.sleep(0.05)
    finally:
        process.terminate()
    assert process.wait(timeout=5) == 0


def beats(site: Path, domain: str) -> list[tuple[str, str, int]]:
    with closing(sqlite3.connect(site / "domains" / domain / "data.db")) as connection:
        return connection.execute("SELECT name, version, pid FROM heartbeats").fetchall()


# The script without mcc

CRONTAB = """#!/bin/sh
# The crontab of a test: `crontab -l` and `crontab -`.
file="$(dirname "$0")/crontab.txt"
if [ "$1" = -l ]; then cat "$file"; else cat >"$file.new" && mv "$file.new" "$file"; fi
"""
SUDO = """#!/bin/sh
echo "$*" >>"$(dirname "$0")/sudo.txt"
"""


def make_tools(folder: Path) -> Path:
    folder.mkdir()
    for name, text in (("crontab", CRONTAB), ("sudo", SUDO)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


def deploy_without_mcc(output: Path, tools: Path) -> subprocess.CompletedProcess[str]:
    variables = {**environ(), "PATH": f"{tools}:{Path(uv()).parent}:{os.environ['PATH']}"}
    words = [uv(), "run", "--frozen", "mcc_deploy.py", "--stage", "prod"]
    return subprocess.run(words, cwd=output, env=variables, capture_output=True, text=True, timeout=120)


@pytest.fixture
def site_without_mcc(locked: Path, tmp_path: Path) -> tuple[Path, Path]:
    """An output folder with the specification's script, and the site that it deploys to."""
    output = build(tmp_path / "o", "--lock", str(locked / "uv.lock"), lock=False)
    site = tmp_path / "site"
    shutil.copy2(SPECIFICATION, output)
    conf = yaml.safe_load((output / "conf-prod.yml").read_text())
    conf |= {"REMOTE_BASE": str(site), "SERVICES": [], "SMOKE_URLS": []}
    (output / "conf-prod.yml").write_text(yaml.safe_dump(conf))
    for domain in DOMAINS:
        (site / "domains" / domain).mkdir(parents=True)
    return output, site


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="needs the sqlite3 command")
def test_the_script_of_the_specification_deploys_the_notes(
    site_without_mcc: tuple[Path, Path], tmp_path: Path
) -> None:
    """Its faults included: every deploy adds the cron lines once more."""
    output, site = site_without_mcc
    tools = make_tools(tmp_path / "tools")
    result = deploy_without_mcc(output, tools)
    assert result.returncode == 0, result.stderr
    assert "Deploying build #None from main @ " in result.stdout
    for name in ("api", "ui"):
        assert (site / f"current-{name}").resolve().parent == site / name
    for domain in DOMAINS:
        with closing(sqlite3.connect(site / "domains" / domain / "data.db")) as connection:
            assert connection.execute("SELECT COUNT(*) FROM migrations").fetchone() == (4,)
    assert f"chown -R www-data:stenvala {site}/api\n" in (tools / "sudo.txt").read_text()
    time.sleep(1.1)  # two deploys in one second would share a folder
    assert deploy_without_mcc(output, tools).returncode == 0
    lines = (tools / "crontab.txt").read_text().splitlines()
    assert [lines.count(line) for line in ("# NOTES-PROD-COUNT", "# NOTES-PROD-BACKUP")] == [1, 1]
    assert sum("./backup.sh >>" in line for line in lines) == 2
