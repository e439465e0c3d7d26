"""What people write and leave lying about: one message, exit code 2, and nothing changed on disk."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from cli.ground import Ground, contents, is_one_message

Change = Callable[[Ground], object]


@dataclass(frozen=True)
class Case:
    """What is wrong, and what the message must say of it (a regular expression).

    ``slow``: not in the quick suite, since unit tests look at the same closely.
    """

    name: str
    change: Change
    says: str
    stage: str = "prod"
    slow: bool = False


def late(name: str, change: Change, says: str, stage: str = "prod") -> Case:
    return Case(name, change, says, stage, slow=True)


def config(text: str | bytes) -> Change:
    return lambda ground: ground.write("config.yml", text)


def conf(*lines: str) -> Change:
    return lambda ground: ground.conf(*lines)


def base(path: str) -> Change:
    return lambda ground: ground.conf(base=path)


def stage(name: str, parameters: str = "{}") -> Change:
    return config(f"deploy:\n  prod:\n  {name}:\n    parameters: {parameters}\n")


def new_site(ground: Ground) -> Path:
    """A site that mcc has never seen, instead of the live one."""
    ground.site = ground.folder / "site"
    ground.site.mkdir()
    ground.conf()
    return ground.site


def file_at_base(ground: Ground) -> None:
    file = ground.folder / "file"
    file.write_text("no folder")
    ground.conf(base=file)


def file_above_base(ground: Ground) -> None:
    file_at_base(ground)
    ground.conf(base=ground.folder / "file" / "site")


def dangling(ground: Ground) -> None:
    (ground.folder / "link").symlink_to("nowhere")
    ground.conf(base=ground.folder / "link")


def link_is_a_folder(ground: Ground) -> None:
    (new_site(ground) / "current-ui").mkdir()
    (ground.site / "current-ui" / "index.html").write_text("by hand")


def link_is_a_file(ground: Ground) -> None:
    (new_site(ground) / "current-api").write_text("by hand")


def environment_is_a_file(ground: Ground) -> None:
    (new_site(ground) / ".venv").write_text("by hand")
    ground.python()


def own_folder_is_a_file(ground: Ground) -> None:
    (new_site(ground) / ".mcc").write_text("by hand")


def no_database(ground: Ground) -> None:
    (new_site(ground) / "data.db").write_bytes(b"no database at all" * 100)
    ground.migration("001_notes")


def forgotten_part(ground: Ground) -> None:
    (ground.output / "ui" / "index.html").unlink()
    (ground.output / "ui").rmdir()


def nothing_to_deploy(ground: Ground) -> None:
    new_site(ground)
    for path in ("ui/index.html", "api/main.py"):
        (ground.output / path).unlink()
        (ground.output / path).parent.rmdir()


def no_lock_file(ground: Ground) -> None:
    ground.python()
    (ground.output / "uv.lock").unlink()


def broken_lock_file(ground: Ground) -> None:
    ground.python()
    ground.write("uv.lock", "version = 1\n[[package]\n")


def no_uv(ground: Ground) -> None:
    ground.python()
    ground.path = str(ground.folder / "home")


def no_fitting_python(ground: Ground) -> None:
    ground.python()
    ground.write("pyproject.toml", '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.99"\n')


def bomb() -> str:
    """A billion values out of nine lines."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    return "\n".join(lines)


def merge_bomb() -> str:
    lines = ["m0: &m0 {k: v}"]
    lines += [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}], k{n}: v}}" for n in range(1, 9)]
    return "\n".join(lines)


def migrations(**files: str | bytes) -> Change:
    def change(ground: Ground) -> None:
        for name, text in files.items():
            ground.write(f"migrations/{name}.sql", text)

    return change


def job(schedule: str, script: str = "backup.sh") -> Change:
    def change(ground: Ground) -> None:
        ground.write("scripts/backup.sh", "#!/bin/sh\n")
        ground.conf("CRON_JOBS:", f'  - {{schedule: "{schedule}", script: {script}}}')

    return change


PROD = "{conf: conf-prod.yml}"


def protected(name: str) -> Change:
    def change(ground: Ground) -> None:
        stage(name, PROD)(ground)
        ground.conf("STAGE: prod")

    return change


