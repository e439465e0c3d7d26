"""The specification's own script in a box: a project's ``uv run --frozen mcc_deploy.py``."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from box.harness import DEPLOY_USER, SPEC_PATHS, Result, spec_sudoers
from box.layers import CHECKOUT
from box.notes import DOMAINS, Notes

SCRIPT = CHECKOUT / "examples/from-the-specification/mcc_deploy.py"
# requests has authorities of its own, and this server's is private.
TRUST = {"REQUESTS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt"}

_OPENS = """
import json, sys, time
paths, counts, failed = sys.argv[2:], 0, []
while True:
    try:
        with open(sys.argv[1]):
            break
    except OSError:
        pass
    for path in paths:
        try:
            open(path, "rb").close()
        except OSError as error:
            failed.append([time.time(), path, str(error)])
        counts += 1
print(json.dumps({"opens": counts, "failed": failed[:20], "failures": len(failed)}))
"""


def with_script(output: Path, folder: Path) -> Path:
    """A copy of an output, with the script in the place of the file that stands on mcc.

    It waits three seconds behind a restart instead of five: nothing else is changed.
    """
    shutil.copytree(output, folder)
    text = SCRIPT.read_text()
    assert text.count("time.sleep(5)") == 1
    (folder / SCRIPT.name).write_text(text.replace("time.sleep(5)", "time.sleep(3)"))
    return folder


def allow(site: Notes) -> None:
    """The script sets the owner of .venv too."""
    site.box.sudoers(spec_sudoers(site.base, site.units, paths=(*SPEC_PATHS, ".venv")))


def by_hand(site: Notes) -> None:
    """What whoever used the script had to make once."""
    folders = ["logs", *(f"domains/{domain}" for domain in DOMAINS)]
    site.box.exec(["mkdir", "-p", *(f"{site.base}/{folder}" for folder in folders)], DEPLOY_USER)
    site.box.exec(["chown", "-R", "www-data", f"{site.base}/logs", f"{site.base}/domains"])
    site.box.exec(["chmod", "-R", "g+w", f"{site.base}/logs", f"{site.base}/domains"])


def run_script(site: Notes, output: Path, **conf: str) -> Result:
    """As its project does: it imports typer, yaml and requests from the environment of the output folder."""
    at = site.bring(output, conf=conf)
    words = ["uv", "run", "--frozen", "mcc_deploy.py", "--stage", "prod"]
    return site.box.exec(words, DEPLOY_USER, cwd=at, env=TRUST, check=False)


@dataclass(slots=True)
class Opened:
    """How many opens there were, and those that failed."""

    opens: int = 0
    failures: int = 0
    failed: list[object] = field(default_factory=list)


@contextlib.contextmanager
def opening(site: Notes, *paths: str) -> Iterator[Opened]:
    """Meanwhile a process of the service user opens these files of the site, one after the other, without a pause.

    It takes what others leave: two processors are enough for all that goes on in a box.
    """
    opened, stop = Opened(), "/run/stop-opening"
    site.box.exec(["rm", "-f", stop])
    words = ["nice", "-n", "10", "python3", "-c", _OPENS, stop, *(f"{site.base}/{path}" for path in paths)]
    running = site.box.spawn(words, "www-data")
    try:
        yield opened
    finally:
        site.box.exec(["touch", stop])
        told = json.loads(running.wait().stdout)
        opened.opens, opened.failures, opened.failed = told["opens"], told["failures"], told["failed"]
