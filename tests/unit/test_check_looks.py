"""What looks conclude from what was read: sudo's list, nginx's sites, units, branches, locks, crontabs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcc.core.cron import look as crontab_look
from mcc.core.looks import branch_table, lock_step, sudo_list
from mcc.core.looks import nginx as nginx_look
from mcc.core.looks import unit as unit_look
from mcc.core.looks.branch_table import BranchTable
from mcc.core.looks.findings import Finding, count, error, green, in_groups, ok, warning, worst
from mcc.core.looks.nginx import Served
from mcc.core.looks.nginx_site import parse, read_sites
from mcc.core.looks.sudo_list import Meant, Right, read_list
from mcc.core.looks.unit import Expected
from mcc.core.sudo import chown, required, restart, status, sudoers_line
from mcc.model.conf import Conf, Server, Services
from mcc.model.config import Config, Stage

BASE = "/home/me/live/shop"


def codes(findings: Iterable[Finding]) -> list[str]:
    return [finding.code for finding in findings]


# ---- findings


def test_a_green_answer_may_have_warnings() -> None:
    good, bad, so_so = ok("a.x", "fine"), error("b.y", "there", "wrong", "mend it"), warning("a.z", "", "odd", "look")
    assert green([good, so_so])
    assert not green([good, bad])
    assert (worst([]), worst([good, so_so]), count([so_so, so_so], "warning")) == ("ok", "warning", 2)
    assert {name: codes(found) for name, found in in_groups([good, bad, so_so]).items()} == {
        "a": ["a.z", "a.x"],
        "b": ["b.y"],
    }
    assert str(bad) == "there: wrong (mend it)"


# ---- sudo

LISTED = r"""Matching Defaults entries for me on box:
    env_reset, mail_badpass, secure_path=/usr/local/sbin\:/usr/local/bin

User me may run the following commands on box:
    (root) NOPASSWD: /bin/systemctl restart shop.service, /usr/bin/systemctl status shop.service
    (root) NOPASSWD: /usr/bin/chown -R www-data\:me /home/me/live/shop/api, PASSWD: /bin/ls, NOPASSWD:
        /bin/cat /tmp/a\,b
    (ALL : ALL) ALL
"""


def test_rules_are_read_with_their_tags_escapes_and_broken_lines() -> None:
    found = [(right.plain, right.password) for right in read_list(LISTED)]
    assert found == [
        ("/bin/systemctl restart shop.service", False),
        ("/bin/systemctl status shop.service", False),
        ("/bin/chown -R www-data:me /home/me/live/shop/api", False),
        ("/bin/ls", True),
        ("/bin/cat /tmp/a,b", False),
        ("/bin/ALL", True),
    ]


def test_nobody_without_rules_has_any() -> None:
    assert read_list("Sorry, user me may not run sudo on box.\n") == ()
    assert read_list("") == ()


def rules(*commands: str, password: bool = False) -> list[Right]:
    return [Right(command, password) for command in commands]


MEANT = Meant("me", (restart("shop.service"),), (status("shop.service"),), frozenset({"shop.service"}), (BASE,))


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("ALL", "sudo.all"),
        ("/bin/systemctl restart shop*", "sudo.wildcard"),
        ("/bin/systemctl restart [a-z]", "sudo.wildcard"),
        ("/bin/cat ^/var/.*$", "sudo.wildcard"),
        ("/bin/systemctl", "sudo.any-arguments"),
        ("/usr/bin/chown", "sudo.any-arguments"),
        ("/bin/systemctl restart nginx.service", "sudo.other-unit"),
        ("/bin/systemctl daemon-reload", "sudo.other-unit"),
        ("/bin/systemctl restart shop.service nginx.service", "sudo.other-unit"),
        ("/usr/bin/apt-get install", "sudo.other"),
        (rf"/bin/chown -R www-data\:me {BASE}/../other", "sudo.other"),
        (rf"/bin/chown -R www-data\:me {BASE}-dev/api", "sudo.other"),
        (r"/bin/chown -R www-data\:me /etc", "sudo.other"),
    ],
)  # fmt: skip
def test_what_is_broader_is_named(command: str, code: str) -> None:
    have = rules("/bin/systemctl restart shop.service", command)
    (finding,) = sudo_list.judge(have, MEANT)
    assert (finding.code, finding.level) == (code, "warning")
    assert command.replace("\\", "").removeprefix("/usr").removeprefix("/bin/") in finding.message or code == "sudo.all"


@pytest.mark.parametrize(
    "command",
    [
        "/usr/bin/systemctl status shop.service",
        "/bin/systemctl stop shop.service",
        rf"/usr/bin/chown -R www-data\:me {BASE}/data",
        f"/bin/chmod -R g+rw {BASE}/ui",
    ],
)
def test_what_a_site_may_need_is_not_broad(command: str) -> None:
    assert codes(sudo_list.judge(rules("/bin/systemctl restart shop.service", command), MEANT)) == []


def test_what_mcc_itself_proposes_is_never_too_broad() -> None:
    """The line of a refusal, as sudo lists it."""
    conf = Conf(Path("c"), Server(Path(BASE)), services=Services(names=("a.service", "b-c.service")))
    words = (*required(conf), chown("www-data", "me", f"{BASE}/api"))
    line = sudoers_line("me", *words).partition("NOPASSWD: ")[2]
    listed = f"User me may run the following commands on box:\n    (root) NOPASSWD: {line}\n"
    meant = Meant("me", words, (), frozenset(conf.services.all), (BASE,))
    assert codes(sudo_list.judge(read_list(listed), meant)) == []


def test_what_is_needed_is_not_broad_wherever_it_leads() -> None:
    """Owners are set in a component's folder that a conf puts elsewhere."""
    words = chown("www-data", "me", "/srv/else")
    assert codes(sudo_list.judge(rules(r"/usr/bin/chown -R www-data\:me /srv/else"), Meant("me", (words,), ()))) == []


