"""``mcc init``: what it finds, what it writes, what it leaves alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mcc.cli.commands.init import _many_domains
from mcc.core.branches import refusal
from mcc.core.hooks import uses_mcc
from mcc.core.own_script import parts_of
from mcc.core.python_app import applications, health_path
from mcc.errors import UsageError
from mcc.host.commands import RealCommands
from mcc.host.files import RealFiles
from mcc.host.settings import read_conf, read_config
from mcc.init.look import look_at_project
from mcc.init.own import look_at_own
from mcc.init.project import Begun, begin, needs_answers
from mcc.model.conf import DatabaseKind
from mcc.model.project import Answers, Project

EXAMPLES = Path(__file__).parents[2] / "examples"
FASTAPI = "from fastapi import FastAPI\n\napp = FastAPI()\n"


def answers(project: Project, *domains: str, database: DatabaseKind | None = None) -> Answers:
    return Answers(project.name, "server.example.com", "deploy", "/srv", domains, database or project.database)


def looked(folder: Path) -> Project:
    return look_at_project(folder, RealFiles(), RealCommands())


def begun(folder: Path, *domains: str) -> Begun:
    project = looked(folder)
    return begin(project, answers(project, *domains), look_at_own(project, RealFiles()), RealFiles())


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """The example without anything of mcc's."""
    folder = tmp_path / "notes"
    unwanted = ("conf-*.yml", "config.yml", "mcc_*.py", "variants", "deploy", "__pycache__")
    shutil.copytree(EXAMPLES / "notes", folder, ignore=shutil.ignore_patterns(*unwanted))
    return folder


def test_finds_what_a_project_is_made_of(notes: Path) -> None:
    project = looked(notes)
    assert (project.name, project.app, project.worker) == ("notes", "api.main:app", "worker.main")
    assert project.sources == ("api", "shared", "worker")
    assert project.front is not None
    assert project.front.package_manager is None
    assert project.migrations is not None
    assert project.migrations.tool == "sql"
    assert (project.database, project.health) == ("sqlite", "/api/public/health/health")


def test_what_is_written_can_be_read_as_stage_and_conf(notes: Path) -> None:
    begun(notes, "a.example.com", "b.example.com")
    (stage,) = read_config(notes).stages
    conf = read_conf(notes, "conf-prod.yml", site_env=False)
    assert stage.name == "prod"
    assert stage.parameters["conf"] == "conf-prod.yml"
    assert conf.domains == ("a.example.com", "b.example.com")
    assert conf.services.all == ("notes-prod@.service", "notes-prod-worker.service")
    assert (conf.database.kind, str(conf.server.base)) == ("sqlite", "/srv/notes-prod")
    assert conf.warnings == ()


def test_a_second_time_changes_nothing(notes: Path) -> None:
    begun(notes, "a.example.com")
    before = {path: path.read_bytes() for path in notes.rglob("*") if path.is_file()}
    again = begun(notes, "a.example.com")
    assert again.written == ()
    assert {path: path.read_bytes() for path in notes.rglob("*") if path.is_file()} == before


def test_asks_only_if_a_conf_will_be_written(notes: Path) -> None:
    project, files = looked(notes), RealFiles()
    assert needs_answers(look_at_own(project, files), project, files)
    begun(notes)
    assert not needs_answers(look_at_own(project, files), project, files)


def test_takes_the_branch_that_git_is_on_and_no_other(tmp_path: Path) -> None:
    written(tmp_path, {"api/main.py": FASTAPI})
    subprocess.run(["git", "init", "-q", "-b", "release/1.x", str(tmp_path)], check=True)
    begun(tmp_path)
    config = read_config(tmp_path)
    assert refusal(config, config.stages[0], "release/1.x") is None
    assert refusal(config, config.stages[0], "release/12x") is not None


def test_other_folders_than_the_usual_become_components(tmp_path: Path) -> None:
    source = FASTAPI + "import common.db\n"
    files = {"backend/app.py": source, "common/db.py": "", "unrelated/x.py": "", "ui/index.html": ""}
    begun(written(tmp_path, files))
    conf = read_conf(tmp_path, "conf-prod.yml", site_env=False)
    assert conf.components is not None
    assert {component.name: component.sources for component in conf.components} == {
        "api": (("backend", "backend"), ("common", "common")),
        "ui": (("ui", "."),),
    }


def test_modules_without_a_folder_are_built_into_one(tmp_path: Path) -> None:
    begun(written(tmp_path, {"main.py": FASTAPI, "models.py": "", "pyproject.toml": '[project]\nname = "x"\n'}))
    assert "cp main.py models.py output.new/modules/" in (tmp_path / "mcc_build.sh").read_text()
    conf = read_conf(tmp_path, "conf-prod.yml", site_env=False)
    assert conf.components is not None
    assert conf.components[0].sources == (("modules", "."),)


