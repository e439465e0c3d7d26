"""Which names have a hash in them, and what a new front end takes over from older ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcc.core.assets import Listed, choose, from_json, is_hashed, to_json

HASHED = (
    "assets/index-BHgl4SYk.js",  # Vite
    "assets/index-D1x_-3Ab.css",
    "assets/logo-BHgl4SYk.svg",
    "_app/immutable/chunks/BxyzAbcd.js",  # SvelteKit
    "_nuxt/DxYz12_3.js",
    "static/js/main.8e0d5f3c.chunk.js",  # webpack
    "static/js/main.8e0d5f3c.js.LICENSE.txt",
    "static/js/main.8e0d5f3c.js.map",
    "787.28cb0dcd.chunk.js",
    "chunk-5NZVVBQX.js",  # esbuild, Angular
    "polyfills-ABCDEFGH.js",
    "css/app.27e20196a850.css",  # Django
    "css/app.27e20196a850.css.gz",
    "application-bfcdf840b4c3f6c1b0d2f3a4e5c6d7e8.js.br",  # Rails
    "_next/static/X1y2Z3aBcDeFgHiJkLmNo/_buildManifest.js",  # Next.js
    "builds/meta/0b2cf2d1-7a4c-4d53-9d1e-0242ac120002.json",
    "assets/pdf.worker.min-qwK7q_zL.mjs",
    "assets/worker-BHgl4SYk.js",
    "assets/manifest-BHgl4SYk.js",
    "assets/zwölf-BHgl4SYk.js",
)

NEVER = (
    "index.html",
    "index-BHgl4SYk.html",
    "8e0d5f3c8e0d5f3c8e0d5f3c/index.html",
    "sw.js",
    "sw-8e0d5f3c.js",
    "service-worker.8e0d5f3c.js",
    "serviceWorker-BHgl4SYk.js",
    "firebase-messaging-sw.8e0d5f3c.js",
    "ngsw-8e0d5f3c.json",
    "site.8e0d5f3c.webmanifest",
    "manifest.8e0d5f3c.json",
    "asset-manifest.json",
)
"""Of these the newest counts, whatever their names look like."""

PLAIN = (
    "assets/app.js", "app.js.map", "favicon.ico", "robots.txt", "config.json", "jquery-3.6.0.min.js",
    "bootstrap-datepicker.js", "report-20240101.pdf", "report-20240101123000.pdf", "icon-128x128.png", "CNAME",
    "LICENSE-8e0d5f3c", "models/001_create-8e0d5f3c.sql", "x-8e0d5f3c.py", "two\nlines-8e0d5f3c.js",
    "not-utf8-\udc80-8e0d5f3c.js", ".js", "",
)  # fmt: skip


@pytest.mark.parametrize("path", HASHED)
def test_a_name_with_a_hash(path: str) -> None:
    assert is_hashed(path)


@pytest.mark.parametrize("path", NEVER + PLAIN)
def test_a_name_without_one_or_that_never_counts(path: str) -> None:
    assert not is_hashed(path)


@given(st.text("0123456789abcdef", min_size=9, max_size=64).filter(lambda text: not text.startswith(("19", "20"))))
def test_every_hexadecimal_hash_is_one(text: str) -> None:
    assert is_hashed(f"js/app.{text}.js")
    assert is_hashed(f"{text}.css")
    assert not is_hashed(f"{text}.html")


HASH = st.text("0123456789abcdef", min_size=8, max_size=8).map(lambda text: f"a{text}")
PATHS = st.builds("{}{}.{}.{}".format, st.sampled_from(["", "a/", "a/b/"]), st.sampled_from("xyz"), HASH,
                  st.sampled_from(["js", "css", "html"]))  # fmt: skip
SIZES = st.dictionaries(PATHS, st.integers(0, 100), max_size=6)
RELEASES = st.lists(SIZES, max_size=4).map(lambda found: [(f"ui/vrs-{at}", own) for at, own in enumerate(found)])


@given(taken=st.sets(PATHS, max_size=6), releases=RELEASES, most=st.integers(0, 300), files=st.integers(0, 8))
def test_what_is_taken_over(taken: set[str], releases: list[tuple[str, dict[str, int]]], most: int, files: int) -> None:
    """Each file from the newest release that has it, none that the new one has, all of them within both bounds."""
    chosen = choose(taken, releases, most, files)
    got = [(each.folder, path) for each in chosen.older for path in each.files]
    paths = [path for _, path in got]
    assert len(paths) == len(set(paths)) == chosen.files <= files
    assert not set(paths) & taken
    assert all(is_hashed(path) and not path.endswith(".html") for path in paths)
    owns = dict(releases)
    assert chosen.bytes == sum(owns[folder][path] for folder, path in got) <= most
    for folder, path in got:
        assert path in owns[folder]
    wanted = {path for _, own in releases for path in own if is_hashed(path)} - taken
    assert chosen.left_out >= len(wanted - set(paths))
    whole = choose(taken, releases)
    assert ({path for each in whole.older for path in each.files}, whole.left_out) == (wanted, 0)
    newest = {path: folder for folder, own in reversed(releases) for path in own}
    assert all(newest[path] == each.folder for each in whole.older for path in each.files)


def test_nothing_goes_below_what_is_a_file_or_a_link_in_the_new_release() -> None:
    old = [("ui/vrs-1", {"assets/app-8e0d5f3c.js": 1})]
    assert choose({"assets"}, old).files == 0
    assert choose({"assets/other.js"}, old).files == 1


@given(own=SIZES, older=st.dictionaries(st.text(), st.lists(PATHS).map(tuple)))
def test_a_list_is_read_as_it_was_written(own: dict[str, int], older: dict[str, tuple[str, ...]]) -> None:
    assert from_json(to_json(Listed(own, older))) == Listed(own, older)


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", b'{"own": [], "older": {}}', b'{"own": {"../x": 1}, "older": {}}', b"\xff",
     b'{"own": {"/etc/passwd": 1}, "older": {}}', b'{"own": {}, "older": {"vrs-1": ["a/../../b"]}}',
     b'{"own": {"a": Infinity}, "older": {}}', b"[" * 100_000],
)  # fmt: skip
def test_a_list_that_is_none_or_leads_out_does_not_count(text: bytes) -> None:
    assert from_json(text) is None