def test_a_rule_that_asks_for_a_password_is_no_right() -> None:
    asks = rules("/bin/systemctl restart shop.service", password=True)
    assert codes(sudo_list.judge([*asks, *rules("/bin/ls -l")], MEANT)) == ["sudo.password", "sudo.other"]
    assert codes(sudo_list.judge(rules("ALL", password=True), MEANT)) == ["sudo.password"]
    assert codes(sudo_list.judge([*asks, *rules("ALL")], MEANT)) == ["sudo.all"]


# ---- nginx

SITE = """
# a comment { with marks ;
server { listen 80; server_name shop.example.com; return 301 https://$host$request_uri; }
upstream app { server 127.0.0.1:8000; server unix:/run/x.sock; }
server {
    listen 443 ssl http2;
    server_name shop.example.com www.shop.example.com;
    root "/home/me/live/shop/current-ui";
    if (-f /home/me/live/shop/maintenance/on) { return 503; }
    location = /page.html { root /home/me/live/shop/maintenance; }
    location /api/ { proxy_pass http://app; }
    location /files/ { alias /home/me/live/shop/data/files/; }
}
"""
SERVED = Served(BASE, ("shop.example.com", "www.shop.example.com"), ("current-api", "current-ui"), 8000)


def look(text: str, served: Served = SERVED, **more: str) -> list[str]:
    return [f"{finding.code} {finding.where}" for finding in nginx_look.judge(read_sites({"s": text, **more}), served)]


def test_a_site_that_serves_the_links_is_fine() -> None:
    assert look(SITE) == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (" www.shop.example.com", "", ["nginx.domain www.shop.example.com"]),
        ("443 ssl http2", "8080", ["nginx.domain shop.example.com", "nginx.domain www.shop.example.com"]),
        ("shop/current-ui", "shop/ui/vrs-2026-01-01T000000", ["nginx.root s:8"]),
        ("shop/current-ui", "shop/current-ui/../ui", ["nginx.root s:8"]),
        ("shop/current-ui", "shop/current-ui-old", ["nginx.root s:8"]),
        ("127.0.0.1:8000", "127.0.0.1:8001", ["nginx.port s:11"]),
        ("http://app", "http://localhost:9000/", ["nginx.port s:11"]),
    ],
)
def test_a_site_that_looks_elsewhere_is_named_with_its_line(old: str, new: str, found: list[str]) -> None:
    assert look(SITE.replace(old, new)) == found


def test_names_may_be_patterns() -> None:
    for names in ("*.example.com", ".example.com", r"~^(www\.)?shop\.example\.com$"):
        wide = SITE.replace("shop.example.com www.shop.example.com", names)
        assert look(wide, Served(BASE, ("www.shop.example.com",), ("current-ui",), 8000)) == []


def test_what_cannot_be_known_is_not_complained_about() -> None:
    """Variables, other machines, sockets, other people's sites."""
    for target in ("http://$backend", "http://10.0.0.5:9000", "http://unix:/run/shop.sock", "https://elsewhere.com"):
        assert look(SITE.replace("http://app", target)) == []
    assert (
        look(SITE, other="server { listen 443 ssl; server_name x.org; location / { proxy_pass http://127.0.0.1:1; } }")
        == []
    )


