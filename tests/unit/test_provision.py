"""What provision wants of a server, the script that it writes, and what it reads of a server that is set up already."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.scenes import BASE as SCENE
from fakes.scenes import Scene, api_files, machine
from mcc.core.conf.found_components import found_in
from mcc.core.provisioned import is_ours, marker, recovery_files, site_name
from mcc.core.sudo import required, sudoers_line, useful
from mcc.errors import ConfigError, UsageError
from mcc.host.files import RealFiles
from mcc.model.conf import Conf, Database, Ownership, Server, Services, Web
from mcc.provision.script.write import script
from mcc.provision.server import look_around
from mcc.provision.server.ask import read_wish
from mcc.provision.server.difference import compare, difference
from mcc.provision.server.installed import Installed, belongs, keys, sudo_lines, templates
from mcc.provision.sudoers import owned_paths, sudoers_file
from mcc.provision.wanted import Certificate, File
from mcc.provision.wish import ALL, Made, Wish, wish

BASE = Path("/home/stenvala/live/notes")
PARTS = found_in(["api", "ui"])


def conf(base: Path = BASE, user: str | None = "stenvala", **parts: Any) -> Conf:
    usual: dict[str, Any] = {
        "ownership": Ownership("acl", "www-data", "stenvala"),
        "services": Services(names=("notes.service",), workers=("work.service",)),
        "domains": ("a.example.com",),
        "api_port": 8000,
    }
    return Conf(Path("conf-prod.yml"), Server(base, user), **{**usual, **parts})


def wished(made: Made | None = None, only: Any = (), **parts: Any) -> Wish:
    return wish(conf(**parts), made or Made(), PARTS, only)


# ---- what is wanted


def test_every_file_begins_with_the_marker_of_its_site() -> None:
    own = File(Path("/etc/systemd/system/notes.service"), "[Service]\n", "units", "systemd-analyze")
    files = wished(Made((own,))).files
    assert {file.part for file in files} == {"sudoers", "units", "logrotate", "recovery"}
    assert all(is_ours(file.text.encode(), BASE) for file in files)


def test_only_gives_the_files_folders_and_packages_of_these_parts() -> None:
    alone = wished(only=["sudoers"])
    assert [file.part for file in alone.files] == ["sudoers"]
    assert (alone.folders, alone.packages, alone.domains) == ((), (("visudo", "sudo"),), ())
    assert {file.part for file in wished(only=["recovery", "logrotate"]).files} == {"recovery", "logrotate"}


@pytest.mark.parametrize(("user", "says"), [(None, "has no REMOTE_USER"), ("root", "REMOTE_USER is root")])
def test_somebody_must_deploy_and_not_root(user: str | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        wished(user=user)


def test_folders_are_the_table_with_access_lists_and_else_the_base_alone() -> None:
    assert len(wished().folders) > 8
    for mode in ("sudo", "none"):
        (only,) = wished(ownership=Ownership(mode, "www-data", "stenvala")).folders  # type: ignore[arg-type]
        assert (only.path, only.acl) == (BASE, ())


@pytest.mark.parametrize("mode", ["sudo", "none"])
def test_two_slots_have_their_folder_of_sockets_whatever_sets_the_owners(mode: Any) -> None:
    """The service makes its sockets in it, beside a link that only the deploy user may change."""
    made = wished(ownership=Ownership(mode, "www-data", "stenvala"), services=Services(names=("notes@.service",)))
    sockets = made.folders[-1]
    assert [rule.path for rule in made.folders] == [BASE, BASE / "run"]
    assert "u:www-data:rwx" in sockets.acl
    assert sockets.mode & 0o1000


def test_sudoers_holds_exactly_the_one_list_of_commands() -> None:
    for mode in ("sudo", "acl", "none"):
        value = conf(ownership=Ownership(mode, "www-data", "stenvala"))  # type: ignore[arg-type]
        file = sudoers_file(value, "stenvala", PARTS)
        assert file is not None
        commands = (*required(value, owned_paths(value, PARTS)), *useful(value))
        lines = [line for line in file.text.splitlines() if not line.startswith("#")]
        assert lines == [sudoers_line("stenvala", words) for words in commands]
        assert ("chown" in file.text) == (mode == "sudo")
        assert (file.mode, file.checker) == (0o440, "visudo")
        assert "." not in file.path.name, "sudo skips such files"


def test_sudoers_names_the_slots_of_a_template_and_never_the_template() -> None:
    file = sudoers_file(conf(services=Services(names=("notes@.service",))), "stenvala", PARTS)
    assert file is not None
    assert sorted(set(re.findall(r"notes@\S*", file.text))) == ["notes@a.service", "notes@b.service"]


def test_no_sudoers_file_where_a_deploy_needs_no_root() -> None:
    services = Services("none", ("notes.service",))
    assert sudoers_file(conf(services=services, ownership=Ownership("none")), "stenvala", PARTS) is None


def test_a_single_tenants_database_is_owned_by_path_with_sudo() -> None:
    assert BASE / "data.db" in owned_paths(conf(domains=()), PARTS)
    assert BASE / "data.db" not in owned_paths(conf(), PARTS)
    assert BASE / "data.db" not in owned_paths(conf(domains=(), database=Database("postgresql")), PARTS)


def test_logs_are_rotated_as_the_service_user_or_who_else_writes_them() -> None:
    def who(mode: Any, user: str | None) -> str:
        files = wished(only=["logrotate"], ownership=Ownership(mode, user, "stenvala")).files
        return re.findall(r"^    su (.+)$", files[0].text, re.M)[0]

    assert (who("acl", "www-data"), who("sudo", "svc")) == ("www-data www-data", "svc svc")
    assert (who("none", None), who("acl", None)) == ("stenvala stenvala", "stenvala stenvala")


@pytest.mark.parametrize("base", ["/srv/a b", "/srv/50%", "/srv/it's", "/srv/a[b]*", '/srv/say "x"', "/srv/$HOME;x"])
def test_a_base_with_special_characters_is_one_word_everywhere(base: str) -> None:
    """sh reads back every word of the base; systemd reads the unit (its quoting is undone here)."""
    made = wished(base=Path(base))
    text = script(made)
    assert subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True).stderr == ""
    head = "\n".join(line for line in text.splitlines() if line.startswith("BASE="))
    told = subprocess.run(["sh", "-c", f'{head}\nprintf %s "$BASE"'], text=True, capture_output=True)
    assert told.stdout == base
    (unit,) = [file.text for file in made.files if file.part == "recovery"]
    line = re.findall(r"^ExecStart=(.+)$", unit, re.M)[0]
    assert shlex.split(line)[-1].replace("%%", "%").replace("$$", "$") == base


# ---- the script


def test_the_script_holds_each_file_as_it_will_be() -> None:
    files = wished().files
    text = script(wished())
    for file in files:
        assert f"candidate {file.path} {file.mode:o} <<'END_OF_FILE'\n{file.text}END_OF_FILE\n" in text


@given(st.lists(st.sampled_from(["END_OF_FILE", "END_OF_FILE_", "x", "", "$(touch /tmp/x)", "`x`"]), max_size=6))
def test_no_line_of_a_file_ends_it_or_runs(lines: list[str]) -> None:
    """What sh makes of a candidate is its text, byte for byte."""
    made = Made((File(Path("/etc/x/y"), "\n".join(lines) + "\n", "units"),))
    value = wished(made, only=["units"])
    text = script(value)
    body = text[text.index("candidates() {") : text.index("look() {")].rpartition("}")[0] + "}"
    told = subprocess.run(
        ["sh", "-c", f"candidate() {{ cat; }}\n{body}\ncandidates"], text=True, capture_output=True, check=True
    )
    assert told.stdout == value.files[0].text


def test_half_a_script_does_nothing() -> None:
    """sh runs it from its last line on: a line that breaks off, or mcc that dies, changes nothing."""
    text = script(wished())
    assert text.endswith("\nmain </dev/null\n")
    half = text[: -len("main </dev/null\n")]
    stubs = "".join(f"{name}() {{ echo ran {name}; }}\n" for name in ("mktemp", "mv", "systemctl", "useradd"))
    told = subprocess.run(["sh"], input=stubs + half, text=True, capture_output=True)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_nobody_but_root_runs_it(tmp_path: Path) -> None:
    """Exit code 2 and one line, before anything is looked at."""
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    words = drop if RealFiles().may_write(Path("/etc")) else []
    told = subprocess.run([*words, "sh"], input=script(wished()), text=True, capture_output=True, cwd="/")
    assert (told.returncode, told.stderr) == (2, "provision: this must run as root\n")


def test_given_certificates_must_be_there_and_made_up_ones_are_made() -> None:
    site = File(Path("/etc/nginx/sites-available/notes"), "server {}\n", "nginx", "nginx", link=Path("/etc/nginx/x"))
    given_ = Certificate("a.example.com", Path("/etc/ssl/a.crt"), Path("/etc/ssl/a.key"), "files")
    own = Certificate("b.example.com", Path("/x"), Path("/y"))
    text = script(wished(Made((site,), (given_, own)), web=Web(email="ops@example.com")))
    assert "    given /etc/ssl/a.crt\n    given /etc/ssl/a.key\n" in text
    assert "    stand_in_certificate b.example.com\n" in text
    assert "    ask_certbot ops@example.com b.example.com\n" in text
    assert "stand_in_certificate a.example.com" not in text
    assert "    needs certbot certbot\n" in text
    without = script(wished(Made((site,), (given_,))))
    assert "needs certbot" not in without


def test_root_makes_nothing_below_the_base_but_as_the_deploy_user() -> None:
    """In the fixed functions every command that changes a folder of the site is as_owner's, or stands in a folder."""
    text = script(wished())
    inner = text[text.index("folder() {") : text.index("keep_lists() {")]
    changing = [line for line in inner.splitlines() if re.search(r"\b(mkdir|chgrp|chmod|setfacl)\b", line)]
    assert len(changing) == 4
    assert all("as_owner" in line for line in changing)


