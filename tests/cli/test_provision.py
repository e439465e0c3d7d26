"""``mcc provision`` on the command line: what it prints, what it writes, and that it changes nothing."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from cli.ground import MCC

CONF = """\
REMOTE_BASE: /srv/nowhere/notes
REMOTE_USER: nobody
OWNERSHIP: acl
DIR_USER: www-data
SERVICE_NAME: mcc-test-notes.service
API_PORT: 47113
DOMAIN: notes.example.com
"""


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "config.yml").write_text("deploy:\n  prod:\n    parameters: { conf: conf-prod.yml }\n")
    (tmp_path / "conf-prod.yml").write_text(CONF)
    return tmp_path


def mcc(output: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MCC, "provision", "--stage", "prod", *words], cwd=output, text=True, capture_output=True, timeout=60
    )


def test_the_difference_names_each_file_with_its_diff(output: Path) -> None:
    told = mcc(output)
    assert (told.returncode, told.stderr) == (0, "")
    assert "  new       /etc/systemd/system/mcc-test-notes.socket\n      --- /dev/null\n" in told.stdout
    assert "      +ListenStream=127.0.0.1:47113\n" in told.stdout
    assert "  run       systemctl daemon-reload\n" in told.stdout
    assert told.stdout.endswith("root does it with: mcc provision --stage prod --script | sudo sh\n")


def test_the_answer_for_programs_is_one_json_document(output: Path) -> None:
    data = json.loads(mcc(output, "--format", "json", "--only", "units").stdout)
    units = [file for file in data["files"] if file["path"].startswith("/etc/systemd/")]
    assert {file["path"].rpartition("/")[2]: file["state"] for file in units} == {
        "mcc-test-notes.socket": "new",
        "mcc-test-notes.service": "new",
    }
    assert (data["as_it_should_be"], data["against"]) == (False, [])


def test_the_script_is_all_that_is_printed(output: Path) -> None:
    told = mcc(output, "--script", "--only", "sudoers")
    assert told.stdout.startswith("#!/bin/sh\n")
    assert told.stdout.endswith("main </dev/null\n")
    assert "candidate /etc/sudoers.d/mcc-notes 440" in told.stdout


def test_files_are_written_as_a_tree_and_no_link_is_followed(output: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    told = mcc(output, "--files", "tree", "--only", "sudoers", "--only", "logrotate")
    assert told.returncode == 0, told.stderr
    written = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}
    assert written == {"etc/sudoers.d/mcc-notes", "etc/logrotate.d/mcc-notes"}
    (tree / "etc/sudoers.d/mcc-notes").unlink()
    (tree / "etc/sudoers.d/mcc-notes").symlink_to(tmp_path / "elsewhere")
    refused = mcc(output, "--files", "tree", "--only", "sudoers")
    assert refused.returncode == 2
    assert "mcc-notes is a link, not a file" in refused.stderr
    assert not (tmp_path / "elsewhere").exists()


def test_import_says_that_nothing_is_there(output: Path) -> None:
    told = mcc(output, "--import")
    assert told.returncode == 0, told.stderr
    assert "# no unit, no site of nginx and no sudo line names it" in told.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--script", "--files", "tree"], "--script and --files are two things"),
        (["--only", "everything"], "'everything' is not one of"),
        (["--output", "nowhere"], "config.yml"),
    ],
)
def test_what_cannot_be_is_one_message_and_exit_code_2(output: Path, words: list[str], says: str) -> None:
    told = mcc(output, *words)
    assert told.returncode == 2
    assert says in told.stderr
    assert "Traceback" not in told.stderr


def test_a_conf_without_a_deploy_user_is_told_the_line_to_add(output: Path) -> None:
    (output / "conf-prod.yml").write_text(CONF.replace("REMOTE_USER: nobody\n", ""))
    told = mcc(output, "--script")
    assert (told.returncode, told.stdout) == (2, "")
    assert "conf-prod.yml has no REMOTE_USER" in told.stderr