CASES = [
    # config.yml
    Case("no config.yml", lambda ground: (ground.output / "config.yml").unlink(), "config.yml: is missing"),
    late("config.yml is empty", config(""), "config.yml: is empty"),
    late("config.yml is a list", config("- deploy\n"), "config.yml:1: holds a list"),
    late("config.yml without stages", config("deploys:\n  prod: {}\n"), "deploy: is missing .*did you mean deploy"),
    Case("config.yml is not YAML", config("deploy: [prod\n"), r"config.yml:1: is not YAML: .*\[ is not closed"),
    late("config.yml is not UTF-8", config(b"deploy:\n  \xff: {}\n"), "config.yml:2: is not UTF-8"),
    late("config.yml is huge", config("#" * 300_000), "config.yml: is larger than 256 KiB"),
    late("a doubled key", config("deploy:\n  prod: {}\n  prod: {}\n"), "stands here and on line 2"),
    Case("unknown stage", lambda ground: None, "has no stage pord\n.*did you mean prod", "pord"),
    Case("a stage without its conf", stage("dev"), "conf.yml: is missing .*there is: conf-prod.yml", "dev"),
    Case("conf names a missing file", stage("dev", "{conf: conf-dve.yml}"), "conf-dve.yml: is missing", "dev"),
    late("conf names a file elsewhere", stage("dev", "{conf: ../../etc/passwd}"), "relative path without", "dev"),
    late("negative keep_builds", stage("dev", "{conf: conf-prod.yml, keep_builds: -1}"), "found -1", "dev"),
    late("a pattern that does not compile", config('deploy:\n  prod: {allow_branches: "("}\n'), "does not compile"),
    late("another branch", lambda ground: ground.write("build_info.yml", "branch: dev\n"), r"\^main\$"),
    late("a broken build_info.yml", lambda ground: ground.write("build_info.yml", "branch: ["), "build_info.yml:1"),
    Case(
        "an operation that nobody knows",
        stage("db-bakcup", PROD),
        r"is an operation \(db-bakcup\) that mcc does not know.*\n.*did you mean db-backup",
        "db-bakcup",
    ),
    late("an operation by its key", stage("x", "{operation: rest}"), "did you mean reset", "x"),
    Case("a reset of production", protected("reset-prod"), "is protected .*all its data would be gone", "reset-prod"),
    late("a restore of production", protected("db-restore"), r"--param confirm=site", "db-restore"),
    late("a maintenance page that is missing", conf("MAINTENANCE_PAGE: off.html"), "off.html is not in"),
    late("a network that is none", conf("MAINTENANCE_ALLOW: 10.0.0.1/8"), "without host bits"),
    Case("a clone without its conf", stage("clone-x", "{}"), "conf-dev.yml: is missing .*conf-prod.yml", "clone-x"),
    Case("a backup of nothing", stage("db-backup", PROD), "has no database yet: there is nothing", "db-backup"),
    Case("a restore of nothing", stage("db-restore", PROD), "there is no copy of data.db", "db-restore"),
    # conf: single values
    Case("domain that is a path", conf("DOMAINS: [../../etc]"), r"DOMAINS\[1\]: found \"../../etc\""),
    Case("doubled domain", conf("DOMAINS: [a.example.com, A.example.com]"), "a.example.com stands here and on"),
    late("DOMAIN beside DOMAINS", conf("DOMAIN: a.example.com", "DOMAINS: [b.example.com]"), "stands beside DOMAIN"),
    Case("API_PORT out of range", conf("API_PORT: 99999"), "API_PORT: found 99999 .*1 to 65535"),
    late("API_PORT that is no number", conf("API_PORT: web"), 'API_PORT: found "web"'),
    Case("HEALTH_PATH of the wrong type", conf("HEALTH_PATH: 7"), "HEALTH_PATH: found 7"),
    Case("SERVICES that is no list", conf("SERVICES: app.service"), r"SERVICES: found .*allowed: a list"),
    Case("SERVICES beside SERVICE_NAME", conf("SERVICE_NAME: a.service", "SERVICES: [b.service]"), "stands beside"),
    Case("unquoted yes", conf("BACKUP_ENABLED: yes"), "BACKUP_ENABLED: found yes.*true"),
    late("unquoted no", conf("SERVICE_NAME: no"), "SERVICE_NAME: found no.*quotes"),
    late("unquoted no of a key that is not mcc's", conf("COUNTRY: no"), "COUNTRY: found no.*quotes"),
    Case("negative retention", conf("BACKUP_RETENTION_DAILY: -1"), "BACKUP_RETENTION_DAILY: found -1"),
    late("placeholder without a key", conf('MINE: "{{NOPE}}"'), "NOPE"),
    late("placeholders in a circle", conf('A: "{{B}}"', 'B: "{{A}}"'), "circle"),
    late("variable that is not set", conf('MINE: "{{env:NOT_SET}}"'), "NOT_SET is not set"),
    # conf: YAML
    Case("YAML bomb", conf(bomb()), "unfolds to more than"),
    late("YAML bomb of merges", conf(merge_bomb()), "merges too many|unfolds to more than"),
    late("YAML that is too deep", conf("DEEP: " + "[" * 1000 + "]" * 1000), "is nested more than 40 levels"),
    late("a tab", conf("DOMAINS:", "\t- a.example.com"), "conf-prod.yml:6.*tab"),
    # conf: cron
    Case("a step of 61 minutes", job("*/61 * * * *"), r"'\*/61' as minute: the step 61"),
    Case("31 February", job("0 0 31 2 *"), "never comes"),
    late("six fields", job("0 0 0 1 1 *"), "6 fields"),
    late("a schedule that is no schedule", job("often"), "1 field"),
    late("a script that is not there", job("@daily", "gone.sh"), "gone.sh, which is not in scripts/"),
    # REMOTE_BASE
    late("REMOTE_BASE is missing", lambda ground: ground.write("conf-prod.yml", "OWNERSHIP: none\n"), "REMOTE_BASE"),
    Case("REMOTE_BASE is relative", base("live/notes"), 'REMOTE_BASE: found "live/notes"'),
    late("REMOTE_BASE leads up", base("/srv/../etc"), "without .."),
    late("REMOTE_BASE with half a character", base('"/srv/\\ud800"'), "REMOTE_BASE: found half of a character"),
    late("REMOTE_BASE with a long name", base("/srv/" + "x" * 256), "at most 1000 bytes, 255 a name"),
    late("REMOTE_BASE that is long", base("/srv" + "/x" * 500), "at most 1000 bytes, 255 a name"),
    late("REMOTE_BASE leads nowhere", dangling, "leads nowhere, or to where"),
    late("REMOTE_BASE is the root", base("/"), "not the root folder"),
    Case("REMOTE_BASE is a file", file_at_base, "is a file, not a folder"),
    late("REMOTE_BASE is below a file", file_above_base, "is a file, not a folder"),
    # the output
    Case("component that is absent", conf("COMPONENTS: {web: {sources: {web-dist: .}}}"), "needs web-dist/"),
    late("nothing to deploy", nothing_to_deploy, "holds nothing to deploy"),
    late("a part that was forgotten", forgotten_part, "this output brings nothing for it"),
    late("no uv.lock", no_lock_file, "pyproject.toml has no uv.lock beside it"),
    late("a broken uv.lock", broken_lock_file, "uv.lock: not a lock file"),
    late("migration that commits", migrations(a="CREATE TABLE t (a);\nCOMMIT;\n"), "migrations/a.sql:2: COMMIT"),
    late("migration without an end", migrations(a="INSERT INTO t VALUES ('a"), "the last statement has no end"),
    late("migration that is empty", migrations(a=""), "a.sql: the file is empty"),
    # the machine and the site
    Case("no uv", no_uv, "uv is not installed"),
    late("no Python that fits", no_fitting_python, "uv finds no Python"),
    Case("a folder in the place of a link", link_is_a_folder, "current-ui is a folder, not a link"),
    late("a file in the place of a link", link_is_a_file, "current-api is a file, not a link"),
    Case("a file in the place of an environment", environment_is_a_file, ".venv is a file, not an environment"),
    late("a file in the place of .mcc", own_folder_is_a_file, r"\.mcc"),
    late("a database that is none", no_database, "data.db"),
]