def test_a_name_in_two_files_is_named() -> None:
    assert look(SITE, t=SITE) == ["nginx.domain-twice shop.example.com", "nginx.domain-twice www.shop.example.com"]


@given(st.text(alphabet="{};#\"'\\ \nabc$server/", max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    parse(text)
    read_sites({"f": text})


# ---- units

WELL = {
    "LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no",
    "Type": "simple", "Restart": "always", "StartLimitIntervalUSec": "0", "StartLimitBurst": "5",
    "WorkingDirectory": f"{BASE}/current-api", "User": "www-data",
    "ExecStart": f"{{ path=/x ; argv[]={BASE}/.venv/bin/uvicorn api.main:app ; ignore_errors=no ; }}",
    "EnvironmentFiles": f"{BASE}/.env (ignore_errors=yes)", "TriggeredBy": "",
}  # fmt: skip
EXPECTED = Expected(BASE, ("current-api", "current-ui"), "www-data", "me", worker=False, live=True, variables=True)


# As provision's units load it, as their own user.
ITSELF = WELL | {
    "EnvironmentFiles": "",
    "ExecStart": f"{{ path=/x ; argv[]=/usr/bin/perl /x.pl {BASE}/logs/u.log {BASE}/.env {BASE}/.venv/bin/x ; }}",
}


def test_a_unit_that_fits_is_fine() -> None:
    assert codes(unit_look.judge("u", WELL, EXPECTED)) == []
    assert codes(unit_look.judge("u", ITSELF, EXPECTED)) == []


def test_who_reads_the_variables_must_be_able_to() -> None:
    """A unit whose own user reads .env cannot start without; systemd, or the deploy user, can always read it."""
    closed = dataclasses.replace(EXPECTED, readable=False)
    (found,) = unit_look.judge("u", ITSELF, closed)
    assert (found.code, found.level) == ("units.variables-closed", "error")
    assert found.help.startswith("setfacl --set u::rw-,u:www-data:r--,g::---,m::r--,o::--- ")
    assert codes(unit_look.judge("u", WELL, closed)) == []
    worker = dataclasses.replace(closed, worker=True)
    assert codes(unit_look.judge("w", ITSELF | {"User": "me"}, worker)) == []


def test_of_several_files_of_variables_each_counts() -> None:
    files = (f"{BASE}/.env (ignore_errors=no)", "/etc/x (ignore_errors=no)")
    shown = unit_look.read_shown("Id=u\n" + "".join(f"EnvironmentFiles={file}\n" for file in files))
    assert unit_look.loaded_by(shown["u"], BASE) == "systemd"
    assert unit_look.loaded_by(shown["u"], f"{BASE}-dev") == ""


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("WorkingDirectory", f"{BASE}/api/vrs-2026-01-01T000000", "units.folder"),
        ("WorkingDirectory", f"{BASE}-dev/current-api", "units.folder"),
        ("ExecStart", "{ path=/x ; argv[]=/opt/venv/bin/uvicorn x ; }", "units.environment"),
        ("ExecStart", f"{{ path=/x ; argv[]=/bin/sh -c exec {BASE}/venvs/0a/bin/uvicorn x ; }}", "units.environment"),
        ("User", "nobody", "units.user"),
        ("User", "", "units.user"),
        ("User", "me", "units.user"),
        ("StartLimitIntervalUSec", "10s", "units.start-limit"),
        ("Restart", "no", "units.restart"),
        ("EnvironmentFiles", "", "units.variables"),
        ("NeedDaemonReload", "yes", "units.reload"),
        ("ActiveState", "failed", "units.down"),
        ("UnitFileState", "disabled", "units.disabled"),
    ],
)  # fmt: skip
def test_each_way_in_which_a_unit_does_not_fit_is_named(key: str, value: str, code: str) -> None:
    assert codes(unit_look.judge("u", {**WELL, key: value}, EXPECTED)) == [code]


def test_a_worker_may_run_as_the_deploy_user_and_a_socket_may_rest_its_service() -> None:
    worker = Expected(BASE, EXPECTED.links, "www-data", "me", worker=True, live=True, variables=True)
    assert codes(unit_look.judge("w", {**WELL, "User": "me"}, worker)) == []
    resting = {**WELL, "ActiveState": "inactive", "TriggeredBy": "u.socket", "UnitFileState": "disabled"}
    assert codes(unit_look.judge("u", resting, EXPECTED)) == []
    assert codes(unit_look.judge("u", {"LoadState": "not-found"}, EXPECTED)) == []