# ---- beside what is there


def test_modes_of_folders_have_five_digits() -> None:
    """With fewer, chmod(1) keeps the set-gid bit of the folder above, and a private folder is never as it should be."""
    modes = re.findall(r"^    folder \S+ (\d+) ", script(wished()), re.M)
    assert "00700" in modes
    assert {len(mode) for mode in modes} == {5}


def test_a_file_is_new_same_changed_or_somebody_elses() -> None:
    file = File(Path("/etc/x"), f"{marker(BASE)}\nnew\n", "units")
    other = marker(Path("/home/stenvala/live/notes-dev"))
    states = {
        None: "new",
        file.text: "same",
        f"{marker(BASE)}\nold\n": "changed",
        "new\n": "changed",
        "old\n": "foreign",
        f"{other}\nnew\n": "foreign",
    }
    for there, state in states.items():
        found = compare(file, there.encode() if there is not None else None, BASE)
        assert found.state == state, there
    assert "-old" in compare(file, f"{marker(BASE)}\nold\n".encode(), BASE).diff
    assert compare(file, file.text.encode(), BASE).diff == ()


# ---- what is installed

UNIT = f"""[Service]
# ExecStart=/home/stenvala/live/other/x
ExecStart={BASE}/.venv/bin/gunicorn api.main:app -k uvicorn.workers.UvicornWorker --workers 4 \\
    --bind 127.0.0.1:6784
WorkingDirectory={BASE}/current-api
User=www-data
Group=stenvala
"""
WORKER = f"[Service]\nExecStart={BASE}/.venv/bin/python -m worker.main\nUser=www-data\n"
NGINX_SITE = """server {
    server_name app.example.com
        www.app.example.com _;
    ssl_certificate "/etc/ssl/app.example.com/full.pem"; # theirs
    ssl_certificate_key /etc/ssl/app.example.com/key.pem;
    client_max_body_size 30m;
    location /api/ {
        proxy_pass http://127.0.0.1:6784;
    }
}
"""


