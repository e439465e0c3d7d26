"""What lasts longer than a cut-over, through nginx as provision sets it up: nothing is lost, and streams begin anew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from box.harness import Boxes, until
from box.streaming import PATIENCE, STREAMING, Line, Streaming, digest, lines, output
from fakes.deaths import FULL

UPLOAD = b"0123456789abcdef" * 20_000
PIECE = 200
SERVERS = ("uvicorn", "gunicorn") if FULL else ("uvicorn",)


def go_on(kept: Line, talk: Line, uploads: Line, pieces: Iterator[bytes], stop: threading.Event) -> list[str]:
    """What visitors do meanwhile: ask again, talk on, send another piece; the versions that answered."""
    versions = []
    while True:
        versions.append(kept.ask("/api/version")["version"])
        assert talk.say("and now?") == "1 and now?"
        uploads.send(next(pieces, b""))
        if stop.wait(0.1):
            return versions


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory, warm_uv: Callable[[Path], None]) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("streaming")
    made = {version: output(folder / version, version) for version in ("1", "2", "3")}
    warm_uv(made["1"])
    return made


@pytest.fixture(scope="module", params=SERVERS)
def conf(request: pytest.FixtureRequest) -> dict[str, str]:
    return {**STREAMING, "APP_SERVER": request.param}


@pytest.fixture(scope="module")
def site(module_boxes: Boxes, builds: dict[str, Path], conf: dict[str, str]) -> Streaming:
    site = Streaming(module_boxes())
    site.first(builds["1"], **conf)
    return site


def test_what_was_begun_before_a_cut_over_ends_well_behind_it(
    site: Streaming, builds: dict[str, Path], conf: dict[str, str]
) -> None:
    """Old and new serve side by side until all that the old one has begun is done; then, at once, it goes."""
    with lines(site, 5) as (waits, uploads, kept, talk, events):
        waits.begin("/api/wait")
        site.until_one_waits()
        pieces = (UPLOAD[at : at + PIECE] for at in range(0, len(UPLOAD), PIECE))
        uploads.begin("/api/upload", UPLOAD, sent=0)
        before = kept.ask("/api/version")["version"]
        assert talk.connect("/api/talk").say("hello") == "1 hello"
        assert events.listen("/api/events").event() == "1"
        old = site.live()

        with ThreadPoolExecutor(1) as pool:
            stop = threading.Event()
            going_on = pool.submit(go_on, kept, talk, uploads, pieces, stop)
            try:
                done = site.deploy(builds["2"], **{**conf, "DRAIN_TIMEOUT": "600"})
            finally:
                stop.set()
        assert done.code == 0, done

        assert site.live() != old
        versions = [before, *going_on.result(), kept.ask("/api/version")["version"]]
        assert versions == sorted(versions)
        assert (versions[0], versions[-1]) == ("1", "2"), "a visitor's kept connection leads to the new release"
        uploads.send(b"".join(pieces))
        answer = uploads.answer()
        assert (answer["size"], answer["body"]) == (len(UPLOAD), digest(UPLOAD))
        assert site.box.state(old) == "active"
        assert talk.say("still there?") == "1 still there?"
        assert [events.event() for _ in range(3)] == ["1"] * 3
        site.let_go()
        assert waits.answer()["version"] == "1"
    until(lambda: site.up() == [site.live()], "the old slot to go when nobody is there any more", PATIENCE)


def test_streams_are_cut_when_their_time_is_over_and_begin_anew_with_the_new_release(
    site: Streaming, builds: dict[str, Path], conf: dict[str, str]
) -> None:
    with lines(site, 2) as (talk, events):
        assert talk.connect("/api/talk").say("hello") == "2 hello"
        assert events.listen("/api/events").event() == "2"
        done = site.deploy(builds["3"], **{**conf, "DRAIN_TIMEOUT": "1"})
        assert done.code == 0, done
        assert set(iter(events.event, "")) == {"2"}, "until it is cut, the old release goes on"
        assert talk.hear() == ""
    with lines(site, 2) as (talk, events):
        assert talk.connect("/api/talk").say("hello again") == "3 hello again"
        assert events.listen("/api/events").event() == "3"
    until(lambda: site.up() == [site.live()], "the old slot to be gone", PATIENCE)
