"""A site that stands on the units and the nginx site of ``mcc provision``: texts from the code, the rest by hand.

The application is plain ASGI, so that it says what a request brought, streams, and tries what it may not do.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from box.harness import CERTIFICATE, DEPLOY_HOME, DEPLOY_USER, SITES, Box, Page
from mcc.core.conf.placeholders import fill
from mcc.core.conf.values import to_conf
from mcc.host.yaml import parse
from mcc.model.conf import Conf
from mcc.provision.nginx.site import nginx_files
from mcc.provision.units.files import unit_files
from mcc.provision.wanted import File

BASE = f"{SITES}/shop"
DOMAINS = ("app.box.test", "client.box.test")
HEALTH = "/api/public/health/health"
PYTHON = f"{DEPLOY_HOME}/.local/share/uv/python/cpython-3.11-linux-x86_64-gnu"
CONF = f"""\
REMOTE_BASE: {BASE}
REMOTE_USER: {DEPLOY_USER}
DIR_USER: www-data
DIR_GROUP: {DEPLOY_USER}
STAGE: prod
API_PORT: 8000
TLS: files
TLS_CERTIFICATE: {CERTIFICATE[0]}
TLS_KEY: {CERTIFICATE[1]}
"""
ONE = f"""\
{CONF}SERVICE_NAME: shop.service
WORKER_SERVICE_NAME: shop-worker.service
WORKER_COMMAND: python -m worker.main
DOMAINS: [{", ".join(DOMAINS)}]
MAINTENANCE_RETRY_AFTER: 77
MAINTENANCE_ALLOW: 127.0.0.1
"""

PROJECT = """\
[project]
name = "shop"
version = "1"
requires-python = ">=3.11"
dependencies = ["gunicorn>=23", "uvicorn>=0.30", "uvicorn-worker>=0.3", "websockets>=13"]

[tool.uv]
package = false
"""

APP = '''
"""Answers with what it sees; waits where a test says when to go on."""
import asyncio, json, os, pathlib, sqlite3, sys

go = asyncio.Event()

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"].rpartition(".")[2]
            await send({"type": f"lifespan.{kind}.complete"})
            if kind == "shutdown":
                return
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": f"you said {message['text']}"})
    elif scope["path"].endswith("/events"):
        await events(send)
    else:
        body = b""
        while (part := await receive()).get("more_body"):
            body += part["body"]
        answer = ANSWERS[scope["path"].rpartition("/")[2]](scope)
        await start(send, "application/json")
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

async def start(send, kind):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind.encode())]})

async def events(send):
    go.clear()
    await start(send, "text/event-stream")
    for number in (1, 2):
        await send({"type": "http.response.body", "body": b"data: %d\\n\\n" % number, "more_body": True})
        await go.wait()
    await send({"type": "http.response.body", "body": b""})

def headers(scope):
    return {name.decode(): value.decode() for name, value in scope["headers"]} | {
        "client": scope["client"] and scope["client"][0], "scheme": scope["scheme"]}

def note(scope):
    domain = headers(scope)["x-domain"]
    with sqlite3.connect(f"{BASE}/domains/{domain}/data.db") as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE IF NOT EXISTS notes (text)")
        db.execute("INSERT INTO notes VALUES (?)", (domain,))
        return db.execute("SELECT count(*), min(text) FROM notes").fetchone()

def writes(scope):
    """What happens to a file in each folder; None: it was written."""
    outcome = {}
    for folder in os.environ["TRY"].split(":"):
        try:
            path = pathlib.Path(folder, "tried")
            path.write_text("x")
            path.unlink()
            outcome[folder] = None
        except OSError as error:
            outcome[folder] = error.strerror
    return outcome

def facts(scope):
    print("somebody asked for facts", flush=True)
    return {"prefix": sys.base_prefix, "user": os.getuid(), "pid": os.getpid(), "cwd": os.getcwd(),
            "variables": {name: os.environ.get(name) for name in ("STAGE", "LOG_LEVEL", "DATA_DIR", "SECRET_WORD")},
            "env": os.access(f"{BASE}/.env", os.R_OK),
            "privileges": [line.split()[1] for line in open("/proc/self/status") if line.startswith("NoNewPrivs")]}

BASE = str(pathlib.Path.cwd().parents[1])
ANSWERS = {
    "headers": headers, "note": note, "writes": writes, "facts": facts, "health": lambda scope: "well",
    "go": lambda scope: go.set(), "shop": lambda scope: "whole",
}
'''
WORKER = """
import os, pathlib, time
pathlib.Path(os.environ["DATA_DIR"], "worker").write_text("was here")
print("the worker works", flush=True)
while True:
    time.sleep(1)