def installed() -> Installed:
    units = {Path("/etc/systemd/system/web.service"): UNIT, Path("/etc/systemd/system/work.service"): WORKER}
    return Installed(BASE, units, {Path("/etc/nginx/sites-enabled/notes"): NGINX_SITE}, owner="stenvala")


def test_units_and_sites_are_read_as_keys_of_the_conf() -> None:
    assert {key.name: key.value for key in keys(installed())} == {
        "REMOTE_USER": "stenvala",
        "REMOTE_BASE": str(BASE),
        "DIR_USER": "www-data",
        "DIR_GROUP": "stenvala",
        "SERVICE_NAME": "web.service",
        "WORKER_SERVICE_NAME": "work.service",
        "API_PORT": 6784,
        "WORKERS": 4,
        "APP": "api.main:app",
        "APP_SERVER": "gunicorn",
        "NGINX_SITE": "notes",
        "DOMAINS": ["app.example.com", "www.app.example.com"],
        "TLS": "files",
        "TLS_CERTIFICATE": "/etc/ssl/app.example.com/full.pem",
        "TLS_KEY": "/etc/ssl/app.example.com/key.pem",
        "API_PREFIX": "/api/",
        "BODY_LIMIT": "30m",
    }


def test_templates_are_the_files_as_they_are_but_for_those_that_mcc_made() -> None:
    found = installed()
    assert set(templates(found)) == {"mcc/web.service", "mcc/work.service", "mcc/nginx.template"}
    ours = {Path("/etc/systemd/system/web.service"): f"{marker(BASE)}\n{UNIT}"}
    assert templates(Installed(BASE, ours, {})) == {}


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (f"WorkingDirectory={BASE}/current-api", True),
        (f"root {BASE};", True),
        (f"WorkingDirectory={BASE}-dev/current-api", False),
        (f"WorkingDirectory={BASE}.old/current-api", False),
        (f"# root {BASE};", False),
        ("proxy_pass http://localhost:6784;", True),
        ("proxy_pass http://localhost:67840;", False),
    ],
)
def test_a_file_belongs_to_a_site_by_whole_names_or_by_its_port(text: str, is_one: bool) -> None:
    assert belongs(text, BASE, ("6784",)) is is_one


