"""mcc inside the box: folders that lie over the base, each built once.

``dependencies`` is a virtual environment of Debian's own Python with what mcc needs, named by the
requirements; ``mcc`` is the wheel of this checkout installed into it, named by the wheel's content.
A change of the source builds the second alone. ``postgres`` is what the extra of that name adds to the first.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

from box.harness import DEPLOY_USER, Box, BoxError, box_root, index_settings

CHECKOUT = Path(__file__).resolve().parents[2]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wheel:
    """A built distribution: the file, and what it needs without extras, or for one alone."""

    path: Path
    requirements: tuple[str, ...]
    digest: str


def mcc_layers(base: Path, say: Say) -> list[Path]:
    """The layers that put this checkout's mcc at ``/usr/local/bin/mcc``, the first on top.

    Raises BoxError, with what Python says, if the wheel cannot be built or does not import.
    """
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder))
        dependencies = layer("dependencies", [base], _dependency_key(wheel), _installer(wheel), say)
        own = layer("mcc", [dependencies, base], wheel.digest, _placer(wheel), say)
    return [own, dependencies]


def driver_layer(base: Path, dependencies: Path, say: Say) -> Path:
    """The layer that adds the driver of the extra ``postgres`` to a box with mcc; it goes above all others."""
    with tempfile.TemporaryDirectory() as folder:
        wheel = build_wheel(Path(folder), "postgres")
    return layer("postgres", [dependencies, base], _dependency_key(wheel), _adder(wheel), say)


def build_wheel(folder: Path, extra: str = "") -> Wheel:
    """Build the wheel of this checkout, the same bytes for the same source; with what it needs, or an extra does."""
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    done = subprocess.run(words, cwd=CHECKOUT, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise BoxError(f"the wheel of {CHECKOUT} cannot be built\n{done.stdout}{done.stderr}")
    path = next(folder.glob("*.whl"))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Wheel(path, _requirements(path, extra), digest)


def _requirements(wheel: Path, extra: str) -> tuple[str, ...]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    lines = metadata.get_all("Requires-Dist", [])
    if extra:
        return tuple(line.partition(";")[0] for line in lines if f"extra == '{extra}'" in line)
    return tuple(line for line in lines if "extra ==" not in line)


def _constraints() -> str:
    file = CHECKOUT / "constraints.txt"
    return file.read_text() if file.exists() else ""


def _dependency_key(wheel: Wheel) -> str:
    return "\n".join([*wheel.requirements, _constraints()])


def _installer(wheel: Wheel) -> Callable[[Path], None]:
    add = _adder(wheel)

    def install(root: Path) -> None:
        inside(root, ["/usr/bin/python3", "-m", "venv", "--without-pip", "/opt/mcc"])
        add(root)

    return install


def _adder(wheel: Wheel) -> Callable[[Path], None]:
    def add(root: Path) -> None:
        (root / "tmp/requirements").write_text("\n".join(wheel.requirements))
        (root / "tmp/constraints").write_text(_constraints())
        inside(root, [*_PIP, "-r", "/tmp/requirements", "-c", "/tmp/constraints"])
        (root / "opt/mcc/.lock").unlink(missing_ok=True)  # uv's, and everybody could write it

    return add


def _placer(wheel: Wheel) -> Callable[[Path], None]:
    def place(root: Path) -> None:
        shutil.copy(wheel.path, root / "tmp")
        inside(root, [*_PIP, "--offline", "--no-deps", f"/tmp/{wheel.path.name}"])
        (root / "opt/mcc/.lock").unlink(missing_ok=True)
        (root / "usr/local/bin/mcc").symlink_to("/opt/mcc/bin/mcc")
        inside(
            root, ["/opt/mcc/bin/python", "-I", "-c", "import mcc.cli.main"], "mcc does not import in the box"
        )

    return place


_PIP = (
    *("uv", "pip", "install", "-q", "--python", "/opt/mcc/bin/python"),
    *("--link-mode=copy", "--compile-bytecode", "--cache-dir=/tmp/uv"),
)


def inside(root: Path, words: Sequence[str], failure: str = "") -> None:
    """Run a command in a root folder that is not booted, with the host's network."""
    environment = {
        "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
        **index_settings(),
    }
    done = subprocess.run(["chroot", root, *words], env=environment, cwd="/", capture_output=True, text=True)
    if done.returncode != 0:
        raise BoxError(f"{failure or ' '.join(words) + ' failed'}\n{(done.stdout + done.stderr).strip()}")


