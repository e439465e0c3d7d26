"""The nginx site that provision makes, a project's own templates, and what is somebody else's already.

What nginx does with the site is tried on a server, in tests/box/test_provisioned_site.py.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.scenes import machine
from mcc.core.conf.placeholders import fill
from mcc.core.conf.unfit import Unfit
from mcc.core.conf.values import to_conf
from mcc.core.looks.nginx import Served, judge
from mcc.core.looks.nginx_site import read_sites
from mcc.errors import ConfigError
from mcc.host.yaml import parse
from mcc.model.conf import Conf
from mcc.provision.nginx.collisions import collisions, port_collisions
from mcc.provision.nginx.locations import _FILES
from mcc.provision.nginx.site import certificates, nginx_files
from mcc.provision.server.taken import taken
from mcc.provision.templates import filled, is_for_each_domain, values
from mcc.provision.units.files import unit_files
from mcc.provision.wish import Made, wish

HEAD = "REMOTE_BASE: /srv/live/shop-1\nOWNERSHIP: none\n"
SITE = f"{HEAD}API_PORT: 8000\nDOMAINS: [A.example, b.example]\n"


class Outside:
    def variable(self, name: str) -> str:
        return f"the secret {name}"

    def file(self, path: str) -> str:
        raise Unfit("no files")


def conf(text: str) -> Conf:
    document = parse(text, "conf-prod.yml")
    return to_conf(document, fill(document, Outside()), Path("conf-prod.yml"))


def texts(text: str, templates: dict[str, str] | None = None) -> dict[str, str]:
    return {str(file.path): file.text for file in nginx_files(conf(text), templates or {})}


def refused(text: str, templates: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        texts(text, templates)
    return str(caught.value).splitlines()


# ---- the site


def test_a_site_is_one_file_that_is_on_and_one_that_its_domains_share() -> None:
    common, site = nginx_files(conf(SITE), {})
    assert (str(common.path), common.link) == ("/etc/nginx/snippets/mcc-shop-1.conf", None)
    assert (str(site.path), str(site.link)) == (
        "/etc/nginx/sites-available/shop-1", "/etc/nginx/sites-enabled/shop-1",
    )  # fmt: skip
    assert re.findall(r"server_name (.*);", site.text) == ["a.example b.example", "a.example", "b.example"]
    assert site.text.count(f"include {common.path};") == 2


def test_names_at_the_top_level_of_nginx_are_the_sites_own() -> None:
    """All sites of a server share one space of names."""
    (_, one), (_, other) = (
        nginx_files(conf(f"{SITE}RATE_LIMIT: 5r/s\nNGINX_SITE: {name}\n"), {}) for name in ("x", "y")
    )
    defined = re.compile(r"^(?:upstream|map \S+|geo|limit_req_zone .*zone=)[ ]*\$?(\w+)", re.M)
    names = [set(defined.findall(file.text)) for file in (one, other)]
    assert len(names[0]) == 4
    assert not names[0] & names[1]


def test_without_domains_there_is_no_site() -> None:
    assert texts(HEAD) == {}


def test_without_an_application_only_files_are_served() -> None:
    everything = "".join(texts(f"{HEAD}DOMAIN: a.example\n").values())
    assert "proxy_" not in everything
    assert "upstream" not in everything
    assert "try_files $uri $uri/index.html /index.html;" in everything


def test_an_application_that_takes_all_addresses_leaves_none_for_files() -> None:
    everything = "".join(texts(f"{SITE}API_PREFIX: /\n").values())
    assert "location ^~ / {" in everything
    assert "index.html;\n    add" not in everything
    assert "try_files $uri $uri" not in everything


def test_two_slots_are_reached_by_the_link_of_their_socket() -> None:
    site = texts(f"{HEAD}DOMAIN: a.example\nSERVICE_NAME: shop@.service\n")["/etc/nginx/sites-available/shop-1"]
    assert site.count('server "unix:/srv/live/shop-1/run/current-api.sock" max_fails=0') == 2


def test_certificates_are_certbots_given_ones_or_none() -> None:
    made = certificates(conf(SITE), {})
    assert [str(each.certificate) for each in made] == [
        f"/etc/mcc/certificates/{domain}/fullchain.pem" for domain in ("a.example", "b.example")
    ]
    given = conf(f'{SITE}TLS: files\nTLS_CERTIFICATE: "/c/{{{{DOMAIN}}}}.pem"\nTLS_KEY: /k/all.key\n')
    assert [(str(each.certificate), str(each.key), each.source) for each in certificates(given, {})] == [
        ("/c/a.example.pem", "/k/all.key", "files"), ("/c/b.example.pem", "/k/all.key", "files"),
    ]  # fmt: skip
    assert 'ssl_certificate_key "/k/all.key";' in nginx_files(given, {})[1].text
    plain = conf(f"{SITE}TLS: none\n")
    assert certificates(plain, {}) == ()
    everything = "".join(file.text for file in nginx_files(plain, {}))
    assert not re.search(r"443|ssl|301", everything)


def test_who_passes_while_the_site_rests_is_said_to_nginx() -> None:
    site = nginx_files(conf(f"{SITE}MAINTENANCE_ALLOW: [192.0.2.7, 2001:db8::/32]\n"), {})[1].text
    assert "    192.0.2.7 1;\n    2001:db8::/32 1;\n" in site


def test_a_check_finds_nothing_to_say_about_the_site_and_sees_what_its_servers_include() -> None:
    for tls in ("certbot", "none"):
        made = conf(f"{SITE}TLS: {tls}\n")
        files = {str(file.path): file.text for file in nginx_files(made, {})}
        links = ("current-api", "current-ui")
        served = Served(str(made.server.base), made.domains, links, made.api_port, https=tls != "none")
        assert list(judge(read_sites(files, files), served)) == []
        elsewhere = {path: text.replace("/current-ui", "/ui/vrs-1") for path, text in files.items()}
        found = [finding.code for finding in judge(read_sites(elsewhere, elsewhere), served)]
        assert found == ["nginx.root"] * 2
        found = [finding.code for finding in judge(read_sites(files, files), replace(served, port=9))]
        assert found == ["nginx.port"] * 4


HASHED = [re.compile(pattern) for pattern in re.findall(r'location ~ "([^"]*\{8[^"]*)"', _FILES)]


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/assets/index-BwAg1sNy.js", True),  # Vite, Rollup
        ("/assets/index-DiwrgTda.css", True),
        ("/assets/_plugin-vue_export-helper-DlAUqK2U.js.map", True),
        ("/main.0c4f83b2.js", True),  # webpack
        ("/static/js/453.670e15c7.chunk.js", True),
        ("/main-5FNC36XT.js", True),  # esbuild, Angular
        ("/media/font-9a7b3c2d1e0f4a5b6c7d8e9f0a1b2c3d.woff2", True),
        ("/assets/style-1a2b3c4d.css", True),
        ("/index.html", False),
        ("/hello-worldwide.js", False),
        ("/assets/my-pictures.svg", False),
        ("/assets/my-Pictures.svg", False),
        ("/jquery-3.7.1.min.js", False),
        ("/report-20240131.pdf", False),
        ("/readme-LICENSES.txt", False),
        ("/service-worker.js", False),
        ("/ngsw-worker.js", False),
        ("/de-facade.js", False),
        ("/orders/main-5FNC36XT", False),
    ],
)
def test_a_name_with_a_hash_of_its_content_is_known_from_a_word(path: str, kept: bool) -> None:
    assert len(HASHED) == 2
    assert any(pattern.search(path) for pattern in HASHED) is kept


def test_a_base_that_nginx_would_take_for_a_variable_is_refused() -> None:
    assert refused(SITE.replace("shop-1", "$shop"), {}) == [
        "conf-prod.yml: REMOTE_BASE: /srv/live/$shop holds a $, which nginx takes for a variable (choose another "
        "folder, or write mcc/nginx.template)"
    ]


# ---- a project's own templates


def test_a_template_that_speaks_of_a_domain_is_filled_in_for_each() -> None:
    server = "server { root {{UI_SYMLINK}}; server_name {{ DOMAIN }}; }\n"
    own = {"mcc/nginx.template": f"upstream {{{{DOMAIN_SAFE}}}} {{ }}\n{server}"}
    assert texts(SITE, own) == {
        "/etc/nginx/sites-available/shop-1": "upstream A_example { }\n"
        "server { root /srv/live/shop-1/current-ui; server_name A.example; }\n\nupstream b_example { }\n"
        "server { root /srv/live/shop-1/current-ui; server_name b.example; }\n"
    }
    assert certificates(conf(SITE), own) == ()


def test_one_that_does_not_is_filled_in_once() -> None:
    own = {"mcc/nginx.template": "server { server_name {{DOMAINS}}; listen {{API_PORT}}; }"}
    assert list(texts(SITE, own).values()) == ["server { server_name A.example b.example; listen 8000; }\n"]
    assert is_for_each_domain("{{DOMAIN_SAFE}}")
    assert not is_for_each_domain("{{DOMAINS}}")


def test_every_computed_key_has_a_value_and_the_confs_own_comes_first() -> None:
    found = values(conf(f"{SITE}STAGE: prod\n"), "b.example")
    assert {key: found[key] for key in (
        "API_SYMLINK", "UI_SYMLINK", "DATA_DIR", "LOG_LEVEL", "DESCRIPTION", "WORKER_DESCRIPTION", "DOMAIN",
        "DOMAIN_SAFE",
    )} == {
        "API_SYMLINK": "/srv/live/shop-1/current-api", "UI_SYMLINK": "/srv/live/shop-1/current-ui",
        "DATA_DIR": "/srv/live/shop-1/data", "LOG_LEVEL": "info", "DESCRIPTION": "shop-1 (prod)",
        "WORKER_DESCRIPTION": "shop-1 (prod), worker", "DOMAIN": "b.example", "DOMAIN_SAFE": "b_example",
    }  # fmt: skip
    own = values(conf(f"{SITE}DATA_DIR: /data\nDESCRIPTION: Shop\nMINE: 1\n"))
    assert (own["DATA_DIR"], own["WORKER_DESCRIPTION"], own["MINE"]) == ("/data", "Shop, worker", 1)


def test_links_of_components_are_those_of_the_conf() -> None:
    text = "COMPONENTS:\n  app:\n    sources: {src: api, dist: ui}\n    links: {live: ., live-ui: ui}\n"
    found = values(conf(f"{SITE}{text}"))
    assert (found["API_SYMLINK"], found["UI_SYMLINK"]) == ("/srv/live/shop-1/live", "/srv/live/shop-1/live-ui")


def test_known_keys_have_their_defaults() -> None:
    made = filled("{{REMOTE_PORT}} {{API_PREFIX}} {{PROTECTED}} {{BACKUP_PATH}}", "t", conf(SITE))
    assert made == "22 /api/ false /srv/live/shop-1/backups\n"


def test_all_that_is_wrong_with_a_template_is_said_at_once_with_its_line() -> None:
    first = "# {{API_PROT}}\n{{nothing_like_it}}\n\n"
    own = {"mcc/nginx.template": first + "{{WORKERS}} {{DB_PASSWORD}}\n{{env:X}} {{DEEP}} {{LONG}}\n"}
    text = f"{SITE}DB_PASSWORD: abcdefgh\nDEEP: {{a: 1}}\nLONG: |\n  a\n  b\n"
    where = "every user of the machine can read this file; put it into REMOTE_BASE/.env, which the units load"
    assert refused(text, own) == [
        "mcc/nginx.template:1: API_PROT: there is no key API_PROT (did you mean API_PORT?)",
        "mcc/nginx.template:2: nothing_like_it: there is no key nothing_like_it (add nothing_like_it to conf-prod.yml)",
        "mcc/nginx.template:4: WORKERS: WORKERS has no value in conf-prod.yml (give it one)",
        f"mcc/nginx.template:4: DB_PASSWORD: DB_PASSWORD holds a secret ({where})",
        "mcc/nginx.template:5: env:X: found {{env:X}}, and what comes from outside of the conf is a secret "
        f"({where})",
        "mcc/nginx.template:5: DEEP: DEEP is a mapping (allowed: keys with one value, and lists of values)",
        "mcc/nginx.template:5: LONG: LONG has more than one line (allowed: values of one line)",
    ]


def test_a_secret_is_found_in_whatever_key_and_wherever_it_stands() -> None:
    text = f'{SITE}API_TOKEN: 0123456789\nMINE: "x-{{{{API_TOKEN}}}}"\n'
    (by_key,) = refused(text, {"mcc/nginx.template": "\n{{MINE}}\n"})
    assert by_key.startswith("mcc/nginx.template:2: MINE: MINE holds a secret (")
    (by_hand,) = refused(text, {"mcc/nginx.template": "# a\n# b\nproxy_set_header X 0123456789;\n"})
    assert by_hand.startswith("mcc/nginx.template:3: holds a secret (")
    assert "0123456789" not in by_key + by_hand


def test_braces_of_others_are_left_alone() -> None:
    text = "location ~ \"^/\\d{2}{{ 'x' }}$\" { if ($a = {{}}) { } }\n"
    assert filled(text, "t", conf(SITE)) == text


# ---- what is somebody else's


SITES = {
    "/etc/nginx/sites-enabled/other": """\
