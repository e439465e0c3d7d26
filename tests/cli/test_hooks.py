"""A project's own steps and stages in real child processes: what they get, how they fail, how they are ended."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path
from types import ModuleType

import pytest

from cli.ground import Ground, children, is_one_message, wait_for
from mcc.host.hooks import child

SECRET = "much-secret"
TOKEN = "t0ken-of-the-site"
SCRIPT = (sys.executable, "mcc_deploy.py")
HEAD = """\
from mcc import App, Context

app = App()
"""
END = """\

if __name__ == "__main__":
    app()
"""


def script(ground: Ground, *functions: str, head: str = HEAD) -> None:
    ground.write("mcc_deploy.py", "\n\n".join([head, *functions, END]))


@pytest.fixture
def project(live: Ground) -> Ground:
    """The release ``one`` is live; ``two`` has an environment, a secret and a variable."""
    live.python()
    live.conf(f"DB_PASSWORD: {SECRET}", "GREETING: hello {{STAGE}}", "STAGE: prod")
    (live.site / ".env").write_text(f"COLOUR=blue\nAPI_TOKEN={TOKEN}\n")
    return live


# ---- what a hook gets

WHOLE = '''
@app.before("migrate")
def before_migrate(context: Context) -> dict[str, object]:
    """What the context says."""
    import os
    context.log(f"password {context.conf['DB_PASSWORD']}")
    context.log(f"{context.conf['GREETING']} in {context.step} of {context.stage}, {context.build}")
    assert "PYTHONPATH" not in os.environ
    where = context.run(["python", "-c", "import os, sys; print(os.getcwd(), sys.prefix, os.environ['COLOUR'])"])
    assert where.stdout.decode().split() == [
        str(context.release.home), str(context.release.environment), "blue"
    ], where.stdout
    assert context.release.folders["ui"].parent == context.site.base / "ui"
    assert (context.site.base / "current-ui").resolve().name == context.previous.name
    assert context.output.name == "output"
    assert context.run(["sh", "-c", "echo token $API_TOKEN; exit 3"], check=False).code == 3
    (database,) = context.databases
    assert database.url == f"sqlite:///{context.site.base}/data.db"
    with database.open() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS made (by TEXT)")
    connection.close()
    return {"greeting": context.conf["GREETING"], "told": context.conf["DB_PASSWORD"]}


@app.after("start")
def last_thing(context: Context) -> None:
    context.run(["cat"], stdin="from " + "standard input\\n")
    assert context.services.names == ()
'''


@pytest.mark.parametrize("way", ["mcc deploy", "mcc_deploy.py"])
def test_a_hook_gets_what_it_needs_and_its_secrets_are_shown_to_nobody(way: str, project: Ground) -> None:
    script(project, WHOLE)
    words = ("--stage", "prod")
    done = project.run("deploy", *words) if way == "mcc deploy" else project.run(*words, program=SCRIPT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hello prod in before migrate of prod, build #7 from main @ c0ffee00" in done.stdout
    assert "password ***" in done.stdout
    assert "token ***" in done.stdout
    assert "greeting: hello prod" in done.stdout
    assert "from standard input" in done.stdout
    assert re.search(r"migrate +before_migrate, before migrate \(mcc_deploy.py:\d+\)", done.stdout)
    assert not any(secret in done.stdout + done.stderr for secret in (SECRET, TOKEN))
    kept = [path for path in (project.site / ".mcc").rglob("*") if path.is_file() and "/lib/" not in str(path)]
    assert [path.parent.name for path in kept if SECRET.encode() in path.read_bytes()] == ["conf"]
    (record,) = [path for path in (project.site / ".mcc/runs").iterdir() if "before_migrate.told" in path.read_text()]
    assert '"before_migrate.told": "***"' in record.read_text()


def test_a_plan_shows_the_hooks_and_changes_nothing(project: Ground) -> None:
    script(project, WHOLE)
    before = project.traces()
    done = project.deploy("--plan", "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    steps = [(step["phase"], step["title"]) for step in json.loads(done.stdout)["steps"] if step["kind"] == "RunHook"]
    assert [phase for phase, _ in steps] == ["migrate", "start"]
    assert steps[1][1].startswith("last_thing, after start (mcc_deploy.py:")
    assert project.traces() == before
    assert not (project.output / "__pycache__").exists()


def test_files_that_hooks_need_are_kept_with_them(project: Ground) -> None:
    """Those that are named, or else those whose names begin as the script's does; nothing is read from the output."""
    body = '''
@app.before("cut-over")
def use(context):
    import shutil
    shutil.rmtree(context.output)
    {use}
'''
    project.write("mcc_deploy/__init__.py", "")
    project.write("mcc_deploy/text.py", "TEXT = 'from the folder'\n")
    project.write("mcc_deploy_more.py", "TEXT = 'from beside it'\n")
    project.write("extra/sql/x.sql", "SELECT 1\n")
    saved = project.folder / "saved"
    shutil.copytree(project.output, saved)
    use = "from mcc_deploy.text import TEXT; import mcc_deploy_more; context.log(TEXT + mcc_deploy_more.TEXT)"
    script(project, body.format(use=use.replace("; ", "\n    ")))
    done = project.deploy()
    assert "from the folderfrom beside it" in done.stdout, done.stdout
    shutil.rmtree(project.output, ignore_errors=True)
    shutil.copytree(saved, project.output)
    use = "from pathlib import Path; context.log(Path(__file__).with_name('extra').joinpath('sql/x.sql').read_text())"
    head = HEAD.replace("App()", 'App(files=["extra"])')
    script(project, body.format(use=use.replace("; ", "\n    ")), head=head)
    done = project.deploy()
    assert "SELECT 1" in done.stdout, done.stdout
    newest = max((project.site / ".mcc/hooks").iterdir())
    assert sorted(path.name for path in newest.iterdir()) == ["extra", "mcc_deploy.py"]
    assert newest.stat().st_mode & 0o777 == 0o700