def marked(case: Case) -> ParameterSet:
    return pytest.param(case, marks=[pytest.mark.slow] if case.slow else [], id=case.name.replace(" ", "-"))


def is_refused(ground: Ground, says: str, *, stage: str = "prod", code: int = 2) -> bool:
    """One message that says so, and nothing is changed on disk."""
    before = ground.traces()
    done = ground.run("deploy", "--stage", stage)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert is_one_message(done.stderr), done.stderr
    assert re.search(says, done.stderr), done.stderr
    assert ground.traces() == before
    return True


@pytest.mark.parametrize("case", [marked(case) for case in CASES])
def test_bad_input_is_refused_in_one_message_and_changes_nothing(case: Case, first: Ground, tmp_path: Path) -> None:
    ground = Ground(tmp_path, first.site)
    case.change(ground)
    assert is_refused(ground, case.says, stage=case.stage)


def test_all_that_is_wrong_with_a_file_is_said_at_once(ground: Ground) -> None:
    ground.conf("API_PORT: 99999", "HEALTH_PATH: 7", "DOMAINS: [../../etc]", "BACKUP_ENABLED: yes")
    assert is_refused(ground, r"(?s)API_PORT.*HEALTH_PATH.*DOMAINS.*BACKUP_ENABLED")


@pytest.mark.slow
def test_jobs_need_the_crontab_command(ground: Ground) -> None:
    programs = ground.folder / "bin"
    ground.path = str(programs)
    job("@daily")(ground)
    assert is_refused(ground, "CRON_JOBS needs the crontab command")


