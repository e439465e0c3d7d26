"""Confs and templates that would have root do more than a person sees in the script: each is refused, or harmless."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mcc.core.conf.placeholders import fill
from mcc.core.conf.unfit import Unfit
from mcc.core.conf.values import to_conf
from mcc.core.sudo import sudoers_line
from mcc.errors import ConfigError
from mcc.host.files import RealFiles
from mcc.host.yaml import parse
from mcc.model.conf import Conf, Server, Services
from mcc.provision import not_root
from mcc.provision.nginx.site import nginx_files
from mcc.provision.nginx.upstream import upstream
from mcc.provision.script.files import FILES
from mcc.provision.script.keeping import KEEPING
from mcc.provision.script.setting_up import SETTING_UP
from mcc.provision.server.ask import read_templates
from mcc.provision.units.files import unit_files
from mcc.provision.units.words import literal, word

BASE = "/srv/shop"
WEB = f"""\
REMOTE_BASE: {BASE}
REMOTE_USER: deploy
DIR_USER: www-data
DIR_GROUP: deploy
API_PORT: 8000
SERVICE_NAME: shop.service
"""


class Nothing:
    """No variables and no files."""

    def variable(self, name: str) -> str:
        raise Unfit("no variables")

    def file(self, path: str) -> str:
        raise Unfit("no files")


def conf(text: str = WEB) -> Conf:
    document = parse(text, "conf-prod.yml")
    return to_conf(document, fill(document, Nothing()), Path("conf-prod.yml"))


def refused(make: Any, *given: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        make(*given)
    return str(caught.value)


# ---- words that would become lines


def test_a_line_end_in_a_key_that_only_the_application_knows_begins_no_setting() -> None:
    said = refused(unit_files, conf(WEB + r'DATA_DIR: "x\nExecStartPre=+/bin/touch /root/x"'), {})
    assert "DATA_DIR" in said
    assert "allowed: a path of printable characters" in said


def test_a_backslash_at_the_end_takes_no_line_with_it() -> None:
    assert literal("shop\\") == "shop\\\\"
    assert literal("shop\\\\") == "shop\\\\"
    assert word("shop\\") == r'"shop\\"', "in quotes it is doubled as any other"
    (_, unit) = (file.text for file in unit_files(conf(WEB + "DESCRIPTION: 'shop\\'\n"), {}) if "Unit" in file.text)
    assert "Description=shop\\\\\nRequires=shop.socket\n" in unit


def test_a_quote_in_the_path_of_a_socket_ends_no_word_of_nginx() -> None:
    base = Path('/srv/a"; include /tmp/x; "b')
    made = upstream(Conf(Path("c"), Server(base, "deploy"), services=Services(names=("shop@.service",))))
    assert r'server "unix:/srv/a\"; include /tmp/x; \"b/run/current-api.sock" max_fails=0;' in made


@pytest.mark.parametrize("letter", ["\0", "\x1b", "\x08", "\r", "\x9b", "\u202e"])
def test_a_template_holds_nothing_that_a_shell_drops_or_a_terminal_hides(letter: str, tmp_path: Path) -> None:
    (tmp_path / "mcc").mkdir()
    template = tmp_path / "mcc/shop.service"
    template.write_bytes(f"[Service]\nEND_OF{letter}_FILE\ntouch /root/x\n".encode())
    said = refused(read_templates, tmp_path, conf(), RealFiles())
    assert f"mcc/shop.service:2: holds the control character {letter!r}" in said


def test_a_shell_indeed_drops_zeros_of_a_text() -> None:
    """Why templates may have none: the line that ends the text would come about in the shell."""
    script = b"cat <<'END_OF_FILE'\nEND_OF\0_FILE\necho got out\n"
    assert subprocess.run(["sh"], input=script, capture_output=True).stdout == b"got out\n"


# ---- users who are more than they look


def test_all_is_no_user_of_sudo() -> None:
    """In sudoers ALL stands for everybody."""
    assert "ALL" in refused(conf, WEB.replace("deploy", "ALL"))
    assert sudoers_line("deploy", ("/bin/true",)).startswith("deploy ALL=")


def test_nobody_is_called_as_a_group_of_power() -> None:
    """A user docker that is not there yet would be made with the group docker as its own."""
    text = WEB.replace("REMOTE_USER: deploy", "REMOTE_USER: docker").replace("DIR_USER: www-data", "DIR_USER: staff")
    assert [problem.key for problem in not_root.problems(conf(text))] == ["REMOTE_USER", "DIR_USER"]
    assert list(not_root.problems(conf())) == []


# ---- templates that have root work in the site


HEAD = "[Unit]\nDescription=x\n[Service]\n"


@pytest.mark.parametrize(
    ("unit", "says"),
    [
        (f"{HEAD}ExecStart={BASE}/run\n", "mcc/shop.service:4: it says no User=, and so runs as root"),
        (f"{HEAD}User=root\nExecStart=/bin/x\n", "mcc/shop.service:5: User=root is root"),
        (f"{HEAD}User=www-data\nUser=\nExecStart=/bin/x\n", "mcc/shop.service:6: it says no User="),
        (f"{HEAD}User=\\\n0\nExecStart=/bin/x\n", "mcc/shop.service:6: User=0 is root"),
        (
            f"{HEAD}User=www-data\nExecStartPre=-+{BASE}/x\nExecStart=/bin/x\n",
            "mcc/shop.service:5: ExecStartPre: begins with -+, and so runs as root",
        ),
        (f"{HEAD}User=www-data\nExecStart=!!{BASE}/x\n", "mcc/shop.service:5: ExecStart: begins with !!"),
        (
            f"{HEAD}User=www-data\nExecStart=/bin/x\nStandardOutput=append:{BASE}/logs/x.log\n",
            f"mcc/shop.service:6: StandardOutput: systemd would open {BASE}/logs/x.log as root",
        ),
        (
            f"{HEAD}User=www-data\nExecStart=/bin/x\nStandardError = \\\n# why\nfile:/srv/./shop/logs/x\n",
            "mcc/shop.service:6: StandardError: systemd would open",
        ),
        (f"{HEAD}User=www-data\nPermissionsStartOnly=true\nExecStart=/bin/x\n", "mcc/shop.service:5: PermissionsStart"),
    ],
)
def test_a_unit_of_the_projects_own_does_nothing_as_root(unit: str, says: str) -> None:
    assert says in refused(unit_files, conf(), {"mcc/shop.service": unit})


@pytest.mark.parametrize(
    "unit",
    [
        f"{HEAD}User=www-data\nExecStart={BASE}/run --a +b\nExecStartPost=-/bin/x\n",
        f"{HEAD}DynamicUser=yes\nExecStart=/bin/x\n",
        f"{HEAD}User={{{{DIR_USER}}}}\nExecStart=/bin/x\nStandardOutput=append:/var/log/shop.log\n",
        f"{HEAD}User=deploy\nExecStart=/bin/x\nStandardOutput=journal\n# User=root\n",
    ],
)
def test_other_units_are_taken_as_they_are(unit: str) -> None:
    (file,) = unit_files(conf(), {"mcc/shop.service": unit})
    assert file.text == unit.replace("{{DIR_USER}}", "www-data")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"access_log {BASE}/logs/nginx.log;", f"access_log: nginx would open {BASE}/logs/nginx.log as root"),
        (f'error_log "{BASE}/logs/e.log" warn;', "error_log: nginx would open"),
        ("client_body_temp_path /srv/x/../shop/run/tmp;", "client_body_temp_path: nginx would open"),
        (f"include {BASE}/current-api/*.conf;", "include: "),
    ],
)
def test_a_site_of_nginx_has_root_open_nothing_in_the_site(line: str, says: str) -> None:
    text = f"server {{\n    location / {{\n        {line}\n    }}\n}}\n"
    assert f"mcc/nginx.template:3: {says}" in refused(nginx_files, conf(), {"mcc/nginx.template": text})


def test_other_sites_of_nginx_are_taken_as_they_are() -> None:
    text = f"server {{ root {BASE}/current-ui; access_log /var/log/nginx/shop.log; include mime.types; }}\n"
    assert nginx_files(conf(), {"mcc/nginx.template": text})[0].text == text


def test_a_visitor_does_not_say_who_it_is() -> None:
    """On a slot's socket uvicorn trusts whoever asks (*), and takes the first address of X-Forwarded-For."""
    common = nginx_files(conf(WEB + "DOMAIN: shop.example.com\n"), {})[0].text
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in common
    assert "$proxy_add_x_forwarded_for" not in common