@pytest.mark.slow
def test_an_app_that_is_called_without_a_guard_deploys_once(project: Ground) -> None:
    project.write("mcc_deploy.py", f"{HEAD}\napp.before('own')(lambda context: print('once'))\napp()\n")
    done = project.run("--stage", "prod", program=SCRIPT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("once") == 1


# ---- what is wrong is said before anything begins

def test_what_is_wrong_with_the_file_is_said_at_once_and_nothing_begins(project: Ground) -> None:
    """Each kind of mistake is tried with the port itself, beside the other contracts."""
    script(project, '@app.before("migrat")\ndef f(context): ...', '@app.after("own", timeout=-1)\ndef g(context): ...')
    before = project.traces()
    done = project.deploy()
    assert (done.returncode, done.stdout) == (2, "")
    assert is_one_message(done.stderr)
    assert re.search(r"mcc_deploy.py:\d+: there is no step 'migrat' \(did you mean migrate\?", done.stderr)
    assert re.search(r"mcc_deploy.py:\d+: timeout: found -1", done.stderr)
    script(project, '@app.stage("prd")\ndef f(context): ...')
    done = project.deploy()
    assert (done.returncode, done.stdout) == (2, "")
    message = r"mcc: mcc_deploy.py:\d+: config.yml has no stage 'prd' \(did you mean prod\?; stages: prod\)"
    assert re.search(message, done.stderr)
    script(project, "class")
    assert project.deploy("--plan").returncode == 2
    (project.output / "mcc_deploy.py").unlink()
    assert project.traces().keys() == before.keys() - {str(project.output / "mcc_deploy.py")}


def test_what_recovery_will_not_have_is_warned_of(project: Ground) -> None:
    """A package that is installed beside the deploying mcc only."""
    function = '@app.before("own", undo=lambda context: None)\ndef f(context): ...'
    script(project, function, head=f"import pytest, urllib3\n{HEAD}")
    done = project.deploy("--plan")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "warning" in line and "imports" in line]
    assert re.search(r"mcc_deploy.py imports .*\bpytest\b", line)
    assert "urllib3" not in line


def test_what_python_itself_begins_with_is_no_import_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's Python loads a sitecustomize of its own, everywhere."""
    debian = ModuleType("sitecustomize")
    debian.__file__ = "/usr/lib/python3.11/sitecustomize.py"
    monkeypatch.setitem(sys.modules, "sitecustomize", debian)
    monkeypatch.setattr(sys, "path", list(sys.path))
    function = '@app.before("own", undo=lambda context: None)\ndef f(context): ...'
    (tmp_path / "mcc_deploy.py").write_text(f"{HEAD}{function}\n")
    said = child._read(tmp_path)
    assert (said["problems"], said["warnings"]) == ([], [])


