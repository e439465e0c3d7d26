"""A project's own steps on a real server: with the deploy user's rights, and undone after the plug was pulled."""

from __future__ import annotations

from box.harness import DEPLOY_USER, until
from box.notes import DOMAINS, Notes, Outputs, reach, rest

HOOKS = '''
import sqlite3
import time

from mcc import App, Context

app = App()


@app.before("cut-over")
def open_gate(context: Context):
    context.remember(gate=str(context.site.data / "gate"))
    context.site.data.mkdir(exist_ok=True)
    (context.site.data / "gate").touch()


@open_gate.undo
def close_gate(context: Context):
    (context.site.data / "closed").write_text(context.facts["gate"])
    (context.site.data / "gate").unlink(missing_ok=True)


@app.after("start")
def look(context: Context):
    worker = context.services.names[-1]
    context.services.restart(worker)
    assert context.services.is_active(worker)
    assert any(worker in line for line in context.services.status(worker))
    for database in context.databases:
        with database.open() as connection:
            count = connection.execute("SELECT count(*) FROM notes").fetchone()
        connection.close()
        context.log(f"{database.name} answers")
    context.run(["python", "-c", "import fastapi, shared.site; print('the release has', fastapi.__name__)"])


@app.after("smoke")
def rest(context: Context):
    context.run(["sh", "-c", "exec sleep $SECONDS_TO_REST"])
'''


def test_hooks_have_the_rights_of_a_deploy_and_are_undone_after_a_reboot(live: Notes, outputs: Outputs) -> None:
    """The service user neither reads nor changes their code, and cron finds it when the machine is back.

    The hook makes ``data/``, for which sudo allows nothing here: that must not stand in the way back.
    """
    site, box = live, live.box
    site.bring(outputs("v2"))
    box.write(f"{site.brought}/mcc_deploy.py", HOOKS, DEPLOY_USER)
    box.write(f"{site.base}/.env", "SECONDS_TO_REST=600\n", DEPLOY_USER)
    running = site.start_deploy_brought("--format", "jsonl")
    reach(running, "smoke", "rest, after smoke")
    (code,) = box.exec(f"ls -d {site.base}/.mcc/hooks/*").stdout.split()
    for words in (f"cat {code}/mcc_deploy.py", f"touch {code}/mcc_deploy.py", f"touch {code}/new", f"rm -rf {code}"):
        assert not box.exec(words, "www-data", check=False).ok, words
    assert site.version() == "2"
    box.exec(["rm", "-rf", site.brought])
    box.reboot()
    rest(running)
    until(lambda: box.exec(["test", "-e", f"{site.base}/data/closed"], check=False).ok, "the undo of the hook")
    site.wait_until_at_rest()
    site.wait_for_version("1")
    assert box.read(f"{site.base}/data/closed") == f"{site.base}/data/gate"
    assert not box.exec(["test", "-e", f"{site.base}/data/gate"], check=False).ok

    box.exec(["rm", "-r", f"{site.base}/data"])
    site.bring(outputs("v2"))
    box.write(f"{site.brought}/mcc_deploy.py", HOOKS, DEPLOY_USER)
    box.write(f"{site.base}/.env", "SECONDS_TO_REST=0\n", DEPLOY_USER)
    done = site.mcc("deploy", "--stage", "prod")
    assert done.code == 0, done
    assert all(f"{domain} answers" in done.stdout for domain in DOMAINS)
    assert "the release has fastapi" in done.stdout
    assert (site.version(), [box.state(unit) for unit in site.units]) == ("2", ["active", "active"])
    left = box.exec(f"ls {site.base}/.mcc/hooks").stdout.split()
    assert left == [site.link("current-api").removeprefix("api/")]