def test_a_visitor_does_not_say_whom_it_asks() -> None:
    """A name that no site has comes to the first of them, and would stand in the links that an application mails."""
    common = nginx_files(conf(WEB + "DOMAIN: shop.example.com\n"), {})[0].text
    assert "proxy_set_header Host $server_name;" in common
    assert "$host" not in common


# ---- the script


def test_root_makes_no_folder_behind_a_link(tmp_path: Path) -> None:
    """Of REMOTE_BASE's folders above, the deploy user could lay a link after they were looked at."""
    place, victim = tmp_path.resolve() / "home", tmp_path / "victim"
    place.mkdir()
    victim.mkdir()
    functions = f'stop() {{ echo "$*"; exit 2; }}\n{SETTING_UP}\n'
    made = subprocess.run(["sh", "-euc", f"{functions}above '{place}/a b/c/d'"], text=True, capture_output=True)
    assert made.returncode == 0, made
    assert (place / "a b/c/d").is_dir()
    (place / "live").symlink_to(victim)
    done = subprocess.run(["sh", "-euc", f"{functions}above '{place}/live/b/c'"], text=True, capture_output=True)
    assert (done.returncode, done.stdout) == (2, f"{place}/live leads elsewhere through a link\n"), done
    assert list(victim.iterdir()) == []


def test_a_unit_that_a_package_brought_is_not_hidden(tmp_path: Path) -> None:
    """cron.service in /etc would stand before the one in /usr/lib."""
    (tmp_path / "cron.service").touch()
    functions = FILES.replace("/usr/lib/systemd/system", str(tmp_path))
    said = subprocess.run(
        ["sh", "-euc", f'problem() {{ echo "$*"; }}\n{functions}\nhides cron.service; hides mcc-no-such.service'],
        text=True, capture_output=True,
    )  # fmt: skip
    assert said.returncode == 0, said
    assert said.stdout.count("the system's own unit") == 1


def test_who_works_for_the_deploy_user_gets_nothing_of_roots(tmp_path: Path) -> None:
    """Neither variables nor the lock nor the terminal: the deploy user can look into processes that are its own."""
    (tmp_path / "setpriv").write_text("#!/bin/sh\nenv; ls -l /proc/self/fd\n")
    (tmp_path / "setpriv").chmod(0o755)
    lock, words = tmp_path / "lock", f"PATH={tmp_path}:$PATH\nexec 9>{tmp_path}/lock\nas_user nobody true"
    told = subprocess.run(
        ["sh", "-euc", KEEPING + words], text=True, capture_output=True, env={"PATH": os.environ["PATH"], "TOKEN": "x"}
    )
    assert told.returncode == 0, told
    assert "PATH=" in told.stdout
    assert "TOKEN" not in told.stdout
    assert "0 -> /dev/null" in told.stdout
    assert str(lock) not in told.stdout
