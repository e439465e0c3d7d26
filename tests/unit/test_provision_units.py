"""The units that provision makes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mcc.core.conf.placeholders import fill
from mcc.core.conf.unfit import Unfit
from mcc.core.conf.values import to_conf
from mcc.core.unit_names import instance_of, is_template, plain_name_of, socket_of, unit_file
from mcc.errors import ConfigError
from mcc.host.yaml import parse
from mcc.model.conf import Conf
from mcc.provision.units.files import unit_files
from mcc.provision.units.words import command, path_value, word
from mcc.provision.wanted import UNITS

HEAD = """\
REMOTE_BASE: /home/deploy/live/shop
REMOTE_USER: deploy
DIR_USER: www-data
DIR_GROUP: deploy
STAGE: prod
"""
WEB = f"{HEAD}API_PORT: 8000\nSERVICE_NAME: shop.service\n"
BASE = "/home/deploy/live/shop"


class Outside:
    """Variables of a site; files it has none."""

    def variable(self, name: str) -> str:
        return f"the secret {name}"

    def file(self, path: str) -> str:
        raise Unfit("no files")


def conf(text: str) -> Conf:
    document = parse(text, "conf-prod.yml")
    return to_conf(document, fill(document, Outside()), Path("conf-prod.yml"))


def units(text: str, templates: dict[str, str] | None = None) -> dict[str, str]:
    return {file.path.name: file.text for file in unit_files(conf(text), templates or {}) if file.path.parent == UNITS}


def setting(unit: str, name: str) -> str:
    """The value of the one setting of that name."""
    (value,) = [line.partition("=")[2] for line in unit.splitlines() if line.startswith(f"{name}=")]
    return value


def refused(text: str, templates: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        units(text, templates)
    return str(caught.value)


# ---- what is made


def test_a_service_stands_behind_a_socket_of_its_name() -> None:
    made = units(WEB)
    assert list(made) == ["shop.socket", "shop.service"]
    assert setting(made["shop.socket"], "ListenStream") == "127.0.0.1:8000"
    assert setting(made["shop.service"], "Requires") == "shop.socket"
    assert "--fd 3" in setting(made["shop.service"], "ExecStart")


def test_no_number_of_deploys_is_too_many() -> None:
    """systemd gives up a unit, and its socket with it, after a few starts in a short time."""
    every = {
        **units(f"{WEB}WORKER_SERVICE_NAME: w.service\nWORKER_COMMAND: python -m w"),
        **units(f"{HEAD}SERVICE_NAME: s@.service"),
    }
    assert len(every) == 4
    assert {setting(text, "StartLimitIntervalSec") for text in every.values()} == {"0"}


def test_a_template_unit_has_two_slots_which_their_links_let_run() -> None:
    made = units(f"{HEAD}SERVICE_NAME: shop@.service\n")
    assert list(made) == ["shop@.service"]
    slot = made["shop@.service"]
    assert setting(slot, "ConditionPathExists") == setting(slot, "WorkingDirectory") == f"{BASE}/slots/%i"
    assert f"{BASE}/slots/%i/.venv/bin/uvicorn --uds {BASE}/run/%i.sock" in setting(slot, "ExecStart")
    # When it is stopped, its visitors have had DRAIN_TIMEOUT.
    assert "--timeout-graceful-shutdown 5 " in setting(slot, "ExecStart")
    assert setting(slot, "TimeoutStopSec") == "10"
    assert (setting(slot, "DefaultInstance"), setting(slot, "Also")) == ("a", "shop@b.service")


@pytest.mark.parametrize(
    ("written", "program"),
    [
        ("python -m worker.main", f"{BASE}/.venv/bin/python -m worker.main"),
        (".venv/bin/celery worker", f"{BASE}/.venv/bin/celery worker"),
        ("/usr/bin/node x.js", "/usr/bin/node x.js"),
    ],
)
def test_a_workers_program_is_the_environments(written: str, program: str) -> None:
    made = units(f"{HEAD}WORKER_SERVICE_NAME: w\nWORKER_COMMAND: {written}\n")
    assert setting(made["w.service"], "ExecStart").endswith(f"{BASE}/logs/w.log {BASE}/.env {program}")


def test_gunicorn_runs_asgi_unless_it_is_given_another_class() -> None:
    usual = setting(units(f"{WEB}APP_SERVER: gunicorn\nWORKERS: 3\n")["shop.service"], "ExecStart")
    assert "/gunicorn --worker-class uvicorn_worker.UvicornWorker --workers 3 --log-level info" in usual
    own = setting(
        units(f"{WEB}APP_SERVER: gunicorn\nAPP_SERVER_ARGS: -k gthread --threads 4\nLOG_LEVEL: TRACE\n")[
            "shop.service"
        ],
        "ExecStart",
    )
    assert "uvicorn_worker" not in own
    assert own.endswith("--log-level debug --graceful-timeout 10 -k gthread --threads 4 api.main:app")


def test_services_run_as_the_service_user_and_get_the_variables_of_the_site() -> None:
    web = units(f"{WEB}LOG_LEVEL: debug\nDATA_DIR: /srv/data\nAPP: shop.web:app\n")["shop.service"]
    assert (setting(web, "User"), setting(web, "Group")) == ("www-data", "deploy")
    assert setting(web, "Environment") == "STAGE=prod LOG_LEVEL=debug DATA_DIR=/srv/data PYTHONUNBUFFERED=1"
    assert setting(web, "ExecStart").endswith(
        "--log-level debug --proxy-headers --timeout-graceful-shutdown 10 shop.web:app"
    )


def test_nothing_of_the_site_is_read_by_systemd_itself() -> None:
    """It would read as root, and through links: what starts the service reads .env and opens the log as its user."""
    made = unit_files(conf(f"{WEB}WORKER_SERVICE_NAME: w\nWORKER_COMMAND: python -m w\n"), {})
    start, text = made[0], "".join(file.text for file in made if file.path.parent == UNITS)
    assert (str(start.path), start.mode) == ("/usr/local/lib/mcc/start-shop.pl", 0o644)
    assert f"ExecStart=/usr/bin/perl {start.path} {BASE}/logs/w.log {BASE}/.env {BASE}/.venv/bin/python -m w\n" in text
    for name in ("EnvironmentFile=", "StandardOutput=", "StandardError=", "StandardInput=", "LoadCredential="):
        assert name not in text


def test_where_all_units_are_the_projects_own_nothing_else_is_installed() -> None:
    assert [file.path.name for file in unit_files(conf(WEB), {"mcc/shop.service": "[Service]\n"})] == ["shop.service"]


def test_without_systemd_there_are_no_units() -> None:
    assert units(f"{WEB}SERVICE_MANAGER: none\n") == {}
    assert units(HEAD) == {}


def test_only_folders_with_data_are_written() -> None:
    """One tenant has its database in the site itself: there, all that is not data is closed."""
    many = units(f"{WEB}DOMAINS: [a.example]\n")["shop.service"]
    assert setting(many, "ReadWritePaths") == " ".join(f"-{BASE}/{name}" for name in ("domains", "data", "logs", "run"))
    one = units(f"{WEB}BACKUP_PATH: kept\n")["shop.service"]
    assert setting(one, "ReadWritePaths") == f"-{BASE}"
    closed = ("api", "ui", "venvs", "scripts", "maintenance", ".mcc", "kept")
    assert setting(one, "ReadOnlyPaths") == " ".join(f"-{BASE}/{name}" for name in closed)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
@pytest.mark.parametrize("base", ["/srv/shop", '/srv/100% of "it" $HOME/a b'])
def test_systemd_takes_them(base: str, tmp_path: Path) -> None:
    """Also with a base that needs every kind of quoting."""
    head = HEAD.replace("/home/deploy/live/shop", f"'{base}'")
    worker = "WORKER_SERVICE_NAME: w\nWORKER_COMMAND: python -m w\n"
    text = f"{head}API_PORT: 8000\nSERVICE_NAME: shop\n{worker}DESCRIPTION: 100%\n"
    made = {**units(text), **units(f"{head}SERVICE_NAME: shop@.service\nAPP_SERVER: gunicorn\n")}
    for name, content in made.items():
        (tmp_path / name).write_text(content)
    done = subprocess.run(["systemd-analyze", "verify", *map(str, tmp_path.iterdir())], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


# ---- words


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("/srv/a", "/srv/a"), ("50%", "50%%"), ("a b", '"a b"'), ('a"b', '"a\\"b"'), ("a\\b", '"a\\\\b"'), ("", '""'),
        ("a;b", '"a;b"'), ("it's", '"it\'s"'),
    ],
)  # fmt: skip
def test_a_word_of_a_list_is_quoted_where_it_must_be(text: str, written: str) -> None:
    assert word(text) == written


def test_a_command_has_no_variables_and_specifiers_only_for_a_slot() -> None:
    assert command(["/bin/x", "$HOME", "%i"]) == "/bin/x $$HOME %%i"
    assert command(["/bin/x", "%i"], slot=True) == "/bin/x %i"
    assert path_value("/a b/100%") == "/a b/100%%"


@pytest.mark.parametrize(
    ("name", "template", "plain", "file"),
    [
        ("app.service", False, "app.service", "app.service"),
        ("app", False, "app.service", "app.service"),
        ("app@.service", True, "app.service", "app@.service"),
        ("app@", True, "app.service", "app@.service"),
        ("app@a.service", True, "app.service", "app@a.service"),
        ("app@main.service", False, "app.service", "app@main.service"),
        ("app@1.2", False, "app.service", "app@1.2.service"),
        ("my.app", False, "my.app.service", "my.app.service"),
        ("sync.timer", False, "sync.timer.service", "sync.timer"),
    ],
)
def test_what_the_name_of_a_unit_says(name: str, template: bool, plain: str, file: str) -> None:
    assert (is_template(name), plain_name_of(name), unit_file(name)) == (template, plain, file)


def test_names_around_a_unit() -> None:
    assert (instance_of("app@.service", "b"), socket_of("app")) == ("app@b.service", "app.socket")


# ---- a project's own


def test_a_projects_own_template_is_used_and_its_socket_is_the_projects_own_too() -> None:
    """A service that listens by itself would find its port taken by a socket of ours."""
    own = {"mcc/daemon.template": "[Service]\nUser=w\nExecStart={{API_SYMLINK}}/run {{API_PORT}}\n[Install]\n"}
    assert units(WEB, own) == {"shop.service": f"[Service]\nUser=w\nExecStart={BASE}/current-api/run 8000\n[Install]\n"}
    named = {**own, "mcc/shop.service": "[Service]\n# {{DESCRIPTION}}", "mcc/shop.socket": "[Socket]\n"}
    assert units(WEB, named) == {"shop.service": "[Service]\n# shop (prod)\n", "shop.socket": "[Socket]\n"}


def test_each_worker_may_have_a_template_of_its_own_and_the_general_one_is_the_web_services() -> None:
    text = f"{WEB}WORKER_SERVICE_NAME: [one.service, two.service]\nWORKER_COMMAND: python -m w\n"
    own = {"mcc/daemon.template": "web\n", "mcc/two.service": "User=deploy\n# {{WORKER_DESCRIPTION}}\n"}
    made = units(text, own)
    assert (made["shop.service"], made["two.service"]) == ("web\n", "User=deploy\n# shop (prod), worker\n")
    assert "python -m w" in made["one.service"]


def test_only_a_unit_that_says_when_is_started_at_boot() -> None:
    own = {"mcc/shop.service": "[Service]\n"}
    assert [file.enable for file in unit_files(conf(WEB), own)] == [False]
    assert [file.enable for file in unit_files(conf(WEB), {})] == [False, True, True]


def test_one_unit_cannot_speak_of_several_domains() -> None:
    own = {"mcc/daemon.template": "[Service]\n# {{DOMAIN}}\n"}
    assert units(f"{WEB}DOMAIN: a.example\n", own)["shop.service"] == "[Service]\n# a.example\n"
    assert refused(f"{WEB}DOMAINS: [a.example, b.example]\n", own) == (
        "mcc/daemon.template:2: DOMAIN: there are 2 domains, and one file (one unit serves all domains: write the "
        "template without it)"
    )


# ---- what cannot be made


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"{HEAD}SERVICE_NAME: a\n",
            "API_PORT: is missing, and the web service listens on it (such as API_PORT: 8000)",
        ),
        (f"{WEB}APP: main\n", 'APP: found "main" (allowed: module:attribute, such as api.main:app)'),
        (
            f"{WEB}LOG_LEVEL: loud\n",
            'LOG_LEVEL: found "loud" (allowed: critical, error, warning, info, debug, trace)',
        ),
        (
            f"{HEAD}WORKER_SERVICE_NAME: w.service\n",
            "WORKER_COMMAND: is missing, and WORKER_SERVICE_NAME needs it (such as WORKER_COMMAND: python -m "
            "worker.main; or write mcc/w.service, a unit of your own)",
        ),
        (
            f"{HEAD}API_PORT: 1\nSERVICES: [a.service, b.service]\n",
            "SERVICES: only the first is taken for the web service, and b.service is not (write mcc/b.service, a unit "
            "of your own, or name it in WORKER_SERVICE_NAME with a WORKER_COMMAND)",
        ),
        (
            f"{HEAD}API_PORT: 1\nSERVICE_NAME: a@b.service\n",
            "SERVICE_NAME: a@b.service is one slot of a template (name a@.service)",
        ),
        (
            f"{HEAD}API_PORT: 1\nSERVICE_NAME: a.timer\n",
            "SERVICE_NAME: a.timer is no service (write mcc/a.timer, a unit of your own)",
        ),
        (
            "REMOTE_BASE: /srv\nOWNERSHIP: none\nAPI_PORT: 1\nSERVICE_NAME: a\n",
            "DIR_USER: is missing, and the units run as that user (such as DIR_USER: www-data)",
        ),
    ],
)
def test_each_thing_that_is_missing_is_named_with_its_key(text: str, message: str) -> None:
    assert refused(text) == f"conf-prod.yml: {message}"


def test_a_base_too_long_for_a_socket_is_refused() -> None:
    text = HEAD.replace("/live/", f"/{'x' * 90}/") + "SERVICE_NAME: a@.service\n"
    assert "longer than a socket's path may be, 107 bytes (shorten it)" in refused(text)


def test_a_secret_never_gets_into_a_unit() -> None:
    assert refused(f'{WEB}DESCRIPTION: "{{{{env:NAME}}}}"\n').startswith("shop.socket:2: holds a secret (every user")