"""
# What a deploy leaves, in short: releases, links, an environment by an interpreter that lies in a home.
LAY_OUT = f"""set -e
mkdir -p {PYTHON}/bin {PYTHON}/lib
cp /usr/bin/python3.11 {PYTHON}/bin/python3.11; cp -r /usr/lib/python3.11 {PYTHON}/lib/
mkdir -p {BASE}/venvs {BASE}/api/vrs-1 {BASE}/ui {BASE}/maintenance {BASE}/scripts {BASE}/.mcc {BASE}/slots
cd {BASE}
cp -r ~/shop/api ~/shop/worker api/vrs-1/; cp -r ~/shop/ui ui/vrs-1; cp -r ~/shop/ui ui/vrs-2
cp ~/shop/pyproject.toml ~/shop/uv.lock .
UV_PROJECT_ENVIRONMENT={BASE}/venvs/k uv sync -q --frozen --link-mode=copy --python {PYTHON}/bin/python3.11
ln -s venvs/k .venv; ln -s ../../venvs/k api/vrs-1/.venv
ln -s api/vrs-1 current-api; ln -s ui/vrs-1 current-ui
echo SECRET_WORD=sesame >.env; chmod 600 .env; setfacl -m u:www-data:r .env
"""
OWNED = f"""set -e
for each in domains domains/{DOMAINS[0]} domains/{DOMAINS[1]} data logs run; do
    install -d -o www-data -g {DEPLOY_USER} -m 2775 {BASE}/$each
done
"""


def conf(text: str) -> Conf:
    """A conf file as a deploy reads it."""
    document = parse(text, "conf-prod.yml")
    return to_conf(document, fill(document, _Nothing()), Path("conf-prod.yml"))


class _Nothing:
    def variable(self, name: str) -> str:
        raise AssertionError(name)

    file = variable


def project(folder: Path) -> Path:
    """The project, with a front end as builders name their files."""
    files = {
        "pyproject.toml": PROJECT, "api/__init__.py": "", "api/main.py": APP, "worker/__init__.py": "",
        "worker/main.py": WORKER, "ui/index.html": "<h1>shop</h1>", "ui/sw.js": "// worker", "ui/logo.svg": "<svg/>",
        "ui/assets/index-BwAg1sNy.js": "// hashed", "ui/main.0c4f83b2.css": "", "ui/hello-worldwide.js": "// a word",
        "ui/assets/my-pictures.svg": "<svg/>", "ui/.git/config": "[core]", "ui/.well-known/assetlinks.json": "[]",
    }  # fmt: skip
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv if uv.exists() else "uv", "lock", "-q", "--python", sys.executable], cwd=folder, check=True)
    return folder


@dataclass(frozen=True, slots=True)
class Shop:
    """The site in its box."""

    box: Box

    def lay_out(self, project: Path) -> Shop:
        self.box.push(project, f"{DEPLOY_HOME}/shop")
        self.box.exec(LAY_OUT, DEPLOY_USER)
        self.box.exec(OWNED)
        return self

    def place(self, files: Sequence[File], extra: str = "") -> None:
        """Put root's files in place, as ``mcc provision`` does; ``extra`` is added to each service's environment."""
        for file in files:
            self.box.write(str(file.path), file.text.replace("Environment=", f"Environment={extra}"))
            if file.link:
                self.box.exec(["ln", "-sf", file.path, file.link])
        names = [file.path.name for file in files if file.enable]
        self.box.exec(["systemctl", "daemon-reload"])
        if names:
            self.box.exec(["systemctl", "-q", "enable", *names])
        self.box.exec(["nginx", "-t", "-q"])
        self.box.exec(["systemctl", "reload-or-restart", "nginx"])

    def get(self, path: str, domain: str = DOMAINS[0]) -> Page:
        return self.box.http(path, host=domain, https=True)

    def json(self, path: str, domain: str = DOMAINS[0]) -> Any:
        page = self.get(path, domain)
        assert page.status == 200, (path, page)
        return json.loads(page.body)


def files(text: str) -> tuple[File, ...]:
    """Units, then the site of nginx."""
    made = conf(text)
    return (*unit_files(made, {}), *nginx_files(made, {}))