# server_name a.example;
server { listen 80; server_name x.example
    "B.Example" 'c.example';
    set $x "server_name d.example;";
    add_header server_name e.example;
}
""",
    "/etc/nginx/sites-enabled/shop-1": "server { server_name a.example; }",
    "/etc/nginx/conf.d/wild.conf": "server { server_name *.example ~^a\\.example$ _; }",
}


def test_a_domain_that_another_site_has_is_found_with_its_line() -> None:
    """Not in comments, in values, in the site's own file or behind a wildcard, which an exact name goes before."""
    found = collisions(
        SITES, ["a.example", "b.example", "C.example", "d.example", "e.example"], {"/etc/nginx/sites-enabled/shop-1"}
    )
    assert [(each.what, each.line) for each in found] == [("b.example", 2), ("c.example", 2)]
    assert str(found[0]) == "b.example is taken: /etc/nginx/sites-enabled/other:2"
    assert [each.what for each in collisions(SITES, ["a.example"])] == ["a.example"]


@pytest.mark.parametrize(
    "line",
    [
        "ListenStream=127.0.0.1:8000", "ListenStream=8000", "ListenStream=[::1]:8000", "ExecStart=/x --port 8000",
        "ExecStart=/x --port=8000 y", "ExecStart=/x -b 0.0.0.0:8000", "ExecStart=/x --bind 'h:8000'",
        "ExecStart=/x \\\n  --host h \\\n  --port 8000", "ExecStart=/bin/sh -c 'exec x --port 8000 >>log'",
    ],
)  # fmt: skip
def test_a_port_that_another_unit_listens_on_is_found(line: str) -> None:
    units = {"/etc/systemd/system/a.service": f"[Service]\n{line}\n"}
    (found,) = port_collisions(units, 8000)
    assert found.what == "port 8000"
    assert port_collisions(units, 800) == port_collisions(units, 80001) == ()
    assert port_collisions(units, 8000, set(units)) == ()
    assert port_collisions({"a": f"# {line}"} if "\n" not in line else {}, 8000) == ()