def test_requirements_become_a_pyproject(tmp_path: Path) -> None:
    needed = "fastapi==0.115 # web\nidna==3.7 \\\n    --hash=sha256:aa\n-r more.txt\n"
    notes = begun(written(tmp_path, {"api/main.py": FASTAPI, "requirements.txt": needed})).notes
    left_out = [(note.line, note.text.split(" is ")[0]) for note in notes if note.kind == "line"]
    assert left_out == [(4, "-r more.txt")]
    text = (tmp_path / "pyproject.toml").read_text()
    assert '"fastapi==0.115",' in text
    assert '"uvicorn",' in text
    assert "more.txt" not in text


def test_a_missing_server_is_named(tmp_path: Path) -> None:
    toml = '[project]\nname = "x"\ndependencies = ["fastapi"]\n'
    notes = begun(written(tmp_path, {"api/main.py": FASTAPI, "pyproject.toml": toml})).notes
    assert [note.text for note in notes if note.kind == "line"] == ["lacks what uvicorn needs: uv add uvicorn"]


def test_gunicorn_needs_a_worker_class_for_asgi(tmp_path: Path) -> None:
    toml = '[project]\nname = "x"\ndependencies = ["fastapi", "gunicorn>=23"]\n'
    notes = begun(written(tmp_path, {"api/main.py": FASTAPI, "pyproject.toml": toml})).notes
    assert [note.text for note in notes if note.kind == "line"] == ["lacks what gunicorn needs: uv add uvicorn-worker"]
    assert "APP_SERVER: gunicorn" in (tmp_path / "conf-prod.yml").read_text()


def test_alembic_on_postgresql(tmp_path: Path) -> None:
    toml = '[project]\nname = "x"\ndependencies = ["fastapi", "uvicorn", "alembic", "psycopg[binary]"]\n'
    files = {"api/main.py": FASTAPI, "alembic/env.py": "", "alembic.ini": "", "pyproject.toml": toml}
    begun(written(tmp_path, files))
    text = (tmp_path / "conf-prod.yml").read_text()
    assert "DATABASE: postgresql" in text
    assert "MIGRATION_TOOL: alembic" in text
    assert "MIGRATIONS_DIR: alembic" in text
    assert "cp alembic.ini output.new/" in (tmp_path / "mcc_build.sh").read_text()


def test_an_own_config_without_stages_gets_a_neighbour(tmp_path: Path) -> None:
    begun(written(tmp_path, {"api/main.py": FASTAPI, "config.yml": "debug: true\n"}))
    assert (tmp_path / "config.yml").read_text() == "debug: true\n"
    assert [stage.name for stage in read_config(tmp_path).stages] == ["prod"]
    assert "cp mcc_config.yml" in (tmp_path / "mcc_build.sh").read_text()


@pytest.fixture
def older(notes: Path) -> Path:
    """A project that the specification's own script deploys today."""
    shutil.copy(EXAMPLES / "from-the-specification/mcc_deploy.py", notes)
    for name in ("config.yml", "conf-prod.yml", "conf-dev.yml"):
        shutil.copy(EXAMPLES / "notes" / name, notes)
    return notes


def test_a_project_of_the_older_script_needs_nothing(older: Path) -> None:
    result = begun(older)
    assert {note.kind for note in result.notes} == {"unchanged", "new"}
    assert [file.path for file in result.written] == ["mcc_build.sh"]
    assert (older / "mcc_deploy.py").read_text() == (EXAMPLES / "from-the-specification/mcc_deploy.py").read_text()


def test_what_the_older_script_does_besides_needs_a_hook(older: Path) -> None:
    script = older / "mcc_deploy.py"
    own = 'def warm_up(where):\n    run(["python", "warm.py", where])\n\n\n'
    own += 'def route(stage):\n    if stage == "export":\n        pass\n'
    script.write_text(f"{script.read_text()}\n\n{own}")
    result = begun(older)
    hooks = {note.text.split(":")[0] for note in result.notes if note.kind == "hook"}
    assert hooks == {"warm_up", "export"}
    proposed = (older / "mcc_deploy.py.new").read_text()
    assert uses_mcc(proposed.encode())
    assert '@app.stage("export")' in proposed
    compile(proposed, "mcc_deploy.py.new", "exec")


def test_a_conf_that_lacks_the_line_of_its_database_gets_a_copy_with_it(older: Path) -> None:
    toml = older / "pyproject.toml"
    toml.write_text(toml.read_text().replace('"uvicorn>=0.30",', '"uvicorn>=0.30", "psycopg>=3",'))
    before = (older / "conf-prod.yml").read_text()
    result = begun(older)
    assert any(note.kind == "line" and note.text == "needs DATABASE: postgresql" for note in result.notes)
    assert (older / "conf-prod.yml").read_text() == before
    assert (older / "conf-prod.yml.new").read_text().endswith("\nDATABASE: postgresql\n")