# ---- what goes wrong in a hook

FAILING = '''
@app.before("migrate")
def make(context: Context) -> None:
    (context.site.base / "made").mkdir()
    context.remember(folder=str(context.site.base / "made"))


@make.undo
def take_away(context: Context) -> None:
    import shutil
    context.log(f"taking away {context.facts}")
    shutil.rmtree(context.facts["folder"], ignore_errors=True)


def helper(context):
    raise ValueError(f"no luck with {context.conf['DB_PASSWORD']}")


@app.after("cut-over")
def fails(context: Context) -> None:
    helper(context)
'''


def test_an_error_is_shown_with_the_projects_own_line_and_all_is_undone(project: Ground) -> None:
    script(project, FAILING)
    done = project.deploy()
    assert done.returncode == 1
    assert re.search(r"FAILED +mcc_deploy.py:21: fails: ValueError: no luck with \*\*\*", done.stdout), done.stdout
    assert "| mcc_deploy.py:26, in fails: helper(context)" in done.stdout
    assert "| mcc_deploy.py:21, in helper: raise ValueError" in done.stdout
    assert f"taking away {{'folder': '{project.site}/made'}}" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert not (project.site / "made").exists()
    assert project.page() == "<h1>one</h1>\n"
    assert project.journals() == []


HANGING = '''
import os, pathlib, subprocess, time

@app.before("migrate", timeout={timeout})
def hang(context: Context) -> None:
    pathlib.Path({began!r} + ".new").write_text(str(os.getpid()))
    child = subprocess.Popen(["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"], stdout=subprocess.PIPE)
    child.stdout.readline()
    context.remember(child=child.pid, me=os.getpid())
    os.rename({began!r} + ".new", {began!r})
    context.run(["sleep", "600"])


@hang.undo
def unhang(context: Context) -> None:
    context.log(f"unhung {{context.facts}} with {{context.conf['DB_PASSWORD']}}")
    with open({began!r} + ".undone", "a") as file:
        file.write("undone\\n")
'''


def hanging(project: Ground, timeout: float) -> Path:
    began = project.folder / "began"
    script(project, HANGING.format(timeout=timeout, began=str(began)))
    return began


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def remembered(text: str) -> list[int]:
    match = re.search(r"unhung \{'child': (\d+), 'me': (\d+)\}", text)
    assert match, text
    return [int(each) for each in match.groups()]


def test_a_hook_that_hangs_is_ended_with_all_that_it_started_and_undone(project: Ground) -> None:
    """Also what pays no attention to SIGTERM."""
    hanging(project, 1.5)
    done = project.deploy()
    assert done.returncode == 1
    assert re.search(r"mcc_deploy.py:9: hang did not end within 1.5 s and was ended", done.stdout), done.stdout
    assert "timeout=SECONDS" in done.stdout
    wait_for(lambda: not any(is_there(pid) for pid in remembered(done.stdout)))
    assert project.journals() == []


def test_ctrl_c_ends_a_hook_and_undoes_it(project: Ground) -> None:
    began = hanging(project, 600)
    with project.start() as running:
        wait_for(began.exists)
        os.kill(running.guardian, signal.SIGINT)
        done = running.end()
    assert done.returncode == 1
    assert "interrupted by Ctrl-C" in done.stdout
    wait_for(lambda: not any(is_there(pid) for pid in remembered(done.stdout)))


def test_killed_with_everything_a_hook_is_undone_later_by_the_sites_own_mcc(project: Ground) -> None:
    """Without the output folder, whose code may be another by then."""
    began = hanging(project, 600)
    with project.start() as running:
        wait_for(began.exists)
        hook = int(began.read_text())
        for pid in (running.guardian, running.runner, hook, *children(hook)):
            os.kill(pid, signal.SIGKILL)
        running.end()
    shutil.rmtree(project.output)
    project.output.mkdir()
    own = (str(project.site / ".mcc/bin/mcc"),)
    done = project.run("recover", "--site", str(project.site), program=own)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "undoing the run" in done.stdout
    remembered(done.stdout)
    assert "with ***" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    assert Path(f"{began}.undone").read_text() == "undone\n"
    assert project.journals() == []
    assert project.page() == "<h1>one</h1>\n"


