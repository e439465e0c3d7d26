"""The port ``Hooks``: what is wrong with a ``mcc_deploy.py`` and with a hook is said with the project's own line."""

from __future__ import annotations

import dataclasses
import json
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mcc.core.hooks import uses_mcc
from mcc.errors import ConfigError, StepError
from mcc.host.commands import RealCommands
from mcc.host.hooks.project import RealHooks
from mcc.model.conf import Conf, Server, Services
from mcc.model.database import SqliteDatabase
from mcc.model.hooks import HookCall, ProjectCode
from mcc.runs.hooks import context_file
from postgres_cluster import Fresh

SECRET = "much-secret"
HEAD = "from mcc import App, Context\n\napp = App()\n\n"
F = "def f(context): ..."

BAD = {
    "an unknown step": (
        f'@app.before("migrat")\n{F}',
        r"^mcc_deploy.py:5: there is no step 'migrat' \(did you mean migrate\?; steps: place, venv, .*, prune\)$",
    ),
    "two functions for a stage": (
        f'@app.stage("x")\n{F}\n@app.stage("x")\ndef g(context): ...',
        r"^mcc_deploy.py:7: g and f \(line 5\) are both the stage 'x' \(one function a stage\)$",
    ),
    "two functions of a name": (
        f'@app.before("own")\n{F}\n@app.before("own")\n{F}',
        r"^mcc_deploy.py:7: two functions f stand before own \(give one another name\)$",
    ),
    "an undo behind the commit": (
        f'@app.after("prune")\n{F}\n@f.undo\ndef g(context): ...',
        r"^mcc_deploy.py:5: f has an undo, and stands behind the commit, where nothing is undone \(steps before it: ",
    ),
    "no time": (f'@app.after("own", timeout=0)\n{F}', r"^mcc_deploy.py:5: timeout: found 0 \(allowed: seconds"),
    "a word for a time": (f'@app.after("own", timeout="5")\n{F}', r"^mcc_deploy.py:5: timeout: found '5' \(allowed: "),
    "async": (f'@app.after("own")\nasync {F}', r"^mcc_deploy.py:5: f is no plain function \(def, without async"),
    "syntax": ('@app.after("own")\ndef f(context):\nx = 1', r"^mcc_deploy.py:7: IndentationError: expected an ind"),
    "a failing import": (
        "import nothing_so_named",
        r"^mcc_deploy.py:5: ModuleNotFoundError: .*\(the line: import nothing_so_named; .* is for context.run\)$",
    ),
    "a name that is none": ("x = app.stage + none", r"^mcc_deploy.py:5: NameError: .* \(the line: x = app.stage \+ n"),
    "an error in a file beside it": (
        "import mcc_deploy_bad", r"^mcc_deploy_bad.py:2: ZeroDivisionError: division by zero \(the line: x = 1 / 0\)$",
    ),
    "an end": (
        "import re; raise SystemExit(3)",
        r"^mcc_deploy.py:5: it ended itself while it was read \(SystemExit: 3\) \(.*put what deploys behind if ",
    ),
    "what is left behind": (
        "import shared.text",
        r"^mcc_deploy.py: it imports shared/text.py, which is not kept with it \(name all that it needs: App\(files=",
    ),
    "no App": ("import re; del app", r"^mcc_deploy.py: mcc_deploy.py imports mcc and has no App: app = App\(\)"),
    "two Apps": ("import re; other = App()", r"^mcc_deploy.py: mcc_deploy.py imports mcc and has 2 Apps"),
    "a file outside": ("import re; app = App(files=['../x'])", r"^mcc_deploy.py:5: files: found '../x' \(allow"),
    "one name for a list": ("import re; app = App(files='x')", r"^mcc_deploy.py:5: files: found 'x' \(allow"),
    "a missing file": ("import re; app = App(files=['x.sql'])", r"^mcc_deploy.py: files: there is no x.sql beside it"),
    "gone without a word": (
        "import os; print('last words', flush=True); os._exit(7)",
        r"^mcc_deploy.py: it ended itself while it was read \(exit code 7\) \(last words\)$",
    ),
    "two mistakes": (
        f'@app.after("own", timeout=-1)\n{F}\n@app.before("stat")\ndef g(context): ...',
        r"^mcc_deploy.py:5: timeout: found -1 .*\nmcc_deploy.py:7: there is no step 'stat' \(did you mean start\?",
    ),
}  # fmt: skip


def hooks() -> RealHooks:
    return RealHooks(RealCommands(), {})


def write(folder: Path, text: str) -> Path:
    (folder / "mcc_deploy.py").write_text(HEAD + text + "\n")
    return folder


