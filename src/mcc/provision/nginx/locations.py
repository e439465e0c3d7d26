"""What all domains of a site have in common: maintenance, the application, and the files of the front end.

Sources: nginx.org/en/docs (core, rewrite, proxy, limit_req, ssl, websocket), and for TLS the "intermediate"
configuration of wiki.mozilla.org/Security/Server_Side_TLS.
"""

from __future__ import annotations

from mcc.core.layout import Site
from mcc.model.conf import Conf
from mcc.provision.nginx.upstream import has_application, zone
from mcc.provision.nginx.words import quoted
from mcc.provision.units.names import ui_link

_PAGE = "/mcc-maintenance.html"
_FOREVER = "public, max-age=31536000, immutable"
# What a build names after its content: hexadecimal digits (webpack), capitals and digits (esbuild), and in assets/
# eight characters of base64 (Vite, Rollup), which plain words must not be taken for.
_HASHED = (
    r"[.-](?:(?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,64}|(?=[A-Z0-9]*[0-9])(?=[A-Z0-9]*[A-Z])[A-Z0-9]{8})"
    r"(?:\.[a-z0-9]+){1,3}$"
)
_HASHED_ASSET = r"/assets/[^/]*[.-](?=[\w-]{0,7}[0-9]|[\w-]{1,7}[A-Z])[\w-]{8}(?:\.[a-z0-9]+){1,3}$"
_FILE = (
    r"\.(?:js|mjs|css|map|json|txt|xml|png|jpe?g|gif|svg|ico|webp|avif|woff2?|ttf|otf|eot|wasm|mp[34]|webm|pdf|zip"
    r"|webmanifest)$"
)


def locations(conf: Conf) -> str:
    """The text that the server of each domain includes."""
    parts = [_head(conf), *([] if conf.web.tls == "none" else [_tls(conf)]), _maintenance(conf)]
    if has_application(conf):
        parts += [_proxy(conf), _health(conf), *(_application(conf, prefix) for prefix in conf.web.prefixes)]
    if "/" not in conf.web.prefixes or not has_application(conf):
        parts.append(_FILES)
    return "\n".join(parts)


def _head(conf: Conf) -> str:
    return f"""\
root {quoted(conf.server.base / ui_link(conf))};
index index.html;
client_max_body_size {conf.web.body_limit};
# A deploy replaces the link to the files; what is kept open by name would go on with the old ones. Whose the link
# and the files are is no matter.
open_file_cache off;
disable_symlinks off;
gzip on;
gzip_vary on;
gzip_types text/css text/javascript application/javascript application/json application/manifest+json
           application/wasm image/svg+xml;
"""


def _tls(conf: Conf) -> str:
    return f"""\
ssl_protocols TLSv1.2 TLSv1.3;
ssl_ciphers {_CIPHERS};
ssl_prefer_server_ciphers off;
ssl_session_cache shared:{zone(conf)}:10m;
ssl_session_timeout 1d;
ssl_session_tickets off;
"""


_CIPHERS = ":".join(
    [
        *("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        *("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"),
    ]
)


def _maintenance(conf: Conf) -> str:
    """503 while the switch is there. ``set`` is kept over the internal redirect to the page, and so is the address."""
    site, closed = Site(conf.server.base), f"${zone(conf)}_closed"
    later = f"add_header Retry-After {conf.maintenance.retry_after} always;"
    return f"""\
set {closed} 0;
if (-f {quoted(site.maintenance_switch)}) {{
    set {closed} 1;
}}
if (${zone(conf)}_allowed) {{
    set {closed} 0;
}}
if ($uri = {quoted(_health_path(conf))}) {{
    set {closed} 0;
}}
if ($uri = {_PAGE}) {{
    set {closed} 0;
}}
if ({closed}) {{
    return 503;
}}
error_page 503 {_PAGE};
location = {_PAGE} {{
    internal;
    root {quoted(site.maintenance)};
    {later}
    add_header Cache-Control no-store always;
    try_files /page.html @mcc_maintenance;
}}
location @mcc_maintenance {{
    {later}
    add_header Cache-Control no-store always;
    return 503;
}}
"""


def _proxy(conf: Conf) -> str:
    """Nothing is held back on the way to the visitor, or event streams would come in lumps.

    What a visitor says of its own address counts for nothing: on a slot's socket uvicorn believes the first one. Nor
    does a name that is none of ours: nginx sends it to the first server that it has, and the application would make
    links of it.
    """
    return f"""\
proxy_http_version 1.1;
proxy_set_header Host $server_name;
proxy_set_header X-Domain $server_name;
proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $remote_addr;
proxy_set_header X-Forwarded-Host $server_name;
proxy_set_header X-Forwarded-Port $server_port;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection ${zone(conf)}_connection;
proxy_buffering off;
proxy_next_upstream error;
proxy_connect_timeout 5s;
proxy_send_timeout 60s;
proxy_read_timeout 300s;
"""


def _health(conf: Conf) -> str:
    """Apart, so that it passes while the site rests, whatever the rate, and wherever its address is."""
    return f"location = {quoted(_health_path(conf))} {{\n    proxy_pass http://{zone(conf)}_app;\n}}\n"


def _health_path(conf: Conf) -> str:
    return conf.smoke.health_path.partition("?")[0]


def _application(conf: Conf, prefix: str) -> str:
    return f"location ^~ {prefix} {{\n{_limited(conf)}    proxy_pass http://{zone(conf)}_app;\n}}\n"


def _limited(conf: Conf) -> str:
    """A page asks for several things at once: so many at once are let through as the rate says for one unit of time."""
    if conf.web.rate_limit is None:
        return ""
    burst = int(conf.web.rate_limit.partition("r/")[0])
    return f"    limit_req zone={zone(conf)}_rate burst={burst} nodelay;\n    limit_req_status 429;\n"


_FILES = f"""\
# Hidden files are nobody's.
location ~ "/\\.(?!well-known/)" {{
    return 404;
}}
# Named after its content: never asked for again.
location ~ "{_HASHED}" {{
    add_header Cache-Control "{_FOREVER}";
    add_header X-Content-Type-Options nosniff;
    try_files $uri =404;
}}
location ~ "{_HASHED_ASSET}" {{
    add_header Cache-Control "{_FOREVER}";
    add_header X-Content-Type-Options nosniff;
    try_files $uri =404;
}}
# Other files are asked about each time, and a missing one is missing.
location ~* "{_FILE}" {{
    add_header Cache-Control no-cache;
    add_header X-Content-Type-Options nosniff;
    try_files $uri =404;
}}
# A page names the files of its own release, and so must always be the present one: an ETag is made of time and size
# alone, and two releases can have both in common.
location = /index.html {{
    add_header Cache-Control no-cache;
    add_header X-Content-Type-Options nosniff;
    etag off;
    if_modified_since off;
    try_files $uri =404;
}}
location / {{
    add_header Cache-Control no-cache;
    add_header X-Content-Type-Options nosniff;
    etag off;
    if_modified_since off;
    try_files $uri $uri/index.html /index.html;
}}
"""
