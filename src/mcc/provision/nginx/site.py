"""The site of nginx: a server for each domain, and a file of what these have in common."""

from __future__ import annotations

from pathlib import Path

from mcc.errors import ConfigError
from mcc.model.conf import Conf
from mcc.model.problem import Problem
from mcc.provision.nginx.locations import locations
from mcc.provision.nginx.upstream import upstream
from mcc.provision.nginx.words import quoted
from mcc.provision.root_work import nginx_problems_of_root
from mcc.provision.templates import NGINX, filled, is_for_each_domain, without_secrets
from mcc.provision.units.names import site_name
from mcc.provision.wanted import ACME, CERTIFICATES, SITES, SITES_ENABLED, Certificate, File, Templates

SNIPPETS = Path("/etc/nginx/snippets")


def nginx_files(conf: Conf, templates: Templates) -> tuple[File, ...]:
    """The site and what all its domains have in common; none without domains. Raises ConfigError."""
    if NGINX in templates:
        return (_site(conf, _from_template(conf, templates[NGINX])),)
    if not conf.domains:
        return ()
    problems = _problems(conf)
    if problems:
        raise ConfigError(problems)
    # First, so that it is there when the site is checked, which includes it.
    common = File(_common_path(conf), locations(conf), "nginx", "nginx")
    without_secrets(common.text, common.path.name, conf)
    return common, _site(conf, site(conf))


def certificates(conf: Conf, templates: Templates) -> tuple[Certificate, ...]:
    """What nginx names for each domain; a template of the project names its own."""
    if NGINX in templates or conf.web.tls == "none":
        return ()
    return tuple(_certificate(conf, domain) for domain in conf.domains)


def _site(conf: Conf, text: str) -> File:
    path = SITES / site_name(conf)
    without_secrets(text, path.name, conf)
    return File(path, text, "nginx", "nginx", link=SITES_ENABLED / path.name)


def _from_template(conf: Conf, text: str) -> str:
    """The project's own: one text, or one for each domain if it speaks of a domain."""
    if not is_for_each_domain(text) or not conf.domains:
        texts = [filled(text, NGINX, conf)]
    else:
        texts = [filled(text, NGINX, conf, domain) for domain in conf.domains]
    problems = [problem for each in texts for problem in nginx_problems_of_root(each, NGINX, conf.server.base)]
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return "\n".join(texts)


def _problems(conf: Conf) -> list[Problem]:
    base = str(conf.server.base)
    if "$" in base:
        help = "choose another folder, or write mcc/nginx.template"
        return [Problem(conf.path.name, 0, "REMOTE_BASE", f"{base} holds a $, which nginx takes for a variable", help)]
    return []


def _certificate(conf: Conf, domain: str) -> Certificate:
    web, domain = conf.web, domain.lower()
    if web.tls == "files":
        certificate, key = (Path((path or "").replace("{{DOMAIN}}", domain)) for path in (web.certificate, web.key))
        return Certificate(domain, certificate, key, "files")
    folder = CERTIFICATES / domain
    return Certificate(domain, folder / "fullchain.pem", folder / "privkey.pem")


def _common_path(conf: Conf) -> Path:
    return SNIPPETS / f"mcc-{site_name(conf)}.conf"


def site(conf: Conf) -> str:
    """Everything but what the domains have in common."""
    names = " ".join(domain.lower() for domain in conf.domains)
    servers = "\n".join(_server(conf, domain.lower()) for domain in conf.domains)
    redirect = "" if conf.web.tls == "none" else f"\n{_redirect(names)}"
    return f"{upstream(conf)}{redirect}\n{servers}"


def _redirect(names: str) -> str:
    return f"""\
server {{
    listen 80;
    listen [::]:80;
    server_name {names};

    location ^~ /.well-known/acme-challenge/ {{
        root {ACME};
        default_type text/plain;
        try_files $uri =404;
    }}
    location / {{
        return 301 https://$host$request_uri;
    }}
}}
"""


def _server(conf: Conf, domain: str) -> str:
    return f"""\
server {{
{_listen(conf, domain)}\
    server_name {domain};
    include {_common_path(conf)};
}}
"""


def _listen(conf: Conf, domain: str) -> str:
    if conf.web.tls == "none":
        return "    listen 80;\n    listen [::]:80;\n"
    made = _certificate(conf, domain)
    # "listen … http2" is what nginx before 1.25.1 knows; later ones take it with a warning.
    return f"""\
    listen 443 ssl http2;
    listen [::]:443 ssl http2;
    ssl_certificate {quoted(made.certificate)};
    ssl_certificate_key {quoted(made.key)};
"""
