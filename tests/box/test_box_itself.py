"""The server that the other tests rest on is what they take it for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from box.harness import CERTIFICATE, SITES, Box, BoxError, Boxes, box_root, recipe, spec_sudoers, until
from box.layers import CHECKOUT

SITE = f"{SITES}/app"
HTTPS_SITE = f"""
server {{
    listen 443 ssl;
    server_name app.box.test client.box.test;
    ssl_certificate {CERTIFICATE[0]};
    ssl_certificate_key {CERTIFICATE[1]};
    location / {{ return 200 "hello from $host\\n"; }}
}}
"""


PLAIN_SITE = 'server { listen 80; server_name box.test; location / { return 200 "one"; } }'
HELLO_UNIT = """
[Service]
User=www-data
ExecStart=/bin/sh -c 'id -un; exec sleep 1000'
[Install]
WantedBy=multi-user.target
"""


def traces(name: str) -> list[str]:
    """All that a box could leave on this machine."""
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if f"mccbox-{name} " in line]
    groups = [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/mccbox-{name}")]
    spaces = subprocess.run(["ip", "netns"], capture_output=True, text=True).stdout.split()
    cables = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True).stdout
    found = [*mounts, *groups, *(space for space in spaces if space == f"mccbox-{name}")]
    found += [f"mb-{name}"] if f"mb-{name}@" in cables else []
    folder = box_root() / "run" / name
    return [*found, str(folder)] if folder.exists() else found


def test_systemd_has_started_every_unit(bare_box: Box) -> None:
    """The box is Debian 12, booted by systemd, with all that a server of ours runs."""
    assert bare_box.exec(["systemctl", "is-system-running"]).stdout == "running\n"
    assert "VERSION_CODENAME=bookworm" in bare_box.read("/etc/os-release")
    for unit in ("nginx", "ssh", "cron", "postgresql@15-main", "systemd-journald"):
        assert bare_box.state(unit) == "active", unit
    for program in ("uv", "sqlite3", "rsync", "setfacl", "sudo", "crontab", "python3"):
        assert bare_box.exec(["which", program]).ok


def test_a_box_is_up_in_about_a_second(boxes: Boxes) -> None:
    """Three seconds is what a busy machine may take; alone it is 0.8."""
    start = time.monotonic()
    boxes(mcc=False)
    assert time.monotonic() - start < 3


def test_commands_run_as_the_user_they_are_asked_for(bare_box: Box) -> None:
    """The deploy user is uid 1000, in its home, in no group but its own, with a clean environment."""
    assert bare_box.exec("id -un; id -G; pwd; echo $HOME; umask", "stenvala").stdout.split() == [
        "stenvala", "1000", "/home/stenvala", "/home/stenvala", "0022",
    ]  # fmt: skip
    assert bare_box.exec(["env"], "stenvala", env={"SEEN": "yes"}).stdout.count("SEEN=yes") == 1
    assert bare_box.exec(["cat"], stdin="words\n").stdout == "words\n"
    assert bare_box.exec(["test", "-w", SITES], "stenvala").ok
    assert bare_box.exec(["ls", SITES], "www-data").ok


def test_a_command_that_fails_or_hangs_is_an_error_with_its_output(bare_box: Box) -> None:
    """The message has the words, the exit code and what was printed; a hanging command is dead afterwards."""
    with pytest.raises(BoxError, match=r"(?s)as stenvala: .*exit code 3.*reason"):
        bare_box.exec("echo reason >&2; exit 3", "stenvala")
    assert bare_box.exec("exit 3", check=False).code == 3
    with pytest.raises(BoxError, match=r"(?s)not done after 0.5 s.*begun"):
        bare_box.exec("echo begun; exec sleep 12345", timeout=0.5)
    assert not bare_box.exec(["pgrep", "-f", "sleep 12345"], check=False).ok


def test_files_arrive_with_owner_and_mode(bare_box: Box, tmp_path: Path) -> None:
    """A link in a pushed folder stays a link, and nothing of the host's owners remains."""
    bare_box.write(f"{SITE}/.env", "A=1\n", "stenvala", 0o600)
    assert bare_box.read(f"{SITE}/.env") == "A=1\n"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tool").write_text("#!/bin/sh\necho it runs\n")
    (tmp_path / "bin/tool").chmod(0o755)
    (tmp_path / "link").symlink_to("bin/tool")
    bare_box.push(tmp_path, f"{SITE}/output")
    tree = bare_box.tree(SITE)
    assert tree[".env"] == "f 600 stenvala:stenvala 4"
    assert tree["output/bin/tool"] == "f 755 stenvala:stenvala 23"
    assert tree["output/link"] == "l -> bin/tool"
    assert bare_box.exec([f"{SITE}/output/link"], "stenvala").stdout == "it runs\n"