def read(folder: Path) -> ProjectCode:
    code = hooks().read(folder)
    assert code is not None
    return code


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_with_the_file_is_said_with_its_line(what: str, tmp_path: Path) -> None:
    text, message = BAD[what]
    (tmp_path / "mcc_deploy_bad.py").write_text("\nx = 1 / 0\n")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/text.py").write_text("")
    with pytest.raises(ConfigError) as caught:
        hooks().read(write(tmp_path, text))
    assert re.search(message, caught.value.message), caught.value.message
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert found == ["mcc_deploy.py", "mcc_deploy_bad.py", "shared", "shared/text.py"]


def test_it_is_read_once(tmp_path: Path) -> None:
    port = hooks()
    write(tmp_path, f"import re; open({str(tmp_path / 'count')!r}, 'a').write('x')")
    assert port.read(tmp_path) is port.read(tmp_path)
    assert (tmp_path / "count").read_text() == "x"


def test_a_file_that_never_ends_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcc.host.hooks.project._READING", 0.5)
    with pytest.raises(ConfigError, match=r"did not end within 0\.5 s while it was read"):
        hooks().read(write(tmp_path, "import time; time.sleep(600)"))


def test_one_function_may_stand_at_two_places_and_an_undo_may_follow_it(tmp_path: Path) -> None:
    text = f'@app.before("own")\n@app.after("smoke", timeout=7)\n{F}\n@f.undo\ndef g(context): ...'
    found = [(hook.key, hook.line, hook.timeout, hook.undo) for hook in read(write(tmp_path, text)).hooks]
    assert found == [("after smoke: f", 6, 7.0, True), ("before own: f", 5, 600.0, True)]


def test_a_file_that_can_say_no_hooks_is_not_run_for_them(tmp_path: Path) -> None:
    """As the example's: a deploy is no slower for it."""
    write(tmp_path, "undefined_name\nif __name__ == '__main__':\n    app()")
    assert read(tmp_path) == ProjectCode()


@pytest.mark.parametrize(("text", "ours"), [
    (b"from mcc import App", True),
    (b"try:\n    import mcc.x as y\nexcept ImportError:\n    pass", True),
    (b"import mccabe, mcc_tools\nfrom mcc_x import App", False),
    (b"from . import mcc\nfrom .mcc import App", False),
    (b"'''\nfrom mcc import App\n'''", False),
    (b"from mcc import App\nthis is no Python", True),
    (b"# from mcc import App\nthis is no Python", False),
    (b"\0", False),
    (b"x = '\\d'  # a warning of Python's", False),
])  # fmt: skip
def test_whether_a_script_stands_on_mcc_is_told_without_running_it(text: bytes, ours: bool) -> None:
    assert uses_mcc(text) is ours


# ---- a hook that runs

FAILS = {
    "its own error": ("raise ValueError(context.conf['PASSWORD'])", r"^mcc_deploy.py:7: f: ValueError: \*\*\*$"),
    "a program": (
        'context.run(["sh", "-c", "echo why; exit 4"])',
        r"^mcc_deploy.py:7: f: sh -c echo why; exit 4 ended with exit code 4$",
    ),
    "a secret in an argument": (
        'context.run(["echo", "x" + context.conf["PASSWORD"]])', r"^mcc_deploy.py:7: f: an argument of echo holds a",
    ),
    "no such program": (
        'context.run(["none-so-named"])', r"^mcc_deploy.py:7: f: none-so-named cannot be started: it is not on the P",
    ),
    "its end": ("import os; os._exit(5)", r"^mcc_deploy.py:5: f ended itself with exit code 5$"),
    "no dict": ("return 3", r"^mcc_deploy.py:5: f: f gave back 3; a hook gives back nothing, or a dict of facts$"),
    "no such service": (
        'context.services.restart("web")', r"^mcc_deploy.py:7: f: the conf names no service 'web'$",
    ),
    "no environment yet": (
        'context.release = type("R", (), {"environment": context.output / "none"})()\n    context.run(["python3"])',
        r"^mcc_deploy.py:8: f: the release has no python3 yet$",
    ),
    "a file of the project's": (
        "import mcc_deploy_bad", r"^mcc_deploy_bad.py:2: f: ZeroDivisionError: division by zero$",
    ),
}  # fmt: skip


def call(folder: Path, body: str, site: Path | None = None) -> HookCall:
    """A hook before ``own`` with this body, as a run would call it."""
    (folder / "mcc_deploy_bad.py").write_text("\nx = 1 / 0\n")
    write(folder, f'@app.before("own", timeout=20)\ndef f(context: Context):\n    {body}')
    conf = Conf(
        folder / "conf.yml", Server(site or folder), services=Services("none"),
        values={"PASSWORD": SECRET}, secrets=frozenset({SECRET}),
    )  # fmt: skip
    (told,) = context_file(conf, frozenset(), "prod", {}, folder, (), None, None, None).items()
    (folder / told[0]).write_bytes(told[1])
    return HookCall(read(folder).hooks[0], folder, folder / told[0], folder / "result.json")