def layer(kind: str, below: Sequence[Path], key: str, fill: Callable[[Path], None], say: Say) -> Path:
    """The folder of a layer; ``fill`` makes it when there is none for this key on these folders."""
    name = hashlib.sha256("\n".join([*(path.name for path in below), key]).encode()).hexdigest()[:12]
    folder = box_root() / "layers" / f"{kind}-{name}"
    with _locked(folder.parent):
        if not folder.exists():
            say(f"building the {kind} layer")
            _forget_old(folder.parent, kind)
            _fill(folder, below, fill)
        os.utime(folder)
    return folder


def _fill(folder: Path, below: Sequence[Path], fill: Callable[[Path], None]) -> None:
    work = folder.parent / "work"
    _discard(work)
    for part in ("upper", "scratch", "root"):
        (work / part).mkdir(parents=True)
    with _mounted(work, below) as root:
        (root / "tmp").mkdir(exist_ok=True)
        with _resolver(root):
            fill(root)
    shutil.rmtree(work / "upper/tmp", ignore_errors=True)
    (work / "upper").rename(folder)
    _discard(work)


@contextlib.contextmanager
def _mounted(work: Path, below: Sequence[Path]) -> Iterator[Path]:
    options = f"lowerdir={':'.join(map(str, below))},upperdir={work / 'upper'},workdir={work / 'scratch'}"
    subprocess.run(["mount", "-t", "overlay", "mccbox-layer", "-o", options, work / "root"], check=True)
    try:
        yield work / "root"
    finally:
        subprocess.run(["umount", work / "root"], check=True)


@contextlib.contextmanager
def _resolver(root: Path) -> Iterator[None]:
    """The host's name servers, for as long as packages are fetched."""
    target = root / "etc/resolv.conf"
    target.write_bytes(Path("/etc/resolv.conf").read_bytes())
    yield
    target.unlink()


def _discard(work: Path) -> None:
    """Remove a work folder, also one whose session was killed in the middle."""
    if (work / "root").is_mount():
        subprocess.run(["umount", "-l", work / "root"], check=True)
    shutil.rmtree(work, ignore_errors=True)


def _forget_old(folder: Path, kind: str) -> None:
    """Keep the five that were used last; never one that a box lies on."""
    in_use = "".join(lower.read_text() for lower in (box_root() / "run").glob("*/lower"))
    layers = sorted(folder.glob(f"{kind}-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in layers[5:]:
        if str(old) not in in_use:
            shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One session at a time; the kernel frees the lock of one that dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def warm_uv_cache(base: Path, project: Path, say: Say) -> None:
    """Fill the cache that boxes share with all that ``uv sync --frozen`` of this project takes.

    ``project`` holds ``pyproject.toml``, ``uv.lock`` and what they refer to. Done once for each
    content of these two; from then on the sync works in a box, without a network.
    """
    facts = [base.name.encode(), *((project / name).read_bytes() for name in ("pyproject.toml", "uv.lock"))]
    # in the cache itself: who empties it, or runs `uv cache prune`, empties this too
    marker = box_root() / "uv-cache/.warmed" / hashlib.sha256(b"\0".join(facts)).hexdigest()[:12]
    with _locked(marker.parent):
        if marker.exists():
            return
        say(f"filling uv's cache for {project.name}")
        _sync_once(project)
        marker.touch()


def _sync_once(project: Path) -> None:
    box = Box.start()
    try:
        box.push(project, "/home/stenvala/warm")
        box.exec(
            ["uv", "sync", "-q", "--frozen"], DEPLOY_USER, cwd="/home/stenvala/warm", net=True, timeout=600
        )
    finally:
        box.down()