def test_a_tag_is_not_obeyed(ground: Ground) -> None:
    witness = ground.folder / "witness"
    ground.conf(f'EVIL: !!python/object/apply:os.system ["touch {witness}"]')
    assert is_refused(ground, "tag")
    assert not witness.exists()


# Rights and room: what root may do anyway is taken from it, and a disk is as small as a test needs it.


@pytest.fixture
def humbly() -> tuple[str, ...]:
    """What goes before a command so that it has no more rights on files than their modes give it."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root needs setpriv to give rights away")
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def test_a_base_that_cannot_be_written_in_is_refused_with_the_line_that_helps(
    ground: Ground, humbly: tuple[str, ...]
) -> None:
    closed = ground.folder / "closed"
    closed.mkdir(mode=0o555)
    ground.conf(base=closed / "site")
    ground.wrapper = humbly
    assert is_refused(ground, rf"may not write in {closed}\n +as root: chown \S+ {closed}")


@pytest.mark.slow
def test_a_site_that_was_closed_is_refused(live: Ground, humbly: tuple[str, ...]) -> None:
    live.wrapper = humbly
    live.site.chmod(0o555)
    assert is_refused(live, f"may not write in {live.site}")
    live.site.chmod(0o755)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["lock", "releases.jsonl"])
def test_what_mcc_may_not_read_of_its_own_is_named(what: str, live: Ground, humbly: tuple[str, ...]) -> None:
    live.wrapper = humbly
    (live.site / ".mcc" / what).chmod(0)
    assert is_refused(live, f"Permission denied: .*{what}")
    done = live.run("status", "--site", str(live.site))
    assert done.returncode == 2
    assert is_one_message(done.stderr)


@pytest.fixture
def small_disk(ground: Ground) -> Iterator[Callable[[str], Path]]:
    """``small_disk("8m")`` is a folder on a disk of that size."""
    place = ground.folder / "disk"
    place.mkdir()

    def mount(size: str) -> Path:
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
        if os.geteuid() != 0 or subprocess.run(words, capture_output=True).returncode != 0:
            pytest.skip("a small disk needs root, and a kernel that lets it mount one")
        return place

    yield mount
    subprocess.run(["umount", "--lazy", str(place)], capture_output=True)


def test_a_disk_without_room_is_refused_with_what_is_needed(ground: Ground, small_disk: Callable[[str], Path]) -> None:
    ground.conf(base=small_disk("8m") / "site")
    assert is_refused(ground, r"no room: the release needs \d+ MB on the disk of \S+, 8 MB are free")


@pytest.mark.slow
def test_a_disk_that_fills_up_in_the_middle_leaves_the_site_as_it_was(
    ground: Ground, small_disk: Callable[[str], Path]
) -> None:
    """The probe of the release takes all the room that the check had found."""
    disk = small_disk("140m")
    ground.site = disk / "site"
    ground.conf()
    ground.good()
    before = contents(ground.site)
    ground.release("two")
    ground.python()
    ground.conf("PROBE: api.hungry")
    ground.write("api/hungry.py", HUNGRY.format(file=str(disk / "filler")))
    done = ground.deploy()
    assert done.returncode == 1
    assert "No space left on device" in done.stdout
    assert "code:      as before" in done.stdout
    assert "Traceback" not in done.stderr
    assert contents(ground.site) == before
    (disk / "filler").unlink()
    ground.write("api/hungry.py", "")
    ground.good()


HUNGRY = """\
import contextlib
with contextlib.suppress(OSError), open({file!r}, "wb", buffering=0) as file:
    while file.write(bytes(65536)):
        pass
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be root by mistake")
def test_root_does_not_recover_a_site_of_somebody_else(live: Ground) -> None:
    """What it undoes would be root's, and no deploy could go on from there."""
    os.chown(live.site / ".mcc", 65534, 65534)
    done = live.run("recover", "--site", str(live.site))
    assert done.returncode == 2
    assert is_one_message(done.stderr)
    assert "run it as nobody" in done.stderr


# What looks wrong and is right.


def test_migrations_with_quotes_and_spaces_in_their_names_run(live: Ground) -> None:
    names = ["001 it's", '002 "quoted"; DROP TABLE notes; --', "003 größe"]
    for number, name in enumerate(names):
        live.migration(name, f"CREATE TABLE t{number} (a)")
    live.good()
    with closing(sqlite3.connect(live.site / "data.db")) as database:
        assert [name for (name,) in database.execute("SELECT name FROM migrations ORDER BY id")] == names


@pytest.mark.slow
def test_numbers_in_quotes_and_foreign_keys_are_taken(ground: Ground) -> None:
    ground.conf('API_PORT: "8000"', "MY_OWN: {a: [1, 12:30]}", "COUNTRY: 'no'")
    ground.good("--plan")