def run(asked: HookCall, said: list[str] | None = None) -> Mapping[str, Any]:
    return hooks().run(asked, False, (said if said is not None else []).append)


@pytest.mark.parametrize("what", FAILS)
def test_what_goes_wrong_in_a_hook_is_said_with_its_line(what: str, tmp_path: Path) -> None:
    body, message = FAILS[what]
    with pytest.raises(StepError) as caught:
        run(call(tmp_path, body))
    error = caught.value
    assert re.search(message, error.message), error.message
    assert SECRET not in " ".join((error.message, error.help, *error.log))
    assert not any("mcc/host" in line for line in error.log), error.log


def test_an_answer_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    """As on a disk that is full; no traceback of mcc's own is shown."""
    place = tmp_path / "answers"
    place.mkdir()
    asked = dataclasses.replace(call(tmp_path, f"__import__('shutil').rmtree({str(place)!r})"), result=place / "it")
    with pytest.raises(StepError) as caught:
        run(asked)
    assert caught.value.message == (
        f"mcc_deploy.py:5: f: its answer cannot be written: No such file or directory: {place}/it.answer"
    )
    assert caught.value.log == ()


def test_what_a_hook_gives_back_is_kept_for_its_undo_and_masked_for_all_others(tmp_path: Path) -> None:
    body = (
        "context.remember(a=1); print('a', context.conf['PASSWORD'])\n"
        "    return {'b': context.conf['PASSWORD'], 'c': context.site.base}"
    )
    asked = call(tmp_path, body)
    said: list[str] = []
    assert run(asked, said) == {"b": "***", "c": str(tmp_path)}
    assert said == ["a ***"]
    assert json.loads(asked.result.read_text()) == {"a": 1, "b": SECRET, "c": str(tmp_path)}
    assert asked.result.stat().st_mode & 0o777 == 0o600


def test_what_was_remembered_is_there_although_the_hook_was_killed(tmp_path: Path) -> None:
    asked = call(tmp_path, "import os; context.remember(made='folder'); os.kill(os.getpid(), 9)")
    with pytest.raises(StepError):
        run(asked)
    assert json.loads(asked.result.read_text()) == {"made": "folder"}


def test_lines_of_a_program_come_as_they_are_and_its_streams_can_be_told_apart(tmp_path: Path) -> None:
    body = (
        "done = context.run(['sh', '-c', 'cat; echo err >&2; exit 2'], stdin='in\\n', check=False)\n"
        "    return {'code': done.code, 'out': done.stdout.decode(), 'both': sorted(done.output.split())}"
    )
    said: list[str] = []
    assert run(call(tmp_path, body), said) == {"code": 2, "out": "in\n", "both": ["err", "in"]}
    assert sorted(said) == ["err", "in"]


def test_variables_of_the_site_reach_a_program_and_those_of_mcc_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "src"))
    (tmp_path / ".env").write_text("COLOUR='dark blue'\nOTHER=1\n")
    body = "context.run(['sh', '-c', 'echo $COLOUR $OTHER ${PYTHONPATH:-none}'], env={'OTHER': '2'})"
    said: list[str] = []
    run(call(tmp_path, body), said)
    assert said == ["dark blue 2 none"]


def test_a_database_is_opened_as_the_conf_has_it(tmp_path: Path, postgres: Fresh) -> None:
    """PostgreSQL with the tenant's schema in front; what is written there is there."""
    asked = call(
        tmp_path,
        """
    for database in context.databases:
        connection = database.open()
        with connection.cursor() if database.schema else connection as work:
            work.execute("CREATE TABLE made (a integer)")
        connection.commit()
        connection.close()
    return {"names": [database.name for database in context.databases]}""",
    )
    targets = (postgres.target('T 1"', name='T 1"'), SqliteDatabase("data.db", tmp_path / "data.db"))
    postgres.run('CREATE SCHEMA "T 1"""')
    conf = Conf(tmp_path, Server(tmp_path), services=Services("none"))
    (told,) = context_file(conf, frozenset(), "prod", {}, tmp_path, targets, None, None, None).values()
    asked.context.write_bytes(told)
    assert run(asked) == {"names": ['T 1"', "data.db"]}
    assert postgres.run("SELECT schemaname FROM pg_tables WHERE tablename = 'made'") == [('T 1"',)]
    with closing(sqlite3.connect(tmp_path / "data.db")) as database:
        assert database.execute("SELECT count(*) FROM made").fetchone() == (0,)