def test_what_others_have_on_this_machine_is_found_and_the_sites_own_files_are_not() -> None:
    """By the files that nginx and systemd read; a site in conf.d needs the ending that nginx looks for."""
    made = conf(f"{SITE}REMOTE_USER: deploy\nDIR_USER: www-data\nSERVICE_NAME: shop.service\n")
    files = (*unit_files(made, {}), *nginx_files(made, {}))
    wanted = wish(made, Made(files), ())
    world = machine()
    own = {str(path): file.text for file in files for path in (file.path, file.link) if path}
    world.plant({path: text.encode() for path, text in own.items()})
    assert taken(wanted, world.host()) == ()
    world.plant(
        {
            "/etc/nginx/conf.d/b.conf": b"server { server_name b.example; }",
            "/etc/nginx/conf.d/old.conf.bak": b"server { server_name a.example; }",
            "/etc/systemd/system/other.socket": b"[Socket]\nListenStream=8000\n",
        }
    )
    assert [str(each) for each in taken(wanted, world.host())] == [
        "b.example is taken: /etc/nginx/conf.d/b.conf:1",
        "port 8000 is taken: /etc/systemd/system/other.socket:2",
    ]
    only = wish(made, Made(files), (), ["nginx"])
    assert [each.what for each in taken(only, world.host())] == ["b.example"]