@pytest.mark.slow
def test_if_the_deploying_process_alone_is_killed_the_hook_is_ended_and_undone_at_once(project: Ground) -> None:
    began = hanging(project, 600)
    with project.start() as running:
        wait_for(began.exists)
        os.kill(running.runner, signal.SIGKILL)
        done = running.end()
    assert done.returncode == 1
    assert not any(is_there(pid) for pid in remembered(done.stdout))
    assert Path(f"{began}.undone").read_text() == "undone\n"
    assert project.journals() == []


@pytest.mark.slow
def test_a_program_of_a_hook_that_outlives_its_run_holds_the_site(project: Ground) -> None:
    """Nobody may go on while it writes."""
    began = hanging(project, 600)
    with project.start() as running:
        wait_for(began.exists)
        hook = int(began.read_text())
        wait_for(lambda: len(children(hook)) == 2)
        (sleep,) = [pid for pid in children(hook) if b"600" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        others = [pid for pid in children(hook) if pid != sleep]
        for pid in (running.guardian, running.runner, hook, *others):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not is_there(hook))
        held = project.deploy()
        os.kill(sleep, signal.SIGKILL)
        wait_for(lambda: not is_there(sleep))
    assert held.returncode == 4, held.stdout + held.stderr
    assert project.run("recover", "--site", str(project.site)).returncode == 0
    assert Path(f"{began}.undone").exists()


# ---- stages

STAGES = '''
@app.stage("reset-prod")
def wipe(context: Context) -> dict[str, object]:
    context.log(f"{context.step}: {context.parameters['what']} of {context.release.name}")
    (context.site.base / "wiped").touch()
    return {"wiped": 3}
'''


def test_a_stage_of_the_projects_own_wins_over_the_meaning_of_its_name(project: Ground) -> None:
    script(project, STAGES)
    stage = '  reset-prod:\n    allow_branches: "{}"\n    parameters: {{ conf: conf-prod.yml, what: nothing }}\n'
    config = (project.output / "config.yml").read_text()
    project.write("config.yml", config + stage.format("^main$"))
    live = project.ledger()[-1]["name"]
    planned = project.run("deploy", "--stage", "reset-prod", "--plan")
    assert planned.returncode == 0, planned.stderr
    assert re.search(r"run +wipe, stage reset-prod \(mcc_deploy.py:\d+\)", planned.stdout)
    assert not (project.site / "wiped").exists()
    done = project.run("--stage", "reset-prod", "--param", "what=all", program=SCRIPT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"stage reset-prod: all of {live}" in done.stdout
    assert "databases: as wipe left them" in done.stdout
    assert (project.site / "wiped").exists()
    assert [line["event"] for line in project.ledger()] == ["live"]
    assert project.journals() == []
    records = [path.read_text() for path in (project.site / ".mcc/runs").iterdir()]
    assert any('"action": "reset-prod"' in text and '"wipe.wiped": 3' in text for text in records)
    project.write("config.yml", config + stage.format("^other$"))
    refused = project.run("deploy", "--stage", "reset-prod")
    assert refused.returncode == 2
    assert is_one_message(refused.stderr)


# ---- what is left alone


@pytest.mark.parametrize("text", [
    "import mccabe\nraise SystemExit('imported')\n",
    pytest.param("from . import mcc\nraise SystemExit('imported')\n", marks=pytest.mark.slow),
    pytest.param("# from mcc import App\nthis is no Python\n", marks=pytest.mark.slow),
])  # fmt: skip
def test_a_script_that_does_not_import_mcc_is_never_run(text: str, project: Ground) -> None:
    project.write("mcc_deploy.py", text)
    done = project.good("--plan")
    assert "warning   mcc_deploy.py is a script of the project's own, and is not run" in done.stdout


def test_other_commands_run_no_hooks(project: Ground) -> None:
    script(project, WHOLE, STAGES.replace("reset-prod", "prod"))
    done = project.run("migrate", "--stage", "prod", "--status")
    assert "mcc_deploy.py" not in done.stdout + done.stderr
