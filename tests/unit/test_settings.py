"""Finding and reading the files of an output folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mcc.errors import ConfigError, MccError
from mcc.host.settings import conf_name, read_base, read_build_info, read_conf, read_config, stage_base
from mcc.model.build import BuildInfo
from mcc.model.conf import Backup, Conf, Ownership, Server, Services
from mcc.model.config import Config, Stage

# These three are the specification's own examples, letter by letter.
CONFIG = """\
deploy:
  prod:
    allow_branches: "^main$"
    auto_branches: "^main$"
    link: "https://myapp.example.com" # optional: shown in MCC UI
    parameters: # free-form: put whatever your deploy script needs
      conf: conf-prod.yml # convention: which conf file to load
      keep_builds: 10 # convention: how many old versions to keep
  dev:
    allow_branches: ".*"
    auto_branches: ".*"
    link: "https://dev.myapp.example.com"
    parameters:
      conf: conf-dev.yml
      keep_builds: 5
  clone-prod-to-dev: # non-deployment stage
    allow_branches: ".*"
    auto_branches: "-" # never auto-trigger
    parameters:
      conf-source: conf-prod.yml
      conf-target: conf-dev.yml
"""
CONF = """\
# Server connection
REMOTE_USER: stenvala
REMOTE_HOST: server.example.com
REMOTE_BASE: /home/stenvala/live/myapp-prod

# File ownership
DIR_USER: www-data # execution user: runs nginx and backend service daemons
DIR_GROUP: stenvala # directory owner: the user who owns /home/stenvala/live

# Services to restart (single service)
SERVICE_NAME: myapp-prod.service

# Or multiple services
# SERVICES:
#   - myapp-prod-api.service
#   - myapp-prod-worker.service

# Stage identifier
STAGE: prod
API_PORT: 8000
WORKERS: 4

# Domain configuration (multi-tenant)
DOMAINS:
  - app.example.com
  - app.client2.com

# Or single-tenant (no DOMAINS key, or empty)
# DOMAINS: []

# Backup configuration (optional)
BACKUP_ENABLED: true
BACKUP_PATH: "{{REMOTE_BASE}}/backups"
BACKUP_RETENTION_DAILY: 7
BACKUP_RETENTION_WEEKLY: 4
"""
BUILD_INFO = """\
build_number: 18
timestamp:
  start: 1772174260
  end: null
branch: main
commit_sha: 5807d5d45623363cc93902b99bb0a0991c77d8df
committer:
  name: Jane Doe
  email: jane@example.com
  commit_message: Some git commit message