def test_a_broken_conf_is_said_with_its_line(older: Path) -> None:
    conf = older / "conf-prod.yml"
    conf.write_text(conf.read_text().replace("API_PORT: 8000", "API_PORT: lots"))
    found = [note.text for note in begun(older).notes if note.kind == "line"]
    assert len(found) == 1
    assert "API_PORT" in found[0]
    assert "conf-prod.yml:" in found[0]


def test_a_file_is_no_project(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(UsageError, match="not a folder"):
        looked(tmp_path / "x")


def test_a_broken_pyproject_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pyproject\.toml cannot be read"):
        looked(written(tmp_path, {"pyproject.toml": "[project"}))


def run(folder: Path, *words: str, command: str = "init") -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "mcc", command, *words]
    return subprocess.run(program, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_without_a_terminal_nothing_is_asked(notes: Path) -> None:
    done = run(notes, "--domain", "a.example.com")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "conf-prod.yml" in done.stdout
    assert "next" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--domain", "no domain"), "--domain no domain"),
        (("--database", "mysql"), "allowed: sqlite, postgresql, none"),
        (("--user", "root;"), "user who deploys"),
        (("--base", "live"), "--base"),
        (("nowhere",), "is not a folder"),
    ],
)
def test_wrong_words_write_nothing(notes: Path, words: tuple[str, ...], said: str) -> None:
    before = sorted(os.listdir(notes))
    done = run(notes, *words)
    assert done.returncode == 2
    assert said in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert sorted(os.listdir(notes)) == before


def test_an_empty_folder_is_refused_with_the_way_out(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 2
    assert "no application that mcc knows" in done.stderr


def test_the_build_script_makes_an_output_that_a_deploy_takes(tmp_path: Path) -> None:
    """Pages alone: nothing is needed but a shell."""
    written(tmp_path, {"ui/index.html": "<h1>one</h1>"})
    assert run(tmp_path, "--base", str(tmp_path / "live"), "--name", "pages").returncode == 0
    subprocess.run(["./mcc_build.sh"], cwd=tmp_path, check=True, capture_output=True)
    names = sorted(os.listdir(tmp_path / "output"))
    assert names == ["build_info.yml", "conf-prod.yml", "config.yml", "mcc_deploy.py", "ui"]
    checked = run(tmp_path / "output", command="check")
    assert checked.returncode == 0, checked.stdout


def test_what_is_written_passes_the_check_of_a_project(notes: Path) -> None:
    assert run(notes, "--domain", "a.example.com").returncode == 0
    subprocess.run(["git", "init", "-q", "-b", "main", str(notes)], check=True)
    checked = run(notes, command="check")
    assert checked.returncode == 0, checked.stdout


class TestPythonApp:
    def test_annotated_and_qualified_applications_count(self) -> None:
        assert applications("import fastapi\nweb: object = fastapi.FastAPI()\n") == ("web",)

    def test_a_source_that_cannot_be_read_has_none(self) -> None:
        assert applications("def (") == ()

    def test_a_route_of_the_application_itself(self) -> None:
        assert health_path([FASTAPI + '@app.get("/healthz")\ndef h(): ...\n']) == "/healthz"

    def test_a_prefix_that_is_not_written_down_gives_none(self) -> None:
        router = 'r = APIRouter()\n@r.get("/health")\ndef h(): ...\n'
        assert health_path([FASTAPI + "app.include_router(r, prefix=PREFIX)\n", router]) is None

    def test_prefixes_are_joined(self) -> None:
        router = 'r = APIRouter(prefix="/public")\n@r.get("/health")\ndef h(): ...\n'
        assert health_path([FASTAPI + 'app.include_router(r, prefix="/api")\n', router]) == "/api/public/health"


def test_helpers_that_only_run_programs_are_no_parts() -> None:
    assert parts_of("def run(words):\n    subprocess.run(words)\n") == ()


def test_a_message_to_somebody_is_no_smoke_test() -> None:
    """It would be left out in silence; what asks how the site is stays mcc's."""
    tell = "def tell(url):\n    urllib.request.urlopen(url)\n"
    ask = "def wait(url):\n    assert requests.get(url).status_code == 200\n"
    assert [bool(part.by_mcc) for part in parts_of(tell + ask)] == [False, True]


@pytest.mark.parametrize("text", ["a.example.com, b.example.com", "a.example.com b.example.com,"])
def test_domains_may_be_typed_with_commas_or_spaces(text: str) -> None:
    assert _many_domains(text) == ("a.example.com", "b.example.com")