def test_sudo_refuses_what_is_not_listed(bare_box: Box) -> None:
    """No right at first; then the specification's command lines, whole, and not a word more."""
    refused = bare_box.exec(
        ["sudo", "-n", "/bin/systemctl", "restart", "cron.service"], "stenvala", check=False
    )
    assert (refused.code, "password is required" in refused.stderr) == (1, True)
    bare_box.exec(["mkdir", "-p", f"{SITE}/api", f"{SITE}/other"], "stenvala")
    bare_box.sudoers(spec_sudoers(SITE, ["cron.service"]))
    for allowed in (
        "/bin/systemctl restart cron.service",
        "/bin/systemctl status cron.service",
        f"chown -R www-data:stenvala {SITE}/api",
        f"chmod -R g+rw {SITE}/api",
        f"/bin/chown -R www-data:stenvala {SITE}/api",
        f"/usr/bin/chown -R www-data:stenvala {SITE}/api",
    ):
        bare_box.exec(["sudo", "-n", *allowed.split()], "stenvala")
    assert bare_box.tree(SITE)["api"] == "d 775 www-data:stenvala"
    for other in (
        "/bin/systemctl restart cron",
        "/bin/systemctl stop cron.service",
        "/bin/systemctl restart nginx.service",
        "/bin/systemctl status --no-pager cron.service",
        f"chown -R www-data:stenvala {SITE}/other",
        f"chown -R www-data:stenvala {SITE}/api {SITE}/other",
        f"chown -R root:root {SITE}/api",
        f"chmod -R a+rwx {SITE}/api",
        "id",
    ):
        assert not bare_box.exec(["sudo", "-n", *other.split()], "stenvala", check=False).ok, other


def test_sudo_rules_are_replaced_and_checked(bare_box: Box) -> None:
    """A rule that sudo cannot read is an error, and the ones before stay as they were."""
    bare_box.sudoers(["stenvala ALL=(root) NOPASSWD: /usr/bin/id"])
    with pytest.raises(BoxError, match="no sudo rules"):
        bare_box.sudoers(["stenvala ALL=(root NOPASSWD: /usr/bin/id"])
    assert bare_box.exec(["sudo", "-n", "id", "-u"], "stenvala").stdout == "0\n"
    bare_box.sudoers([])
    assert not bare_box.exec(["sudo", "-n", "id", "-u"], "stenvala", check=False).ok


def test_https_is_trusted_inside_as_a_public_address_is(bare_box: Box) -> None:
    """Two names lead to the box itself; curl and Python trust its authority, and no other name."""
    bare_box.nginx_site(HTTPS_SITE)
    for name in ("app.box.test", "client.box.test"):
        assert (
            bare_box.exec(["curl", "-fsS", f"https://{name}/"], "stenvala").stdout == f"hello from {name}\n"
        )
        assert bare_box.http(host=name, https=True).text == f"hello from {name}\n"
    ask = "import urllib.request as u; print(u.urlopen('https://app.box.test/').status)"
    assert bare_box.exec(["python3", "-c", ask], "stenvala").stdout == "200\n"
    assert bare_box.exec(["curl", "-sS", "https://localhost/"], check=False).code == 60


def test_a_certificate_for_a_name_of_the_test(bare_box: Box) -> None:
    """A site may have any name; it leads to the box, and its certificate is trusted there."""
    crt, key = bare_box.certificate("app.example.com", "app.client2.com")
    site = HTTPS_SITE.replace(CERTIFICATE[0], crt).replace(CERTIFICATE[1], key)
    bare_box.nginx_site(site.replace("app.box.test client.box.test", "app.example.com app.client2.com"))
    assert (
        bare_box.exec(["curl", "-fsS", "https://app.client2.com/"]).stdout == "hello from app.client2.com\n"
    )


def test_nginx_serves_a_site_and_says_what_is_wrong_with_another(bare_box: Box) -> None:
    """The host sees the box by its address; the site is there when nginx_site() returns."""
    bare_box.nginx_site(PLAIN_SITE)
    page = bare_box.http("/")
    assert (page.status, page.text) == (200, "one")
    with pytest.raises(BoxError, match="unknown directive"):
        bare_box.nginx_site("server { lissen 80; }", "broken")


def test_units_and_their_journal(bare_box: Box) -> None:
    """A unit that a test writes is started by systemd, and what it prints can be read."""
    bare_box.unit("hello.service", HELLO_UNIT, start=True)
    assert bare_box.state("hello.service") == "active"
    until(lambda: "www-data" in bare_box.journal("hello.service"), "what the unit printed")