"""
SMALL = "REMOTE_BASE: {base}\nOWNERSHIP: none\n"


def put(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name.replace('__', '-')}.yml").write_text(text)
    return folder


def refusal(error: pytest.ExceptionInfo[ConfigError]) -> str:
    return str(error.value)


def test_the_specifications_config_is_read(tmp_path: Path) -> None:
    put(tmp_path, config=CONFIG)
    assert read_config(tmp_path) == Config(
        tmp_path / "config.yml",
        (
            Stage(
                "prod",
                "^main$",
                "^main$",
                "https://myapp.example.com",
                {"conf": "conf-prod.yml", "keep_builds": 10},
                line=2,
            ),
            Stage(
                "dev",
                ".*",
                ".*",
                "https://dev.myapp.example.com",
                {"conf": "conf-dev.yml", "keep_builds": 5},
                line=9,
            ),
            Stage(
                "clone-prod-to-dev",
                ".*",
                "-",
                None,
                {"conf-source": "conf-prod.yml", "conf-target": "conf-dev.yml"},
                line=16,
            ),
        ),
    )


def test_the_specifications_conf_is_read(tmp_path: Path) -> None:
    put(tmp_path, conf__prod=CONF)
    base = "/home/stenvala/live/myapp-prod"
    conf = read_conf(tmp_path, "conf-prod.yml")
    assert conf == Conf(
        path=tmp_path / "conf-prod.yml",
        server=Server(Path(base), "stenvala", ("server.example.com",), 22),
        stage="prod",
        ownership=Ownership("sudo", "www-data", "stenvala"),
        services=Services(names=("myapp-prod.service",)),
        api_port=8000,
        domains=("app.example.com", "app.client2.com"),
        backup=Backup(enabled=True, path=f"{base}/backups", daily=7, weekly=4),
        values=conf.values,
    )
    assert conf.values["BACKUP_PATH"] == f"{base}/backups"
    assert conf.values["WORKERS"] == 4


def test_the_specifications_build_info_is_read(tmp_path: Path) -> None:
    put(tmp_path, build_info=BUILD_INFO)
    info = read_build_info(tmp_path)
    assert info == BuildInfo(
        18, "main", "5807d5d45623363cc93902b99bb0a0991c77d8df", "Jane Doe", "Some git commit message"
    )


def test_an_output_without_build_info_is_fine(tmp_path: Path) -> None:
    assert read_build_info(tmp_path) is None


def test_a_commit_or_branch_that_looks_like_a_number_is_kept_letter_by_letter(tmp_path: Path) -> None:
    put(tmp_path, build_info="branch: 1.10\ncommit_sha: 0012e45\nbuild_number: '7'\ncommitter:\n  name: No\n")
    assert read_build_info(tmp_path) == BuildInfo(7, "1.10", "0012e45", "No")


def test_a_build_info_of_the_wrong_form_is_refused_with_all_its_lines(tmp_path: Path) -> None:
    put(tmp_path, build_info="build_number: x\nbranch: [main]\n")
    with pytest.raises(ConfigError) as error:
        read_build_info(tmp_path)
    assert refusal(error).splitlines() == [
        'build_info.yml:1: build_number: found "x" (allowed: a whole number, 0 or more)',
        "build_info.yml:2: branch: found a list (allowed: text)",
    ]


STAGE = "deploy:\n  {name}:\n    parameters: {{conf: conf-prod.yml}}\n"


def test_the_longer_name_wins_in_a_folder_and_the_output_wins_over_its_mcc_folder(tmp_path: Path) -> None:
    put(tmp_path / "mcc", config=STAGE.format(name="four"))
    assert read_config(tmp_path).stages[0].name == "four"
    put(tmp_path / "mcc", mcc_config=STAGE.format(name="three"))
    assert read_config(tmp_path).stages[0].name == "three"
    put(tmp_path, config=STAGE.format(name="two"))
    assert read_config(tmp_path).stages[0].name == "two"
    put(tmp_path, mcc_config=STAGE.format(name="one"))
    assert read_config(tmp_path).stages[0].name == "one"


def test_a_conf_may_lie_in_mcc_and_messages_name_it_so(tmp_path: Path) -> None:
    put(tmp_path / "mcc", conf__prod="REMOTE_BASE: relative\nOWNERSHIP: none\n")
    with pytest.raises(ConfigError) as error:
        read_conf(tmp_path, "conf-prod.yml")
    assert refusal(error).startswith('mcc/conf-prod.yml:1: REMOTE_BASE: found "relative"')


def test_what_is_missing_is_named_with_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        read_config(tmp_path)
    assert "config.yml: is missing" in refusal(error)
    put(tmp_path, conf__prod=CONF, config=CONFIG)
    with pytest.raises(ConfigError) as error:
        read_conf(tmp_path, "conf-pord.yml")
    assert "conf-pord.yml: is missing (did you mean conf-prod.yml?; there is: conf-prod.yml;" in refusal(error)


@pytest.mark.parametrize("name", ["../conf.yml", "/etc/passwd", ".", "a\nb"])
def test_a_conf_outside_of_the_output_is_refused(tmp_path: Path, name: str) -> None:
    for read in (read_conf, read_base):
        with pytest.raises(ConfigError):
            read(tmp_path, name)


def test_variables_come_from_the_process_then_from_the_sites_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "site"
    base.mkdir()
    (base / ".env").write_text("IN_SITE=from-site\nIN_BOTH=from-site\n")
    monkeypatch.setenv("IN_BOTH", "from-process")
    put(tmp_path, conf=SMALL.format(base=base) + 'A: "{{env:IN_SITE}}"\nB: "{{env:IN_BOTH}}"\n')
    conf = read_conf(tmp_path, "conf.yml")
    assert (conf.values["A"], conf.values["B"]) == ("from-site", "from-process")
    assert conf.secrets == {"from-site", "from-process"}
    with pytest.raises(ConfigError) as error:
        read_conf(tmp_path, "conf.yml", site_env=False)
    assert refusal(error) == (
        "conf.yml:3: A: found {{env:IN_SITE}}, but IN_SITE is not set (add it to the environment)"
    )


def test_a_file_gives_its_text_without_the_last_line_end(tmp_path: Path) -> None:
    base = tmp_path / "site"
    put(base)
    (base / "token").write_text("line 1\nline 2\n")
    (tmp_path / "other").write_text("elsewhere\n")
    put(tmp_path, conf=SMALL.format(base=base) + f'A: "{{{{file:token}}}}"\nB: "{{{{file:{tmp_path}/other}}}}"\n')
    conf = read_conf(tmp_path, "conf.yml")
    assert (conf.values["A"], conf.values["B"]) == ("line 1\nline 2", "elsewhere")
    assert conf.secrets == {"line 1\nline 2", "elsewhere"}


def test_a_file_that_cannot_be_had_is_said_with_its_line(tmp_path: Path) -> None:
    base = tmp_path / "site"
    put(base / "data")
    (tmp_path / "other").write_text("elsewhere")
    (base / "out").symlink_to(tmp_path / "other")
    (base / "loop").symlink_to("loop")
    (base / "bytes").write_bytes(b"\xff")
    paths = ("none", "../other", "out", "loop", "data", "bytes")
    lines = [f'K{n}: "{{{{file:{path}}}}}"\n' for n, path in enumerate(paths)]
    put(tmp_path, conf=SMALL.format(base=base) + "".join(lines))
    with pytest.raises(ConfigError) as error:
        read_conf(tmp_path, "conf.yml")
    said = refusal(error).splitlines()
    assert len(said) == len(paths)
    assert f"conf.yml:3: K0: found {{{{file:none}}}}, but {base}/none cannot be read: No such file" in said[0]
    for line, words in zip(said[1:], ("without ..", "leads out of", "", "is no file", "not UTF-8"), strict=True):
        assert words in line


def test_the_base_alone_is_read_with_its_placeholders_and_without_pydantic(tmp_path: Path) -> None:
    put(tmp_path, config=STAGE.format(name="prod"))
    put(tmp_path, conf__prod='REMOTE_BASE: "/srv//{{STAGE}}/"\nSTAGE: live\nAPI_PORT: nonsense\n')
    assert read_base(tmp_path, "conf-prod.yml") == Path("/srv/live")
    program = (
        "import sys; from pathlib import Path; from mcc.host.settings import stage_base\n"
        f"print(stage_base(Path({str(tmp_path)!r}), 'prod')); assert 'pydantic' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "/srv/live\n", done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A: 1\n", "conf.yml: REMOTE_BASE: is missing (allowed: the absolute path of the site)"),
        ("REMOTE_BASE: 7\n", "conf.yml:1: REMOTE_BASE: found 7 (allowed: an absolute path such as"),
        (
            'REMOTE_BASE: "/x/{{env:HOME}}"\n',
            "conf.yml:1: REMOTE_BASE: found {{env:HOME}} (REMOTE_BASE must stand in the file itself)",
        ),
        ('REMOTE_BASE: "{{A}}"\nA: "{{REMOTE_BASE}}"\n', "conf.yml:1: REMOTE_BASE: stands for itself"),
    ],
)
def test_a_base_that_cannot_be_read_alone_is_said_the_same_way(tmp_path: Path, text: str, message: str) -> None:
    put(tmp_path, conf=text)
    with pytest.raises(ConfigError) as error:
        read_base(tmp_path, "conf.yml")
    assert refusal(error).startswith(message)


def test_a_stage_that_is_not_there_is_said_with_those_that_are(tmp_path: Path) -> None:
    put(tmp_path, config=CONFIG)
    with pytest.raises(MccError) as error:
        stage_base(tmp_path, "prd")
    assert str(error.value) == "config.yml has no stage prd"
    assert error.value.help == "did you mean prod?; stages: prod, dev, clone-prod-to-dev"


def test_a_stage_names_its_conf_and_conf_yml_is_the_default() -> None:
    assert conf_name(Stage("prod", parameters={"conf": "conf-x.yml"})) == "conf-x.yml"
    assert conf_name(Stage("prod")) == "conf.yml"
