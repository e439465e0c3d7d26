#!/usr/bin/env python3
"""Make output/: everything that a deploy may read. Needs Python 3.11 and, to resolve versions, uv."""

from __future__ import annotations

import argparse
import hashlib
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

PROJECT = Path(__file__).resolve().parent
FOLDERS = ("api", "shared", "worker", "scripts")
FILES = ("pyproject.toml", "config.yml", "conf-prod.yml", "conf-dev.yml", "mcc_deploy.py")
MIGRATIONS = Path("shared/db/scripts/migrations")
CHANGES = "changes.toml"


def main(words: Sequence[str] | None = None) -> None:
    options = parse(words)
    output: Path = options.output.absolute()
    check_replaceable(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as folder:
        unfinished = Path(folder) / "output"
        build(unfinished, options)
        replace(output, unfinished)
    print(f"built {output}, version {version_in(output)}")


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    known = sorted(path.name for path in (PROJECT / "variants").iterdir() if path.is_dir())
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--output", type=Path, default=PROJECT / "output", metavar="DIR", help="where to (default: output)")
    add("--version-text", metavar="TEXT", help="what /api/version answers (default: 1, or the variant's)")
    add("--variant", action="append", default=[], choices=known, help="lay this over it; may be repeated")
    add("--single-tenant", action="store_true", help="one database, no domains")
    add("--lock", type=Path, metavar="FILE", help="take this uv.lock; nothing is resolved")
    add("--branch", metavar="NAME", help="the branch to write down (default: what git says)")
    add("--build-number", type=int, metavar="N", help="the build's number to write down")
    return parser.parse_args(words)


def build(output: Path, options: argparse.Namespace) -> None:
    """Fill a new folder. Variants come before the lock is made, their changes to files after it."""
    variants = [PROJECT / "variants" / name for name in options.variant]
    copy_sources(output)
    for variant in variants:
        lay_over(variant, output)
    write_version(output, options.version_text)
    build_ui([PROJECT / "ui", *(variant / "ui" for variant in variants)], output / "ui", version_in(output))
    if options.single_tenant:
        make_single_tenant(output)
    provide_lock(output, options.lock)
    for variant in variants:
        apply_changes(variant / CHANGES, output)
    provide_build_info(output, options.branch, options.build_number)


def copy_sources(output: Path) -> None:
    output.mkdir()
    for name in FOLDERS:
        copy_tree(PROJECT / name, output / name)
    for name in FILES:
        copy_file(PROJECT / name, output / name)


def lay_over(variant: Path, output: Path) -> None:
    """Copy a variant's files over the output; its front end goes through the build like the other."""
    copy_tree(variant, output, skip=("ui", CHANGES))


def copy_tree(source: Path, target: Path, skip: Sequence[str] = ()) -> None:
    """Copy a folder's files; ``skip`` names entries at its top."""
    for path in sorted(source.rglob("*")):
        parts = path.relative_to(source).parts
        if path.is_file() and "__pycache__" not in parts and parts[0] not in skip:
            copy_file(path, target.joinpath(*parts))


def copy_file(source: Path, target: Path) -> None:
    """Content and the right to be run, no more: what is read-only here can be changed there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)


def write_version(output: Path, text: str | None) -> None:
    file = output / "shared" / "VERSION"
    if text is not None or not file.exists():
        file.write_text(f"{text or '1'}\n")


def version_in(output: Path) -> str:
    return (output / "shared" / "VERSION").read_text().strip()


def build_ui(sources: Iterable[Path], target: Path, version: str) -> None:
    """Pages as they are, everything else into assets/ under a name that holds its content's hash."""
    files: dict[str, bytes] = {}
    for source in sources:
        files |= {path.name: path.read_bytes() for path in source.glob("*") if path.is_file()}
    pages = {name: data.decode() for name, data in files.items() if name.endswith(".html")}
    (target / "assets").mkdir(parents=True)
    hashed: dict[str, str] = {}
    for name in sorted(files.keys() - pages.keys()):
        stem, _, ending = name.rpartition(".")
        hashed[name] = f"{stem}.{hashlib.sha256(files[name]).hexdigest()[:8]}.{ending}"
        (target / "assets" / hashed[name]).write_bytes(files[name])
    for name, text in pages.items():
        (target / name).write_text(finish_page(text, hashed, version))


def finish_page(text: str, hashed: dict[str, str], version: str) -> str:
    for name, new in hashed.items():
        text = text.replace(f'"/assets/{name}"', f'"/assets/{new}"')
    return text.replace("{{VERSION}}", html.escape(version))


def make_single_tenant(output: Path) -> None:
    """Migrations beside the code instead of below shared/, and no domains in the configuration."""
    (output / MIGRATIONS).rename(output / "migrations")
    for file in output.glob("conf-*.yml"):
        file.write_text(re.sub(r"^DOMAINS:\n(  - .*\n)+", "DOMAINS: []\n", file.read_text(), flags=re.M))


def provide_lock(output: Path, lock: Path | None) -> None:
    """The lock that was asked for, else the project's own, else a new one."""
    found = lock or next((path for path in [PROJECT / "uv.lock"] if path.is_file()), None)
    if found is None:
        run_uv_lock(output)
    elif found.is_file():
        copy_file(found, output / "uv.lock")
    else:
        stop(f"there is no file {found}")


def run_uv_lock(output: Path) -> None:
    beside = Path(sys.executable).with_name("uv")
    uv = os.environ.get("UV") or shutil.which("uv") or (str(beside) if beside.exists() else None)
    if uv is None:
        stop("uv is not on the PATH; install it, or name a lock file with --lock")
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    result = subprocess.run(
        [uv, "lock"], cwd=output, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if result.returncode:
        stop(f"uv lock failed:\n{result.stdout}")


def apply_changes(file: Path, output: Path) -> None:
    """Replace what matches a pattern in a file of the output; a pattern that matches nothing is a mistake."""
    if not file.is_file():
        return
    for change in tomllib.loads(file.read_text())["change"]:
        target = output / change["file"]
        text, count = re.subn(change["pattern"], change["replacement"], target.read_text())
        if not count:
            stop(f"{file}: nothing in {change['file']} matches {change['pattern']}")
        target.write_text(text)


def provide_build_info(output: Path, branch: str | None, number: int | None) -> None:
    """The pipeline's build_info.yml if there is one, else what git knows of this folder."""
    given = PROJECT / "build_info.yml"
    if given.is_file():
        copy_file(given, output / "build_info.yml")
    else:
        (output / "build_info.yml").write_text(build_info(branch or git("branch", "--show-current"), number))


def build_info(branch: str, number: int | None) -> str:
    """YAML with every string in quotes; what is not known is null."""
    name, email, message = (git("log", "-1", f"--format={field}") for field in ("%an", "%ae", "%s"))
    lines = [
        f"build_number: {json.dumps(number)}",
        "timestamp:",
        f"  start: {int(time.time())}",
        "  end: null",
        f"branch: {quoted(branch)}",
        f"commit_sha: {quoted(git('rev-parse', 'HEAD'))}",
        "committer:",
        f"  name: {quoted(name)}",
        f"  email: {quoted(email)}",
        f"  commit_message: {quoted(message)}",
    ]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    return json.dumps(text or None)


def git(*words: str) -> str:
    """What git answers, empty without git or if another repository only happens to lie around this folder."""
    if shutil.which("git") is None:
        return ""
    ask = ["git", "-C", str(PROJECT)]
    ours = subprocess.run([*ask, "ls-files", "--error-unmatch", "config.yml"], capture_output=True)
    if ours.returncode:
        return ""
    answer = subprocess.run([*ask, *words], capture_output=True, text=True)
    return answer.stdout.strip() if answer.returncode == 0 else ""


def check_replaceable(output: Path) -> None:
    """Only what an earlier build made is replaced; anything else is somebody's work."""
    if output.is_symlink() or (output.exists() and not output.is_dir()):
        stop(f"{output} is not a folder")
    if output.is_dir() and any(output.iterdir()) and not (output / "build_info.yml").is_file():
        stop(f"{output} is not empty and no build made it; empty it, or name another with --output")
    if output == PROJECT or output in PROJECT.parents or (output / "mcc_build.py").exists():
        stop(f"{output} holds this project; name another folder with --output")


def replace(output: Path, unfinished: Path) -> None:
    if output.exists():
        output.rename(unfinished.with_name("old"))
    unfinished.rename(output)


def stop(message: str) -> NoReturn:
    raise SystemExit(f"mcc_build.py: {message}")


if __name__ == "__main__":
    main()