def test_sudo_lines_are_those_that_speak_of_the_site_or_its_units() -> None:
    listing = f"""User stenvala may run the following commands on server:
    (root) NOPASSWD: /bin/systemctl restart web.service
    (root) NOPASSWD: /bin/systemctl restart web-dev.service
    (root) NOPASSWD: /bin/chown -R www-data\\:stenvala {BASE}/api
    (root) NOPASSWD: /bin/chown -R www-data\\:stenvala {BASE}-dev/api
"""
    assert len(sudo_lines(listing, installed())) == 2


# ---- from files


def project(folder: Path, **changes: str) -> Path:
    values = {
        "REMOTE_BASE": str(BASE), "REMOTE_USER": "stenvala", "OWNERSHIP": "acl", "DIR_USER": "www-data",
        "SERVICE_NAME": "notes.service", "API_PORT": "8000", "DOMAIN": "a.example.com", **changes,
    }  # fmt: skip
    (folder / "mcc").mkdir(exist_ok=True)
    (folder / "config.yml").write_text("deploy:\n  prod:\n    parameters: { conf: conf-prod.yml }\n")
    (folder / "conf-prod.yml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items()))
    return folder


def test_secrets_are_not_needed_and_never_in_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one that is set here, nor the stand-in of one that is not."""
    monkeypatch.setenv("SET_HERE", "a-secret-of-this-desk")
    secrets = {"DB_PASSWORD": "{{env:NOT_HERE}}", "API_TOKEN": "{{env:SET_HERE}}", "CERT": "{{file:/etc/shadow}}"}
    output = project(tmp_path, **secrets)
    text = script(read_wish(output, "prod", RealFiles()))
    assert "secret" not in text.replace("holds a secret", "")
    assert "on-the-server" not in text


def test_every_part_comes_from_an_output_with_nothing_built(tmp_path: Path) -> None:
    found = read_wish(project(tmp_path), "prod", RealFiles())
    assert {file.part for file in found.files} == {"sudoers", "units", "nginx", "logrotate", "recovery"}
    assert found.parts == set(ALL)
    assert found.name == site_name(BASE) == "notes"


def test_a_template_that_is_no_text_is_named(tmp_path: Path) -> None:
    output = project(tmp_path)
    template = output / "mcc/notes.service"
    template.symlink_to("/etc/passwd")
    for says in ("is a link, not a file", "is not UTF-8", "is larger than 256 KiB"):
        with pytest.raises(ConfigError, match=f"mcc/notes.service: {says}"):
            read_wish(output, "prod", RealFiles())
        template.unlink()
        template.write_bytes(b"\xff" if says == "is a link, not a file" else b"#" * 300_000)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("DIR_USER", "root", "DIR_USER: is root, who would run what stenvala owns"),
        ("DIR_GROUP", "sudo", "DIR_GROUP: is sudo, whose members can become root"),
    ],
)
def test_root_is_never_made_to_run_what_the_deploy_user_owns(tmp_path: Path, key: str, value: str, says: str) -> None:
    """And nobody becomes as good as root by a group."""
    with pytest.raises(ConfigError, match=says):
        read_wish(project(tmp_path, **{key: value}), "prod", RealFiles())


def test_no_template_makes_systemd_run_it_as_root(tmp_path: Path) -> None:
    """In particular none that was imported from a server without User=."""
    output = project(tmp_path)
    for line in ("ExecStart=/bin/true", "User=www-data\nExecStartPre=-+/bin/true\nExecStart=/bin/true"):
        (output / "mcc/notes.service").write_text(f"[Service]\n{line}\n")
        with pytest.raises(ConfigError, match="root"):
            read_wish(output, "prod", RealFiles())
    (output / "mcc/notes.service").write_text("[Service]\nUser=www-data\nExecStart=/bin/true\n")
    assert read_wish(output, "prod", RealFiles(), ["units"]).files


# ---- what a deploy does not do itself then


@pytest.mark.parametrize(
    ("unit", "enabled", "line"),
    [
        (f"{marker(SCENE)}\n", True, False),
        (f"{marker(SCENE)}\n", False, True),
        ("# mine\n", True, True),
        (None, True, True),
    ],
)
def test_the_line_for_reboots_is_left_out_where_roots_unit_does_its_work(
    unit: str | None, enabled: bool, line: bool
) -> None:
    """The unit is there, made for this site, and enabled; else the crontab has the line, as ever."""
    world = machine()
    world.plant(api_files(1))
    file, link = recovery_files(SCENE)
    if unit is not None:
        world.plant({str(file): unit.encode()}, "root")
    if enabled:
        world.plant({str(link): str(file)}, "root")
    assert Scene(world).deploy() == 0
    assert (b"@reboot" in world.cron.text) is line


def test_what_mcc_has_made_itself_is_read_back_and_recovery_is_no_worker() -> None:
    """Its nginx site names the folders of the site in a snippet only."""
    world = machine()
    path = Path("/etc/nginx/sites-enabled/site")
    server = f"{marker(SCENE)}\nserver {{ server_name app.example.com; include /etc/nginx/snippets/x.conf; }}\n"
    recovery, _ = recovery_files(SCENE)
    world.plant({str(path): server.encode(), str(recovery): f"[Service]\nExecStart={SCENE}/.mcc/bin/mcc\n".encode()})
    found = look_around.installed(SCENE, None, world.host())
    assert (tuple(found.units), tuple(found.sites)) == ((), (path,))


# ---- a machine without IPv6

LISTENS = "".join(f"    listen {each};\n" for each in ("80", "[::]:80", "443 ssl http2", "[::]:443 ssl http2"))


@pytest.mark.parametrize(("there", "lines"), [(True, 4), (False, 2)])
def test_a_site_listens_on_ipv6_only_where_the_kernel_has_it(tmp_path: Path, there: bool, lines: int) -> None:
    """By the script as it runs, and in the comparison: nginx -t rejects such a line where IPv6 is switched off."""
    path, link = (Path(f"/etc/nginx/sites-{which}/x") for which in ("available", "enabled"))
    site = File(path, f"server {{\n{LISTENS}}}\n", "nginx", "nginx", link=link)
    made = wished(Made((site,)), only=["nginx"])
    (tmp_path / "if_inet6").touch()
    (tmp_path / "etc/nginx/sites-available").mkdir(parents=True)
    text = script(made).replace("/proc/net/if_inet6", str(tmp_path / ("if_inet6" if there else "none")))
    subprocess.run(["sh", "-c", f"{text.rpartition('main <')[0]}\nNEW={tmp_path}\ncandidates"], check=True)
    written = (tmp_path / "etc/nginx/sites-available/x").read_text()
    assert (written.count("listen"), written.count("[::]")) == (lines, lines // 2 * there)
    world = machine()
    world.plant({str(site.path): written.encode(), "/proc/self/net/dev": b""})
    if there:
        world.plant({"/proc/self/net/if_inet6": b""})
    assert [each.state for each in difference(made, world.host()).files] == ["same"]