def test_properties_of_several_units_are_told_apart() -> None:
    shown = unit_look.read_shown("Id=a.service\nUser=x=y\n\nId=b.service\nUser=\n")
    assert shown == {"a.service": {"Id": "a.service", "User": "x=y"}, "b.service": {"Id": "b.service", "User": ""}}


# ---- branches


def config(**patterns: tuple[str | None, str | None]) -> Config:
    stages = (Stage(name, allow, auto, line=number) for number, (name, (allow, auto)) in enumerate(patterns.items(), 2))
    return Config(Path("config.yml"), tuple(stages))


def test_the_table_says_what_each_branch_would_trigger() -> None:
    found = branch_table.branch_table(
        config(prod=("^main$", "^main$"), dev=(".*", "^main$"), never=("-", None)), ["main", "x"]
    )
    assert found == BranchTable(
        ("prod", "dev", "never"), (("main", ("auto", "auto", "-")), ("x", ("-", "allowed", "-")))
    )


@pytest.mark.parametrize(
    ("pattern", "branches", "shown"),
    [
        ("main", ["main", "main-2"], "main-2"),
        ("^release/", ["main", "release/1"], "release/1"),
        ("main$", ["main", "not-main"], "not-main"),
        ("main", ["main"], "main-old"),
    ],
)
def test_a_pattern_that_meant_more_is_shown_with_what_it_took(pattern: str, branches: list[str], shown: str) -> None:
    """The older script matched a part of the name; here the whole name must match."""
    found = [
        each
        for each in branch_table.judge(config(prod=(pattern, None)), branches)
        if each.code == "branches.whole-name"
    ]
    (finding,) = found
    assert (finding.where, shown in finding.message) == ("config.yml:2", True)
    wider = finding.help.split('"')[1]
    assert codes(branch_table.judge(config(prod=(wider, None)), [*branches, shown])) == []


def test_patterns_that_say_the_same_either_way_are_fine() -> None:
    assert codes(branch_table.judge(config(prod=("^main$", "^main$"), dev=(".*", "-")), ["main", "x"])) == []


def test_patterns_for_nobody_and_in_vain_are_named() -> None:
    assert codes(branch_table.judge(config(prod=("^live$", None)), ["main"])) == ["branches.nobody"]
    assert codes(branch_table.judge(config(prod=("^main$", ".*")), ["main", "x"])) == ["branches.in-vain"]


# ---- lock, crontab

LOCK = '[[package]]\nname = "fast-api"\n[[package]]\nname = "uvicorn"\n'


def test_a_lock_that_lacks_a_dependency_is_stale() -> None:
    wanted = '[project]\ndependencies = ["Fast_API[all]>=1; python_version>\'3\'", "uvicorn @ https://x"]\n'
    assert lock_step.missing(wanted, LOCK) == ()
    assert lock_step.missing(wanted.replace("uvicorn @ https://x", "left.pad ~= 1"), LOCK) == ("left.pad",)
    assert lock_step.missing('[dependency-groups]\ndev = ["ruff", {include-group = "x"}]\n', LOCK) == ("ruff",)
    assert lock_step.missing("[tool.x]\n", LOCK) == ()


SITE_PATH = Path(BASE)
BLOCK = f"# BEGIN mcc {BASE}\n# M\n* * * * * cd {BASE}/scripts && ./a.sh\n# END mcc {BASE}\n"


def crontab(text: str, wanted: bool = True) -> list[str]:
    return codes(crontab_look.judge(text.encode(), SITE_PATH, wanted))


def test_lines_that_run_twice_or_beside_the_block_are_named() -> None:
    assert crontab(BLOCK) == []
    assert crontab(f"0 1 * * * cd {BASE}/scripts && ./a.sh\n{BLOCK}") == ["crontab.double"]
    assert crontab(f"{BLOCK}5 5 * * * {BASE}/scripts/b.sh\n") == ["crontab.beside"]
    assert crontab("") == ["crontab.block"]
    assert crontab("", wanted=False) == []


def test_lines_of_others_are_theirs() -> None:
    """Another site whose name begins alike, and twice the same line of somebody else's."""
    assert crontab(f"{BLOCK}* * * * * {BASE}-dev/scripts/a.sh\n* * * * * true\n* * * * * true\n") == []
    assert crontab_look.sites_in(BLOCK.encode()) == (SITE_PATH,)
