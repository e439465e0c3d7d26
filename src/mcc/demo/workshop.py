"""The demo's folder: made, filled with what is deployed, and removed."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mcc.demo.material import Material, free_ports
from mcc.demo.programs import run
from mcc.demo.shims import place_shims
from mcc.demo.side import CONFIG, DOMAINS, Name, Side
from mcc.demo.stop import place_stop
from mcc.errors import CommandFailed, SiteError

VERSIONS = {
    1: (),
    2: ("--variant", "v2"),
    3: ("--variant", "v2", "--variant", "does-not-start"),
}
"""What each version is built from."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """``shims``: the names of the stand-ins that the script's side was given."""

    folder: Path
    material: Material
    mcc: Side
    script: Side
    shims: tuple[str, ...]

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.mcc, self.script


def make_folder(wanted: Path | None) -> Path:
    """A new folder, or the empty one that was asked for. Raises SiteError if it is not empty."""
    if wanted is None:
        folder = Path(tempfile.mkdtemp(prefix="mcc-demo-")).resolve()
    else:
        folder = wanted.expanduser().resolve()
        _make_empty(folder)
    place_stop(folder)
    return folder


def _make_empty(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        full = any(folder.iterdir())
    except OSError as error:
        raise SiteError(f"the demo cannot use {folder}: {error.strerror}") from error
    if full:
        ours = (folder / "stop").is_file()
        way_out = f"end the demo that was kept there with {folder}/stop" if ours else "name one that is new"
        raise SiteError(f"{folder} is not empty", help=f"{way_out}, or leave --folder out")


def open_workshop(folder: Path, material: Material) -> Workshop:
    """Lay out both sides."""
    first, second = free_ports(2)
    mcc, script = _side("mcc", folder, first, material), _side("script", folder, second, material)
    shims = {side.name: place_shims(side) for side in (mcc, script)}
    return Workshop(folder, material, mcc, script, shims["script"])


def _side(name: Name, folder: Path, port: int, material: Material) -> Side:
    return Side(name, folder / name, port, material.environment(folder / name / "bin"))


async def build_all(shop: Workshop) -> None:
    """Resolve the lock once, build all versions, and give both sides the same outputs."""
    first, *others = VERSIONS
    await _build(shop, first, ())
    lock = ("--lock", str(_built(shop, first) / "uv.lock"))
    await asyncio.gather(*(_build(shop, version, lock) for version in others))
    for side in shop.sides:
        for version in VERSIONS:
            await asyncio.to_thread(_hand_over, shop, side, version)
    # The script expects the folders of the databases; mcc makes them.
    for domain in DOMAINS:
        (shop.script.site / "domains" / domain).mkdir(parents=True)


def _built(shop: Workshop, version: int) -> Path:
    return shop.folder / "built" / str(version)


async def _build(shop: Workshop, version: int, lock: tuple[str, ...]) -> None:
    words = [sys.executable, "-B", str(shop.material.application / "mcc_build.py"), "--branch", "main"]
    words += ["--build-number", str(version), "--version-text", str(version)]
    words += ["--output", str(_built(shop, version)), *VERSIONS[version], *lock]
    lines: list[str] = []
    log = shop.folder / "build.log"
    code = await run(words, cwd=shop.folder, env=shop.mcc.environment, log=log, on_line=lines.append)
    if code:
        raise CommandFailed(f"version {version} of the sample cannot be built", log=lines[-20:])


def _hand_over(shop: Workshop, side: Side, version: int) -> None:
    output = side.output(version)
    shutil.copytree(_built(shop, version), output)
    (output / "config.yml").write_text(CONFIG)
    (output / "conf-demo.yml").write_text(side.conf())
    if side.name == "script":
        shutil.copyfile(shop.material.script, output / "mcc_deploy.py")
