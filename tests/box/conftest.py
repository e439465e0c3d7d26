"""Tests in a booted Debian: ``box`` is a fresh one with mcc in it, ``boxes(...)`` makes several.

The first session downloads Debian and builds the base (a minute or two); later ones start a box
in about a second. ``MCC_BOX_KEEP=1`` leaves the boxes up after their test; ``box.sh shell NAME``
leads into one, ``box.sh down NAME`` removes it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from box import provisioned
from box.harness import Box, Boxes, recipe
from box.layers import driver_layer, mcc_layers, warm_uv_cache
from box.notes import FirstDeploy, Notes, Outputs
from box.slotted import WORKER, Site, with_stream

HERE = Path(__file__).resolve().parent
PROGRAMS = ("mmdebstrap", "systemd-nspawn", "ip", "nsenter", "openssl", "ssh-keygen", "flock", "pgrep", "tar")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.box)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # from here, not by a mark: all tests then share one line in pytest's summary
    reason = item.session.stash.setdefault(_REASON, why_not())
    if reason:
        pytest.skip(reason)


_REASON = pytest.StashKey[str]()


def why_not() -> str:
    """What this machine lacks for a box; empty if it can have one."""
    if os.geteuid() != 0:
        return "box tests need root: sudo .venv/bin/pytest tests/box"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"box tests need {', '.join(missing)}: scripts/test-deps installs them"
    if subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "true"], capture_output=True
    ).returncode:
        return "box tests need a kernel that lets root make namespaces: not in this container"
    if not _overlay_works():
        return "box tests need overlayfs: this kernel, or this container, has none"
    return ""


def _overlay_works() -> bool:
    script = (
        "cd $(mktemp -d) && mount -t tmpfs none . && cd $PWD && mkdir a b c d &&"
        " mount -t overlay none -o lowerdir=a,upperdir=b,workdir=c d"
    )
    return subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True).returncode == 0


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """A line of progress that shows although pytest captures output."""
    reporter = request.config.pluginmanager.getplugin("terminalreporter")
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def line(text: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.write_line(f"\nbox: {text}")

    return line


@pytest.fixture(scope="session")
def box_base(say: Callable[[str], None]) -> Path:
    """The base of all boxes, built when it is missing or its recipe has changed."""
    recipe("sweep")
    say("looking after the base (the first time this takes a minute or two)")
    return Path(recipe("build"))


@pytest.fixture(scope="session")
def mcc_in_box(box_base: Path, say: Callable[[str], None]) -> list[Path]:
    """The layers that put the wheel of this checkout into a box."""
    return mcc_layers(box_base, say)


@pytest.fixture(scope="session")
def postgres_driver(box_base: Path, mcc_in_box: list[Path], say: Callable[[str], None]) -> Path:
    """The layer that adds PostgreSQL's driver to mcc: ``boxes(above=[postgres_driver])``."""
    return driver_layer(box_base, mcc_in_box[-1], say)


@pytest.fixture(scope="session")
def warm_uv(box_base: Path, say: Callable[[str], None]) -> Callable[[Path], None]:
    """``warm_uv(folder)``: from now on boxes sync this project without a network."""
    return lambda project: warm_uv_cache(box_base, project, say)


@pytest.fixture
def boxes(box_base: Path, request: pytest.FixtureRequest, say: Callable[[str], None]) -> Iterator[Boxes]:
    """``boxes()`` starts a box; ``boxes(mcc=False)`` one without mcc, ``boxes(disk="64m")`` a small one."""
    with _starter(request, say) as start:
        yield start


@pytest.fixture(scope="module")
def module_boxes(box_base: Path, request: pytest.FixtureRequest, say: Callable[[str], None]) -> Iterator[Boxes]:
    """The same, for boxes that the tests of one file share."""
    with _starter(request, say) as start:
        yield start


@contextlib.contextmanager
def _starter(request: pytest.FixtureRequest, say: Callable[[str], None]) -> Iterator[Boxes]:
    started: list[Box] = []

    def start(
        *, mcc: bool = True, disk: str = "4g", own_uv_cache: bool = False, above: Sequence[Path] = ()
    ) -> Box:
        layers = request.getfixturevalue("mcc_in_box") if mcc else []
        started.append(Box.start([*above, *layers], disk=disk, own_uv_cache=own_uv_cache))
        return started[-1]

    try:
        yield start
    finally:
        for box in started:
            _leave(box, say)


