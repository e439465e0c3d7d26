"""The ways to call mcc, and what it leaves alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from cli.ground import Ground, is_one_message
from mcc.version import __version__

ROOT = Path(__file__).parents[2]
NOTES = ROOT / "examples/notes"
PROGRAM = Path(sys.executable).with_name("mcc")
OWN_SCRIPT = "raise SystemExit('this script was imported')\n"


@pytest.mark.slow
def test_the_command_and_the_module_are_the_same_program(ground: Ground) -> None:
    for program in ((str(PROGRAM),), (sys.executable, "-m", "mcc")):
        assert ground.run("--version", program=program).stdout == f"mcc {__version__}\n"
        done = ground.run("deploy", "--stage", "nowhere", program=program)
        assert done.returncode == 2
        assert is_one_message(done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [["nothing"], ["deploy"], ["deploy", "--stage"], ["deploy", "--stage", "prod", "--format", "xml"], ["recover"]],
    ids=" ".join,
)
def test_a_command_line_that_cannot_be_ends_with_2_and_says_why(words: list[str], ground: Ground) -> None:
    before = ground.traces()
    done = ground.run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr
    assert ground.traces() == before


@pytest.mark.slow
@pytest.mark.parametrize("command", ["status", "releases", "recover"])
@pytest.mark.parametrize("what", ["nothing", "a-file"])
def test_a_site_that_is_none_is_refused(command: str, what: str, ground: Ground) -> None:
    (ground.folder / "a-file").write_text("no folder")
    done = ground.run(command, "--site", str(ground.folder / what))
    assert (done.returncode, done.stdout) == (2, "")
    assert is_one_message(done.stderr)


# The project's own script


def test_app_deploys_as_the_command_does(live: Ground) -> None:
    """From a folder whose ``mcc/`` holds the configuration, too: that is not taken for the package."""
    live.write("mcc_deploy.py", (NOTES / "mcc_deploy.py").read_text())
    for name in ("config.yml", "conf-prod.yml"):
        (live.output / "mcc").mkdir(exist_ok=True)
        (live.output / name).rename(live.output / "mcc" / name)
    done = live.run("--stage", "prod", program=(sys.executable, "mcc_deploy.py"))
    assert done.returncode == 0, done.stderr
    assert live.page() == "<h1>two</h1>\n"
    assert "not run" not in done.stdout


@pytest.mark.slow
def test_app_ends_with_the_exit_codes_of_the_command(ground: Ground) -> None:
    ground.write("mcc_deploy.py", (NOTES / "mcc_deploy.py").read_text())
    done = ground.run("--stage", "nowhere", program=(sys.executable, "mcc_deploy.py"))
    assert done.returncode == 2
    assert is_one_message(done.stderr)
    assert ground.run(program=(sys.executable, "mcc_deploy.py")).returncode == 2


@pytest.mark.parametrize(
    "program",
    [(str(PROGRAM),), pytest.param((sys.executable, "-m", "mcc"), marks=pytest.mark.slow)],
    ids=["mcc", "python-m-mcc"],
)
def test_an_existing_script_of_the_project_is_never_imported_and_deploy_says_so(
    program: tuple[str, ...], live: Ground
) -> None:
    script = live.write("mcc_deploy.py", OWN_SCRIPT)
    done = live.run("deploy", "--stage", "prod", program=program)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning   mcc_deploy.py is a script of the project's own, and is not run" in done.stdout
    assert script.read_text() == OWN_SCRIPT
    assert not (live.output / "__pycache__").exists()


# From a wheel


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheels")
    build = [str(Path(sys.executable).with_name("hatchling")), "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.mark.slow
def test_the_wheel_deploys(wheels: Path, live: Ground) -> None:
    """Its code is taken, and only what it needs from this environment."""
    (wheel,) = wheels.glob("*.whl")
    live.variables["PYTHONPATH"] = str(wheel)
    where = live.run("-c", "import mcc; print(mcc.__file__)", program=(sys.executable, "-P"))
    assert where.stdout.startswith(str(wheel))
    unpacked = live.folder / "unpacked"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(unpacked)], check=True)
    live.variables["PYTHONPATH"] = str(unpacked)
    live.good()
    assert live.page() == "<h1>two</h1>\n"
    assert live.run("schema").returncode == 0


@pytest.mark.slow
@pytest.mark.network
def test_uv_runs_the_projects_script_with_the_wheel(wheels: Path, live: Ground) -> None:
    """As the README says it: the application's own lock stays without mcc."""
    live.python()
    live.write("mcc_deploy.py", (NOTES / "mcc_deploy.py").read_text())
    lock = (live.output / "uv.lock").read_text()
    host = {name: value for name, value in os.environ.items() if name.upper().endswith(("_INDEX", "_PROXY", "_URL"))}
    certificates = {name: os.environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ}
    live.variables |= {**host, **certificates, "UV_OFFLINE": "0", "UV_FIND_LINKS": str(wheels)}
    done = live.run("run", "mcc_deploy.py", "--stage", "prod", program=("uv",))
    assert done.returncode == 0, done.stdout + done.stderr
    assert live.page() == "<h1>two</h1>\n"
    assert (live.output / "uv.lock").read_text() == lock
    done = live.run("run", "mcc_deploy.py", "--stage", "nowhere", program=("uv",))
    assert done.returncode == 2


# Schemas


@pytest.mark.parametrize("kind", ["config", "conf"])
def test_the_printed_schema_takes_the_example_and_refuses_what_a_deploy_refuses(kind: str, ground: Ground) -> None:
    schema = json.loads(ground.run("schema", kind).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    files = sorted(NOTES.glob("conf-*.yml")) if kind == "conf" else [NOTES / "config.yml"]
    for file in files:
        written = YAML(typ="safe", pure=True).load(file.read_text())
        assert list(check.iter_errors(written)) == []
        wrong = {"API_PORT": 99999} if kind == "conf" else {"deploy": {"prod": {"parameters": {"keep_builds": -1}}}}
        assert list(check.iter_errors({**written, **wrong}))


@pytest.mark.slow
def test_there_is_no_schema_of_other_files(ground: Ground) -> None:
    done = ground.run("schema", "crontab")
    assert (done.returncode, done.stdout) == (2, "")
    assert is_one_message(done.stderr)
