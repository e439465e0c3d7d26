"""A site of two slots in a box, with what visitors of a benchmark ask for."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import _common as common
from _visitors import Door

sys.path.insert(0, str(common.PROJECT / "tests"))

from box.harness import Box, Result, box_root, recipe
from box.layers import mcc_layers, warm_uv_cache
from box.notes import Outputs
from box.slotted import Site

PREFIX = "/api/visit"
VISITS = """

# ---- for visitors of a benchmark: answered before the application, so that the way to it is what is measured

import asyncio
import hashlib
import json

_application = app


async def app(scope, receive, send):
    if scope["type"] != "http" or not scope["path"].startswith("/api/visit/"):
        await _application(scope, receive, send)
        return
    what, _, seconds = scope["path"].removeprefix("/api/visit/").partition("/")
    body, more = hashlib.sha256(), True
    while more:
        part = await receive()
        body.update(part.get("body", b""))
        more = part.get("more_body", False)
    if what == "events":
        await _events(receive, send)
        return
    if what == "slow":
        await asyncio.sleep(float(seconds))
    answer = json.dumps({"version": version(), "body": body.hexdigest()}).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": answer})


async def _events(receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    gone = asyncio.ensure_future(receive())
    while not gone.done():
        await send({"type": "http.response.body", "body": b"data: tick\\n\\n", "more_body": True})
        await asyncio.wait([gone], timeout=0.1)
"""
NEVER_ANSWERS = '''"""Comes up, and never answers when it is asked how it is."""

import asyncio

from fastapi import APIRouter

router = APIRouter()


@router.get("/api/public/health/health")
async def health() -> None:
    await asyncio.sleep(3600)
'''


def builds(folder: Path) -> dict[str, Path]:
    """Outputs of the sample application, by their version or by what is wrong with them."""
    outputs = Outputs(folder / "plain")
    variants: dict[str, tuple[str, ...]] = {
        "1": (), "2": ("v2",), "does not start": ("v2", "does-not-start"), "answers 500": ("v2", "answers-500"),
        "dies after a second": ("v2", "dies-after-a-second"), "never answers": ("v2",), "its page is missing": ("v2",),
    }  # fmt: skip
    made = {name: _with_visits(outputs(*each), folder / name.replace(" ", "-")) for name, each in variants.items()}
    (made["never answers"] / "api/routes/health.py").write_text(NEVER_ANSWERS)
    # All before the cut-over is well, and the smoke test of the real addresses is not: visitors are led back.
    (made["its page is missing"] / "ui/index.html").unlink()
    return made


def _with_visits(output: Path, folder: Path) -> Path:
    shutil.copytree(output, folder, symlinks=True)
    main = folder / "api/main.py"
    text = re.sub(r'\A""".*?"""\n', "", main.read_text(), flags=re.S)
    main.write_text(text + VISITS)
    return folder


def start_box() -> Box:
    """A fresh box with this checkout's mcc."""
    return Box.start(mcc_layers(Path(recipe("build")), say))


def server(made: dict[str, Path], **conf: str) -> Site:
    """A box in which version 1 is live in a slot, set up by ``mcc provision``."""
    warm_uv_cache(Path(recipe("build")), made["1"], say)
    site = Site(start_box())
    try:
        site.first(made["1"], **conf)
    except BaseException:
        site.box.down()
        raise
    return site


def door(site: Site) -> Door:
    return Door(site.box.ip, site.domains[0], PREFIX, box_root() / "keys/ca.crt")


def must(done: Result, code: int = 0) -> None:
    """A command that ended otherwise ends the benchmark, since its numbers would say nothing."""
    if done.code != code:
        raise SystemExit(f"exit code {code} was expected\n{done}")


def say(text: str) -> None:
    print(f"box: {text}", file=sys.stderr)