def _leave(box: Box, say: Callable[[str], None]) -> None:
    if os.environ.get("MCC_BOX_KEEP"):
        (box.folder / "owner").unlink(missing_ok=True)
        say(f"{box.name} stays up: tests/box/box.sh shell {box.name}")
    else:
        box.down()


@pytest.fixture
def box(boxes: Boxes) -> Box:
    """A fresh server with this checkout's mcc in it."""
    return boxes()


@pytest.fixture
def bare_box(boxes: Boxes) -> Box:
    """A fresh server without mcc."""
    return boxes(mcc=False)


@pytest.fixture(scope="session")
def outputs(
    tmp_path_factory: pytest.TempPathFactory, warm_uv: Callable[[Path], None], say: Callable[[str], None]
) -> Outputs:
    """``outputs("v2", "answers-500")``: the sample application's output folder, each built once."""
    made = Outputs(tmp_path_factory.mktemp("outputs"))
    say("building the sample application")
    warm_uv(made())
    return made


@pytest.fixture(scope="session")
def first(mcc_in_box: list[Path], outputs: Outputs, say: Callable[[str], None]) -> Iterator[FirstDeploy]:
    """A server on which the sample application was deployed for the first time; only to be looked at."""
    box = Box.start(mcc_in_box)
    try:
        notes = Notes(box).set_up()
        yield FirstDeploy(notes, notes.deploy(outputs()), box.tree(notes.base))
    finally:
        _leave(box, say)


@pytest.fixture(scope="session")
def live_layer(first: FirstDeploy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The disk of that server, to start others from."""
    assert first.result.code == 0, first.result
    return first.notes.box.copy_disk(tmp_path_factory.mktemp("live") / "disk", *first.notes.units)


@pytest.fixture
def live(boxes: Boxes, live_layer: Path) -> Notes:
    """A fresh server with version 1 of the sample application live, as after a reboot."""
    return _live(boxes, live_layer)


@pytest.fixture(scope="module")
def shared_live(module_boxes: Boxes, live_layer: Path) -> Notes:
    """One for a whole file, whose tests leave the site as it was."""
    return _live(module_boxes, live_layer)


def _live(boxes: Boxes, live_layer: Path) -> Notes:
    notes = Notes(boxes(above=[live_layer]))
    notes.wait_for_version("1")
    return notes


@pytest.fixture(scope="session")
def acl_site(mcc_in_box: list[Path], outputs: Outputs, say: Callable[[str], None]) -> Iterator[Notes]:
    """Version 1 with ``OWNERSHIP: acl``, as root has set it up once; tests leave it serving."""
    box = Box.start(mcc_in_box)
    try:
        yield provisioned.deployed(Notes(box), outputs())
    finally:
        _leave(box, say)


@pytest.fixture(scope="session")
def slot_builds(outputs: Outputs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sample application with an event stream, by its version or its fault."""
    folder = tmp_path_factory.mktemp("slots")
    names = {"1": (), "2": ("v2",), "answers-500": ("answers-500",), "does-not-start": ("does-not-start",)}
    return {name: with_stream(outputs(*variants), folder / name) for name, variants in names.items()}


@pytest.fixture(scope="session")
def slots_layer(
    mcc_in_box: list[Path],
    slot_builds: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    say: Callable[[str], None],
) -> Path:
    """The disk of a server on which version 1 is live in slot a, to start others from."""
    box = Box.start(mcc_in_box)
    try:
        site = Site(box).first(slot_builds["1"])
        return box.copy_disk(tmp_path_factory.mktemp("slots-live") / "disk", *site.up(), WORKER)
    finally:
        _leave(box, say)


@pytest.fixture(scope="module")
def slots_site(module_boxes: Boxes, slots_layer: Path) -> Site:
    """Version 1 is live in slot a, as after a reboot; the tests of one file share it."""
    site = Site(module_boxes(above=[slots_layer]))
    site.wait_for_version("1")
    return site


@pytest.fixture
def new(box: Box) -> Notes:
    """A fresh server that root has set up for the sample application; nothing is deployed yet."""
    return Notes(box).set_up()
