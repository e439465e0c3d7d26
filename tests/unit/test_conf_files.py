"""``conf-{stage}.yml``: what is taken, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcc.core.conf.placeholders import fill
from mcc.core.conf.schema import known_keys
from mcc.core.conf.unfit import Unfit
from mcc.core.conf.values import to_conf
from mcc.core.cron.crontab import job_lines, unquoted_commands
from mcc.core.layout import Site
from mcc.errors import ConfigError
from mcc.host.yaml import parse
from mcc.model.conf import Component, Conf, CronJob, EmbeddedService, SiteFile

HEAD = "REMOTE_BASE: /srv/site\nOWNERSHIP: none\n"


class Outside:
    def variable(self, name: str) -> str:
        return f"secret-{name}"

    def file(self, path: str) -> str:
        raise Unfit("no files here")


def conf(text: str, head: str = HEAD) -> Conf:
    document = parse(head + text, "conf.yml")
    return to_conf(document, fill(document, Outside()), Path("conf.yml"))


def said(text: str, head: str = HEAD) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        conf(text, head)
    return [str(problem) for problem in caught.value.problems]


PORT = "(allowed: a whole number from 1 to 65535)"
BASE = "an absolute path such as /home/deploy/live/myapp"
UNIT = "(allowed: the name of a unit, such as myapp-prod.service)"
HOST = "(allowed: a host name such as app.example.com)"
PATH = "a path on the site that begins with /, such as /api/health"
KEPT = "(allowed: a whole number, 0 or more)"
LIST = '(allowed: a list, each entry on a line that begins with "- ")'
WORDS = 'a list of words, or one text, such as "--no-dev --extra prod"'
RELATIVE = "(allowed: a relative path without ..)"
PLAIN = "(allowed: a relative path of letters, digits and . _ - + = @ , : without .. and without spaces)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("API_PORT: 99999", f"API_PORT: found 99999 {PORT}"),
        ("API_PORT: 0", f"API_PORT: found 0 {PORT}"),
        ("API_PORT: true", f"API_PORT: found true {PORT}"),
        ("API_PORT: 80.5", f"API_PORT: found 80.5 {PORT}"),
        ('API_PORT: "80a"', f'API_PORT: found "80a" {PORT}'),
        ("API_PORT: [1]", f"API_PORT: found a list {PORT}"),
        ("REMOTE_PORT: 70000", f"REMOTE_PORT: found 70000 {PORT}"),
        ("WORKERS: 0", "WORKERS: found 0 (allowed: a whole number, 1 or more)"),
        ("BACKUP_RETENTION_DAILY: -1", f"BACKUP_RETENTION_DAILY: found -1 {KEPT}"),
        ('BACKUP_RETENTION_WEEKLY: "-2"', f'BACKUP_RETENTION_WEEKLY: found "-2" {KEPT}'),
        ("HEALTH_PATH: 7", f"HEALTH_PATH: found 7 (allowed: {PATH})"),
        ("HEALTH_PATH: health", f'HEALTH_PATH: found "health" (allowed: {PATH})'),
        ("STAGE: 7", "STAGE: found 7 (allowed: text (put it in quotes))"),
        ('STAGE: ""', 'STAGE: found "" (allowed: text)'),
        (
            "PROTECTED: Yes",
            "PROTECTED: found Yes without quotes, which some programs read as true "
            '(write true, or "Yes" in quotes for the word)',
        ),
        (
            "MY: {deep: [off]}",
            "MY.deep[1]: found off without quotes, which some programs read as false "
            '(write false, or "off" in quotes for the word)',
        ),
        ('PROTECTED: "yes"', 'PROTECTED: found "yes" (allowed: true or false)'),
        (
            "DATABASE: postgres",
            'DATABASE: found "postgres" (allowed: sqlite, postgresql, none; did you mean postgresql?)',
        ),
        ("SERVICE_MANAGER: 3", "SERVICE_MANAGER: found 3 (allowed: systemd, embedded, none)"),
        ("DOMAINS: app.example.com", f'DOMAINS: found "app.example.com" {LIST}'),
        ("DOMAINS: [../../etc]", f'DOMAINS[1]: found "../../etc" {HOST}'),
        ("DOMAINS: [a.b, -x.de]", f'DOMAINS[2]: found "-x.de" {HOST}'),
        ("DOMAINS: [7]", f"DOMAINS[1]: found 7 {HOST}"),
        ("DOMAIN: a_b.de", f'DOMAIN: found "a_b.de" {HOST}'),
        ("DOMAIN: a.de/", f'DOMAIN: found "a.de/" {HOST}'),
        (
            "DOMAIN: bücher.example",
            'DOMAIN: found "bücher.example" '
            "(allowed: a host name such as app.example.com, in ASCII: xn--bcher-kva.example)",
        ),
        ("DOMAINS: [a.de, b.de, A.de]", "DOMAINS[3]: a.de stands here and on line 3"),
        ("DOMAINS: [a.de]\nDOMAIN: b.de", "DOMAINS: stands beside DOMAIN (keep one of the two)"),
        ("SERVICES: a.service", f'SERVICES: found "a.service" {LIST}'),
        ("SERVICES: [a.service]\nSERVICE_NAME: b", "SERVICES: stands beside SERVICE_NAME (keep one of the two)"),
        ("SERVICES: [a, b, a]", "SERVICES[3]: a stands here and on line 3"),
        ("SERVICE_NAME: a\nWORKER_SERVICE_NAME: a", "WORKER_SERVICE_NAME: a stands here and on line 3"),
        ("SERVICE_NAME: -a", f'SERVICE_NAME: found "-a" {UNIT}'),
        ("SERVICE_NAME: a b", f'SERVICE_NAME: found "a b" {UNIT}'),
        ("WORKER_SERVICE_NAME: [a;b]", f'WORKER_SERVICE_NAME[1]: found "a;b" {UNIT}'),
        ("APP_SERVER: waitress", 'APP_SERVER: found "waitress" (allowed: uvicorn, gunicorn)'),
        ("TLS: yes please", 'TLS: found "yes please" (allowed: certbot, files, none)'),
        (
            "TLS: files\nTLS_KEY: /k",
            "TLS_CERTIFICATE: is missing, and TLS: files needs it (the path of the certificate with its chain)",
        ),
        ("TLS: files\nTLS_CERTIFICATE: /c", "TLS_KEY: is missing, and TLS: files needs it (the path of the key)"),
        (
            "TLS_KEY: ../k",
            'TLS_KEY: found "../k" (allowed: an absolute path without .., such as /etc/ssl/certs/app.pem)',
        ),
        ("CERTBOT_EMAIL: -x@y", 'CERTBOT_EMAIL: found "-x@y" (allowed: an address of mail, such as admin@example.com)'),
        (
            "API_PREFIX: api",
            'API_PREFIX: found "api" (allowed: a path that begins with /, of letters, digits and . _ ~ -, '
            "such as /api/)",
        ),
        ("BODY_LIMIT: 20 MB", 'BODY_LIMIT: found "20 MB" (allowed: a size such as 20m, 500k or 1g)'),
        (
            "RATE_LIMIT: 20",
            "RATE_LIMIT: found 20 (allowed: a number of requests a second or a minute, such as 20r/s or 600r/m)",
        ),
        ("NGINX_SITE: a/b", 'NGINX_SITE: found "a/b" (allowed: a name of letters, digits and . _ - + = @ , :)'),
        (
            'WORKER_COMMAND: "run --key {{API_KEY}}"\nAPI_KEY: abcdefgh',
            "WORKER_COMMAND: holds a secret, and other users of the machine could read it there "
            "(let the program read it from REMOTE_BASE/.env)",
        ),
        ("REMOTE_HOSTS: [a]\nREMOTE_HOST: b", "REMOTE_HOSTS: stands beside REMOTE_HOST (keep one of the two)"),
        ("REMOTE_HOST: -oProxyCommand=x", 'REMOTE_HOST: found "-oProxyCommand=x" (allowed: a host name or an address)'),
        ("REMOTE_USER: -x", 'REMOTE_USER: found "-x" (allowed: the name of a user or group, such as www-data)'),
        (
            "SMOKE_URLS: [ftp://x/]",
            'SMOKE_URLS[1]: found "ftp://x/" (allowed: an address such as https://app.example.com/health)',
        ),
        (
            "SMOKE_TIMEOUT: 0",
            "SMOKE_TIMEOUT: found 0 (allowed: a number of seconds, more than 0 and not more than a day (86400))",
        ),
        ("SMOKE_TIMEOUT: .nan", "SMOKE_TIMEOUT: found NaN (allowed: a number of seconds, more than 0)"),
        ("PROBE: a-b", 'PROBE: found "a-b" (allowed: the dotted name of a Python module, such as api.main)'),
        ("UV_SYNC_ARGS: 3", f"UV_SYNC_ARGS: found 3 (allowed: {WORDS})"),
        ("UV_SYNC_ARGS: 'a \"b'", f'UV_SYNC_ARGS: found "a \\"b" (allowed: {WORDS}, with every quote closed)'),
        (
            'UV_SYNC_ARGS: ["--index", "{{env:INDEX}}"]',
            "UV_SYNC_ARGS[2]: holds a secret, and other users of the machine could read it there "
            "(let the program read it from REMOTE_BASE/.env)",
        ),
        ("DB_PASSWORD: 123456", "DB_PASSWORD: found a value that is not allowed (allowed: text (put it in quotes))"),
        ("MIGRATIONS_DIR: ../m", f'MIGRATIONS_DIR: found "../m" {RELATIVE}'),
        ("SITE_FILES: [a, /b]", f'SITE_FILES: found "/b" {RELATIVE}'),
        ("SITE_FILES: {a: x, b: x}", "SITE_FILES.b: x has two sources"),
        ("SITE_FILES: {a: .mcc/lock}", "SITE_FILES.a: .mcc/lock is a place that the deploy itself fills"),
        ("SITE_FILES: {a: current-api}", "SITE_FILES.a: current-api is a place that the deploy itself fills"),
        ("COMPONENTS: [api]", "COMPONENTS: found a list (allowed: a mapping)"),
        ("COMPONENTS: {api: {}}", "COMPONENTS.api.sources: is missing"),
        ("COMPONENTS: {api: {sources: {}}}", "COMPONENTS.api.sources: found nothing (allowed: at least one entry)"),
        ("COMPONENTS: {api: {sources: {../api: api}}}", f'COMPONENTS.api.sources.../api: found "../api" {RELATIVE}'),
        ("COMPONENTS: {a: {sources: {a: x, b: x}}}", "COMPONENTS.a.sources.b: x is also where a goes"),
        (
            "COMPONENTS: {a: {sources: {a: a}, link: {}}}",
            "COMPONENTS.a.link: is not a known key (did you mean links?; known: folder, sources, links, environment)",
        ),
        (
            "COMPONENTS: {a: {folder: v, sources: {a: a}}, b: {folder: v, sources: {b: b}}}",
            "COMPONENTS.b.folder: v is also the folder of a, or one lies in the other",
        ),
        (
            "COMPONENTS: {a: {sources: {a: a}, links: {x: .}}, b: {sources: {b: b}, links: {x: .}}}",
            "COMPONENTS.b.links.x: is also a link of a",
        ),
        (
            "COMPONENTS: {a: {sources: {a: a}, links: {.venv: .}}}",
            "COMPONENTS.a.links..venv: is a name that the site keeps for something else",
        ),
        (
            "COMPONENTS: {logs: {sources: {a: a}}}",
            "COMPONENTS.logs.folder: logs is a folder that the site keeps for something else",
        ),
        ("COMPONENTS: {a: {sources: {a: a}, links: {a: .}}}", "COMPONENTS.a.links.a: is also the folder of a"),
        (
            "SERVICE_MANAGER: embedded\nSERVICE_NAME: app",
            "EMBEDDED_SERVICES.app: is missing, and SERVICE_MANAGER: embedded needs it (give its command)",
        ),
        (
            "EMBEDDED_SERVICES: {app: {command: []}}",
            "EMBEDDED_SERVICES.app.command: found nothing (allowed: at least one entry)",
        ),
        (
            "EMBEDDED_SERVICES: {app: {command: x, listen: 8000}}",
            "EMBEDDED_SERVICES.app.listen: found 8000 (allowed: an address and a port, such as 127.0.0.1:8000)",
        ),
        (
            'EMBEDDED_SERVICES: {app: {command: "x {{env:Y}}"}}',
            "EMBEDDED_SERVICES.app.command: holds a secret, and other users of the machine could read it there "
            "(put it into the service's environment)",
        ),
        ("CRON_JOBS: {a: 1}", f"CRON_JOBS: found a mapping {LIST}"),
        ("CRON_JOBS: [{script: a.sh}]", "CRON_JOBS[1].schedule: is missing"),
        ("CRON_JOBS: [{schedule: '@daily', script: ../a.sh}]", f'CRON_JOBS[1].script: found "../a.sh" {PLAIN}'),
        ("CRON_JOBS: [{schedule: '@daily', script: a;b}]", f'CRON_JOBS[1].script: found "a;b" {PLAIN}'),
        ("CRON_JOBS: [{schedule: '@daily', script: a.sh, log: /x}]", f'CRON_JOBS[1].log: found "/x" {PLAIN}'),
        (
            'CRON_JOBS: [{schedule: "@daily", script: a.sh, marker: "a\\nb"}]',
            'CRON_JOBS[1].marker: found "a\\nb" (allowed: text, on one line and without control characters)',
        ),
        (
            "CRON_JOBS:\n  - {schedule: '@daily', script: a, marker: M}\n"
            "  - {schedule: '@daily', script: b, marker: M}",
            "CRON_JOBS[2].marker: M is also the marker of the job on line 4 (give each job its own)",
        ),
        (
            "CRON_JOBS: |\n  PATH=/bin\n",
            "CRON_JOBS: line 1 of the text: sets a variable, which would change the jobs of others; "
            "put it in front of the command",
        ),
        (
            "CRON_JOBS: '* * * * *'",
            'CRON_JOBS: line 1 of the text: found "* * * * *", allowed: a schedule and a command',
        ),
    ],
)
def test_each_mistake_gets_one_exact_message(text: str, message: str) -> None:
    (problem,) = said(text)
    place, _, words = problem.partition(": ")
    assert words == message
    assert place.startswith("conf.yml")


@pytest.mark.parametrize("schedule", ["*/61 * * * *", "0 2 31 2 *", "nonsense", "* * * *"])
def test_a_schedule_that_is_malformed_or_never_comes_is_refused_in_all_three_places(schedule: str) -> None:
    text = f"CRON_JOBS: [{{schedule: '{schedule}', script: a.sh}}]\nBACKUP_SCHEDULE: '{schedule}'\n"
    problems = said(text)
    assert [problem.split(": ")[1] for problem in problems] == ["CRON_JOBS[1].schedule", "BACKUP_SCHEDULE"]
    assert said(f"CRON_JOBS: '{schedule} /bin/true x y z'")


@pytest.mark.parametrize(
    ("base", "words"),
    [
        ("live/site", 'found "live/site"'),
        ("~/site", 'found "~/site"'),
        ("/", "not the root folder"),
        ("//", "not the root folder"),
        ("/srv/../etc", "without .."),
        ('"/srv/a\\nb"', "without control characters"),
        ("7", "found 7"),
        ("[]", "found a list"),
    ],
)
def test_a_base_that_is_no_absolute_path_is_refused(base: str, words: str) -> None:
    (problem,) = said("OWNERSHIP: none", head=f"REMOTE_BASE: {base}\n")
    assert problem.startswith("conf.yml:1: REMOTE_BASE: found ")
    assert words in problem
    assert BASE in problem


def test_a_base_is_normalised_and_one_with_a_space_works_with_a_warning() -> None:
    read = conf("OWNERSHIP: none", head="REMOTE_BASE: //srv//my site/./a/\n")
    assert read.server.base == Path("/srv/my site/a")
    assert read.warnings == ("conf.yml:1: REMOTE_BASE: holds a space, which units and scripts must quote",)


def test_a_misspelt_base_is_named() -> None:
    assert said("OWNERSHIP: none", head="REMOTE_BSE: /x\n") == [
        "conf.yml: REMOTE_BASE: is missing (did you mean REMOTE_BASE, where it says REMOTE_BSE?)"
    ]


def test_the_path_of_a_key_is_no_secret_and_each_domain_is_filled_in_later() -> None:
    made = conf('DOMAIN: a.example\nTLS: files\nTLS_CERTIFICATE: "/c/{{DOMAIN}}.pem"\nTLS_KEY: "/k/{{DOMAIN}}.key"')
    assert (made.web.certificate, made.web.key) == ("/c/{{DOMAIN}}.pem", "/k/{{DOMAIN}}.key")
    assert made.secrets == frozenset()


def test_prefixes_end_with_a_slash_and_one_stands_for_a_list() -> None:
    assert conf("API_PREFIX: /api").web.prefixes == ("/api/",)
    assert conf("API_PREFIX: [/api/, /ws]").web.prefixes == ("/api/", "/ws/")
    assert conf("API_PREFIX: /").web.prefixes == ("/",)


def test_a_template_unit_is_a_name_that_a_conf_may_have() -> None:
    """What is done with it is for the commands to say."""
    assert conf("SERVICE_NAME: app@.service").services.names == ("app@.service",)


def test_ownership_by_sudo_is_the_default_and_needs_user_and_group() -> None:
    assert said("STAGE: x", head="REMOTE_BASE: /x\n") == [
        "conf.yml: DIR_USER: is missing, and OWNERSHIP: sudo needs it (DIR_USER: www-data, or OWNERSHIP: none)",
        "conf.yml: DIR_GROUP: is missing, and OWNERSHIP: sudo needs it (DIR_GROUP: deploy, or OWNERSHIP: none)",
    ]


def test_ownership_by_acl_needs_the_service_user_alone() -> None:
    assert said("OWNERSHIP: acl", head="REMOTE_BASE: /x\n") == [
        "conf.yml: DIR_USER: is missing, and OWNERSHIP: acl needs it (DIR_USER: www-data, or OWNERSHIP: none)",
    ]
    assert conf("OWNERSHIP: acl\nDIR_USER: www-data", head="REMOTE_BASE: /x\n").ownership.mode == "acl"


def test_all_problems_of_a_file_come_at_once_in_the_order_of_its_lines() -> None:
    text = 'API_PORT: 0\nDOMAINS: [a.de, a.de, ..]\nX: "{{NO}}"\nPROTECTED: no\nHEALTH_PATH: "{{X}}"\nWORKERS: x\n'
    lines = [int(problem.split(":")[1]) for problem in said(text)]
    assert lines == [3, 4, 4, 5, 6, 8]


def test_no_secret_shows_in_a_message() -> None:
    problems = said(
        'PORT_SECRET: "9876543"\nAPI_PORT: "{{PORT_SECRET}}"\nSTAGE: "{{env:X}}\\n"\nWORKERS: "{{env:Y}}"\n'
    )
    assert len(problems) == 3
    assert not any("9876543" in problem or "secret-" in problem for problem in problems)


def test_numbers_and_truth_may_stand_in_quotes_and_behind_placeholders() -> None:
    read = conf('API_PORT: "6784"\nPROTECTED: "true"\nSMOKE_TIMEOUT: "2.5"\nREMOTE_PORT: "{{API_PORT}}"\n')
    assert (read.api_port, read.protected, read.smoke.timeout, read.server.port) == (6784, True, 2.5, 6784)


def test_a_key_without_a_value_counts_as_not_given() -> None:
    read = conf("DOMAINS:\nAPI_PORT: ~\n")
    assert (read.domains, read.api_port) == ((), None)


def test_defaults_are_those_of_the_documentation() -> None:
    read = conf("")
    assert read.smoke.health_path == "/api/public/health/health"
    assert (read.smoke.urls, read.smoke.timeout) == (None, 10.0)
    assert read.backup.path == "/srv/site/backups"
    assert (read.backup.daily, read.backup.weekly, read.backup.monthly) == (7, 4, 0)
    assert (read.services.manager, read.services.start_timeout, read.services.stable_for) == ("systemd", 30, 3)
    assert read.components is None


def test_an_empty_list_of_smoke_addresses_is_not_the_same_as_none() -> None:
    assert conf("SMOKE_URLS: []").smoke.urls == ()


def test_other_keys_are_kept_and_likely_typing_errors_are_warned_of() -> None:
    read = conf("DOMIANS: [a]\nUI_PORT: 3\nSERVICE_NAMES: x\n")
    assert read.values["UI_PORT"] == 3
    assert read.warnings == (
        "conf.yml:3: DOMIANS: is not a key that mcc knows; it is kept for your own use (did you mean DOMAINS?)",
        "conf.yml:5: SERVICE_NAMES: is not a key that mcc knows; it is kept for your own use "
        "(did you mean SERVICE_NAME?)",
    )


def test_components_can_share_one_folder_with_links_into_it() -> None:
    read = conf(
        "COMPONENTS:\n  app:\n    folder: versions\n"
        "    sources: {src/api: api, src/shared/: shared, ui-dist: ui}\n"
        "    links: {current-api: ., current-ui: ui}\n"
    )
    assert read.components == (
        Component(
            "app",
            "versions",
            (("src/api", "api"), ("src/shared", "shared"), ("ui-dist", "ui")),
            (("current-api", "."), ("current-ui", "ui")),
            environment=True,
        ),
    )


def test_a_component_has_defaults_and_the_api_has_the_environment() -> None:
    read = conf("COMPONENTS:\n  ui: {sources: {ui: .}}\n  api: {sources: {api: api}}\n")
    assert read.components == (
        Component("ui", "ui", (("ui", "."),), (("current-ui", "."),), environment=False),
        Component("api", "api", (("api", "api"),), (("current-api", "."),), environment=True),
    )


def test_site_files_may_be_names_or_a_mapping() -> None:
    assert conf("SITE_FILES: [robots.txt]").site_files == (SiteFile("robots.txt", "robots.txt"),)
    assert conf("SITE_FILES: {a/b: c/d}").site_files == (SiteFile("a/b", "c/d"),)


def test_embedded_services_are_read_with_paths_from_the_base_on() -> None:
    read = conf(
        "SERVICE_MANAGER: embedded\nSERVICE_NAME: app\nAPI_PORT: 8000\nEMBEDDED_SERVICES:\n"
        "  app:\n    command: uvicorn 'api main:app' --fd {SOCKET_FD}\n    directory: current-api\n"
        '    listen: "127.0.0.1:{{API_PORT}}"\n    environment: {A: 1, B_TOKEN: "{{env:T}}"}\n    log: logs/app.log\n'
        "  idle:\n    command: [sleep, '1']\n"
    )
    assert read.services.embedded[0] == EmbeddedService(
        "app",
        ("uvicorn", "api main:app", "--fd", "{SOCKET_FD}"),
        Path("/srv/site/current-api"),
        "127.0.0.1:8000",
        (("A", "1"), ("B_TOKEN", "secret-T")),
        Path("/srv/site/logs/app.log"),
    )
    assert read.services.embedded[1] == EmbeddedService("idle", ("sleep", "1"), Path("/srv/site"))
    assert "secret-T" in read.secrets
    assert "EMBEDDED_SERVICES.idle: is not among" in read.warnings[0]


def test_without_a_service_manager_the_service_keys_are_kept() -> None:
    read = conf("SERVICE_MANAGER: none\nSERVICES: [a, b]\nWORKER_SERVICE_NAME: w\n")
    assert (read.services.manager, read.services.all) == ("none", ("a", "b", "w"))


def test_cron_jobs_may_be_a_list() -> None:
    read = conf(
        "CRON_JOBS:\n  - {schedule: 0 2 * * *, script: backup.sh, log: backup.log, marker: MCC-BACKUP}\n"
        "  - {schedule: '@daily', script: jobs/clean.sh}\n"
    )
    assert read.cron == (
        CronJob("0 2 * * *", "backup.sh", "backup.log", "MCC-BACKUP"),
        CronJob("@daily", "jobs/clean.sh", "clean.log", "jobs/clean.sh"),
    )


def test_cron_jobs_may_be_text_and_its_lines_stay_letter_by_letter() -> None:
    read = conf("CRON_JOBS: |\n  # each night\n  0  2 * * *  {{REMOTE_BASE}}/scripts/x.sh  >> y 2>&1\n\n  @daily z\n")
    assert read.cron == (
        CronJob("0 2 * * *", "", "", "", line="0  2 * * *  /srv/site/scripts/x.sh  >> y 2>&1"),
        CronJob("@daily", "", "", "", line="@daily z"),
    )
    lines = job_lines(read.cron, Site(Path("/srv/site")))
    assert lines == tuple(job.line for job in read.cron)
    assert unquoted_commands(read.cron, Site(Path("/srv/site"))) == ()


def test_a_comment_of_one_word_right_above_a_job_of_the_text_is_its_marker() -> None:
    lines = ("# MCC-A", "@daily a", "# MCC-B", "", "@daily b", "#MCC-C", "# two words", "@daily c # C")
    read = conf("CRON_JOBS: |\n" + "".join(f"  {line}\n" for line in lines))
    assert [job.marker for job in read.cron] == ["MCC-A", "", ""]
    assert job_lines(read.cron, Site(Path("/srv/site"))) == ("# MCC-A", "@daily a", "@daily b", "@daily c # C")


def test_a_job_of_a_list_may_have_variables_and_may_not_overlap_itself() -> None:
    read = conf("CRON_JOBS:\n  - {schedule: '@daily', script: x.sh, overlap: false, environment: {A: 1, B: it's}}\n")
    (job,) = read.cron
    assert (job.overlap, job.environment) == (False, (("A", "1"), ("B", "it's")))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CRON_JOBS: |\n  MAILTO=a@example.com\n", "line 1 of the text: sets MAILTO, .* >> FILE 2>&1"),
        ("CRON_JOBS: |\n  A=1\n", "line 1 of the text: sets a variable, .* in front of the command"),
        ("CRON_JOBS: |\n  0 0 31 2 * x\n", "line 1 of the text: .* never comes"),
        ("CRON_JOBS:\n  - {schedule: '@daily', script: x, overlap: maybe}\n", ":[0-9]+: CRON_JOBS.1..overlap"),
        ("CRON_JOBS:\n  - {schedule: '@daily', script: x, environment: {1A: x}}\n", "CRON_JOBS.1..environment"),
        ("CRON_JOBS:\n  - {schedule: '@daily', script: x, environment: {A: 'a\\b'}}\n", "without backslashes"),
        ("CRON_JOBS:\n  - {schedule: '@daily', script: x, environment: {A_TOKEN: t0ken}}\n", "holds a secret"),
        (f"CRON_JOBS:\n  - {{schedule: '@daily', script: {'x' * 200}, log: {'y' * 400}}}\n  - x", "CRON_JOBS.2."),
        (f"CRON_JOBS:\n  - {{schedule: '@daily', script: {'x' * 500}, log: {'y' * 500}}}\n", "more than 990"),
    ],
)
def test_a_job_that_cannot_be_installed_is_refused_with_its_line(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        conf(text)


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["{{STAGE}}", "-", "a@."]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["api", "command", "sources", "links", "script", "schedule", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(known_keys()), ANY, max_size=5))
def test_no_value_of_any_key_ever_raises_anything_but_a_config_error(data: dict[str, object]) -> None:
    from mcc.core.document import Document

    document = Document("conf.yml", {"REMOTE_BASE": "/x", "OWNERSHIP": "none", **data})
    try:
        read = to_conf(document, fill(document, Outside()), Path("conf.yml"))
    except ConfigError as error:
        assert error.problems  # noqa: PT017 - either end is fine
    else:
        assert read.server.base.is_absolute()