def test_a_crontab_is_kept_byte_for_byte(bare_box: Box) -> None:
    """The deploy user may have a crontab; without one it is empty."""
    assert bare_box.crontab() == ""
    bare_box.exec(["crontab", "-"], "stenvala", stdin="# MARK\n5 4 * * * true\n")
    assert bare_box.crontab() == "# MARK\n5 4 * * * true\n"


def test_ssh_lets_the_deploy_user_in(bare_box: Box) -> None:
    """With the key of the tests, to a host whose key is known."""
    assert bare_box.ssh("id -un").stdout == "stenvala\n"


def test_a_small_disk_is_full_soon(boxes: Boxes) -> None:
    """What a box may write is limited, as on a small server."""
    small = boxes(mcc=False, disk="16m")
    full = small.exec(
        ["dd", "if=/dev/zero", f"of={SITES}/fill", "bs=1M", "count=32"], "stenvala", check=False
    )
    assert "No space left on device" in full.stderr


def test_boxes_are_apart(boxes: Boxes) -> None:
    """Two at the same time have addresses, files and processes of their own."""
    one, two = boxes(mcc=False), boxes(mcc=False)
    assert one.ip != two.ip
    one.write("/etc/only-here", "x")
    assert not two.exists("/etc/only-here")
    one.nginx_site(PLAIN_SITE)
    two.nginx_site(PLAIN_SITE.replace("one", "two"))
    assert (one.http().text, two.http().text) == ("one", "two")


def test_a_reboot_keeps_the_disk_and_runs_cron_and_units_anew(bare_box: Box) -> None:
    """What was written is there, what ran is gone, and ``@reboot`` lines are run once more."""
    bare_box.exec(["crontab", "-"], "stenvala", stdin="@reboot echo booted >>cron.log\n")
    bare_box.unit("hello.service", HELLO_UNIT)
    bare_box.nginx_site(PLAIN_SITE)
    assert bare_box.state("hello.service") == "inactive"
    bare_box.reboot()
    assert bare_box.state("hello.service") == "active"
    assert (
        bare_box.exec("until [ -s cron.log ]; do sleep 0.05; done; cat cron.log", "stenvala").stdout
        == "booted\n"
    )
    assert bare_box.http().text == "one"


def test_down_leaves_nothing(boxes: Boxes) -> None:
    """No mount, no network, no control group, no process, no folder."""
    box = boxes(mcc=False)
    sleeper = box.spawn(["sleep", "1000"], "stenvala")
    assert len(traces(box.name)) >= 5
    box.down()
    assert traces(box.name) == []
    assert not Path(f"/proc/{box.leader}/root/etc").exists()
    assert sleeper.wait(5).code != 0


def test_what_a_killed_session_left_is_removed(box_base: Path) -> None:
    """A session that is killed leaves its box up; the next one to start takes it down, and no other box."""
    dead = subprocess.Popen(["sleep", "1000"])
    left, kept = (recipe("up", BOX_OWNER=str(owner)) for owner in (dead.pid, os.getpid()))
    try:
        dead.kill()
        dead.wait()
        recipe("sweep")
        assert traces(left) == []
        assert traces(kept)
    finally:
        recipe("down", kept)


LOCKED = """[project]
name = "sample"
version = "1"
requires-python = ">=3.11"
dependencies = ["idna"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
packages = ["sample"]
"""


@pytest.fixture
def locked_project(tmp_path: Path) -> Path:
    """A packaged project with one dependency and its lock file."""
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample/__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text(LOCKED)
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "lock", "-q"], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.network
def test_uv_syncs_without_a_network_once_the_cache_is_warm(
    boxes: Boxes, warm_uv: Callable[[Path], None], locked_project: Path
) -> None:
    """The package's own build too; with a cache of its own the box can hard-link from it, as a server can."""
    warm_uv(locked_project)
    shared, own = boxes(mcc=False), boxes(mcc=False, own_uv_cache=True)
    for box in (shared, own):
        box.push(locked_project, f"{SITE}/output")
        box.exec(["uv", "sync", "--frozen", "--no-editable"], "stenvala", cwd=f"{SITE}/output")
    links = f"find {SITE}/output/.venv -path '*/idna/core.py' -printf %n"
    assert shared.exec(links).stdout == "1"
    assert int(own.exec(links).stdout) > 1


@pytest.mark.skipif(
    not (CHECKOUT / "src/mcc/cli/main.py").exists(), reason="the command line is not written yet"
)
def test_mcc_is_installed(box: Box) -> None:
    """The wheel of this checkout, with its base dependencies alone, where the deploy user changes nothing."""
    assert "deploy" in box.exec(["mcc", "--help"], "stenvala").stdout
    assert not box.exec(["test", "-w", "/opt/mcc"], "stenvala", check=False).ok
    for extra in ("supervisor", "pytest"):
        assert not box.exec(["/opt/mcc/bin/python", "-c", f"import {extra}"], check=False).ok
