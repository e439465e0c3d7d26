"""Units and the nginx site that provision writes, on a server: what visitors get, and what the services may do."""

from __future__ import annotations

import base64
import json
import os
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3

from box.harness import DEPLOY_USER, Boxes, box_root, until
from box.notes import Notes, Outputs
from box.shop import BASE, CONF, DOMAINS, HEALTH, ONE, PYTHON, Shop, conf, files, project
from mcc.provision.units.files import unit_files

FOREVER = "public, max-age=31536000, immutable"
OPEN = [f"{BASE}/{name}" for name in ("domains/app.box.test", "data", "logs", "run")] + ["/tmp"]
CLOSED = [
    BASE,
    f"{BASE}/api",
    f"{BASE}/venvs",
    f"{BASE}/scripts",
    f"{BASE}/maintenance",
    "/home/stenvala",
    "/var/tmp/..",
    "/etc",
]


@pytest.fixture(scope="module")
def shop(module_boxes: Boxes, tmp_path_factory: pytest.TempPathFactory, warm_uv: Callable[[Path], None]) -> Shop:
    made = project(tmp_path_factory.mktemp("shop"))
    warm_uv(made)
    shop = Shop(module_boxes(mcc=False)).lay_out(made)
    # what the modes of files would allow by themselves, so that only the unit forbids it
    shop.box.exec(["chmod", "777", *[folder for folder in CLOSED if folder.startswith(BASE)]])
    shop.place(files(ONE), extra=f"TRY={':'.join([*OPEN, *CLOSED])} ")
    shop.box.exec(["systemctl", "start", "shop.socket", "shop-worker"])
    return shop


def test_systemd_has_nothing_to_say_about_the_units(shop: Shop) -> None:
    """Neither of the single service with its socket and its worker, nor of the template."""
    made = [*unit_files(conf(ONE), {}), *unit_files(conf(f"{CONF}SERVICE_NAME: slots@.service\n"), {})]
    units = {f"/tmp/units/{file.path.name}": file.text for file in made if file.checker == "systemd-analyze"}
    for path, text in units.items():
        shop.box.write(path, text)
    done = shop.box.exec(["systemd-analyze", "verify", *units])
    assert done.output == ""


def test_the_first_visitor_starts_the_service(shop: Shop) -> None:
    """systemd holds the port; a second domain reaches the same application by its own name."""
    assert shop.json(HEALTH) == "well"
    assert [shop.json("/api/headers", domain)["x-domain"] for domain in DOMAINS] == list(DOMAINS)
    assert shop.box.state("shop.service") == "active"


def test_http_leads_to_https_and_challenges_of_certificates_pass(shop: Shop) -> None:
    moved = shop.box.http("/a?b=c", host=DOMAINS[1])
    assert (moved.status, moved.headers["Location"]) == (301, f"https://{DOMAINS[1]}/a?b=c")
    shop.box.write("/var/www/mcc-acme/.well-known/acme-challenge/token", "proof")
    assert shop.box.http("/.well-known/acme-challenge/token", host=DOMAINS[1]).text == "proof"
    assert shop.box.http("/.well-known/acme-challenge/none", host=DOMAINS[1]).status == 404


def test_https_speaks_http_2_with_present_protocols_only(shop: Shop) -> None:
    words = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", f"https://{DOMAINS[0]}/"]
    assert shop.box.exec([*words, "--http2"]).stdout == "2 200"
    old = shop.box.exec([*words, "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"], check=False)
    assert (old.code, "protocol version" in old.stderr) == (35, True), old


def test_the_application_learns_who_asks(shop: Shop) -> None:
    """Host, scheme and address of the visitor come through the proxy, also as the server reads them."""
    seen = shop.json("/api/headers", DOMAINS[1])
    gateway = seen["x-real-ip"]
    assert seen["host"] == seen["x-forwarded-host"] == DOMAINS[1]
    assert (seen["x-forwarded-proto"], seen["scheme"], seen["x-forwarded-port"]) == ("https", "https", "443")
    assert seen["x-forwarded-for"] == seen["client"] == gateway
    assert gateway not in ("127.0.0.1", shop.box.ip)


def test_a_visitor_cannot_say_who_it_is_or_whom_it_asks(shop: Shop) -> None:
    """What it says of its address, and a name that no site has, do not reach the application."""
    said = ("X-Forwarded-For: 192.0.2.1", "X-Real-IP: 192.0.2.1", "X-Domain: evil.test", "X-Forwarded-Host: evil.test")
    words = ["curl", "-sf", "--resolve", "evil.test:443:127.0.0.1", "-k", "https://evil.test/api/headers"]
    seen = shop.box.exec([*words, *(word for line in said for word in ("-H", line))]).stdout
    assert DOMAINS[0] in seen
    assert "evil.test" not in seen
    assert "192.0.2.1" not in seen


def test_hashed_files_are_kept_for_ever_and_all_others_are_asked_about(shop: Shop) -> None:
    kept = {path: shop.get(path).headers["Cache-Control"] for path in (
        "/assets/index-BwAg1sNy.js", "/main.0c4f83b2.css", "/hello-worldwide.js", "/assets/my-pictures.svg", "/sw.js",
        "/logo.svg", "/", "/index.html", "/some/page",
    )}  # fmt: skip
    assert [path for path, value in kept.items() if value == FOREVER] == list(kept)[:2]
    assert {value for path, value in kept.items() if value != FOREVER} == {"no-cache"}


def test_a_page_is_always_sent_whole(shop: Shop) -> None:
    """Time and size of two releases can be the same."""
    page = shop.get("/")
    assert "ETag" not in page.headers
    words = [
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "-H",
        f"If-Modified-Since: {page.headers['Last-Modified']}",
    ]
    assert shop.box.exec([*words, f"https://{DOMAINS[0]}/"]).stdout == "200"


def test_addresses_of_the_front_end_lead_to_its_page_and_missing_files_are_missing(shop: Shop) -> None:
    assert [shop.get(path).text for path in ("/", "/orders/7", "/v1.2/orders")] == ["<h1>shop</h1>"] * 3
    missing = ("/assets/index-AAAA1111.js", "/none.png", "/.git/config", "/.env", "/assets/x.js")
    assert [shop.get(path).status for path in missing] == [404] * 5
    assert shop.get("/assets/index-AAAA1111.js").headers.get("Cache-Control") is None
    assert shop.get("/.well-known/assetlinks.json").status == 200


def test_events_arrive_when_they_are_sent(shop: Shop) -> None:
    """The second is sent only after the first has arrived."""
    with shop.box.pool(host=DOMAINS[0], https=True) as pool:
        answer = pool.request("GET", "/api/events", headers={"Host": DOMAINS[0]}, preload_content=False, retries=False)
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert answer.read1() == b"data: 1\n\n"
        shop.json("/api/go")
        assert answer.read1() == b"data: 2\n\n"
        answer.release_conn()


def test_a_web_socket_is_a_conversation(shop: Shop) -> None:
    """Upgrade, then two frames each way (RFC 6455)."""
    context = ssl.create_default_context(cafile=str(box_root() / "keys/ca.crt"))
    with (
        urllib3.util.connection.create_connection((shop.box.ip, 443), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=DOMAINS[0]) as line,
    ):
        key = base64.b64encode(os.urandom(16)).decode()
        line.sendall(
            f"GET /api/ws HTTP/1.1\r\nHost: {DOMAINS[0]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        stream = line.makefile("rb")
        assert stream.readline().split()[1] == b"101"
        while stream.readline() != b"\r\n":
            pass
        for word in (b"hello", b"again"):
            line.sendall(bytes([0x81, 0x80 | len(word)]) + bytes(4) + word)
            head = stream.read(2)
            assert (head[0], stream.read(head[1])) == (0x81, b"you said " + word)


def test_the_services_write_data_and_logs_and_nothing_else(shop: Shop) -> None:
    """Though modes would allow it; with an interpreter in a home that is read-only to them."""
    facts = shop.json("/api/facts")
    assert facts["prefix"] == PYTHON
    assert facts["variables"] == {
        "STAGE": "prod", "LOG_LEVEL": "info", "DATA_DIR": f"{BASE}/data", "SECRET_WORD": "sesame",
    }  # fmt: skip
    assert (facts["env"], facts["privileges"], facts["cwd"]) == (True, ["1"], f"{BASE}/api/vrs-1")
    outcome = shop.json("/api/writes")
    assert {folder for folder in OPEN if outcome[folder]} == set()
    assert {folder: outcome[folder] for folder in CLOSED if outcome[folder] != "Read-only file system"} == {}
    assert [shop.json("/api/note", domain)[1] for domain in (*DOMAINS, DOMAINS[0])] == [*DOMAINS, DOMAINS[0]]
    assert "somebody asked for facts" in shop.box.exec(["cat", f"{BASE}/logs/shop.log"], DEPLOY_USER).stdout
    assert shop.box.exec(["stat", "-c", "%U", f"{BASE}/logs/shop.log"]).stdout == "www-data\n"
    until(lambda: "works" in shop.box.exec(["cat", f"{BASE}/logs/shop-worker.log"], check=False).stdout, "the worker")
    assert shop.box.read(f"{BASE}/data/worker") == "was here"


def test_one_tenant_writes_beside_its_database_and_all_else_of_the_site_is_closed(shop: Shop) -> None:
    """SQLite makes files beside data.db, in the site's own folder."""
    shop.place(files(f"{CONF.replace('8000', '8001')}SERVICE_NAME: single.service\n"), extra=f"TRY={':'.join(CLOSED)} ")
    shop.box.exec(["systemctl", "start", "single.socket"])
    outcome = json.loads(shop.box.exec(["curl", "-sS", "http://127.0.0.1:8001/api/writes"]).stdout)
    assert outcome.pop(BASE) is None
    assert set(outcome.values()) == {"Read-only file system"}


def test_a_log_that_the_service_made_a_link_is_never_written_as_root(shop: Shop) -> None:
    """The shell that opens it is the service's user: root's file stays as it is, and the service does not start."""
    box, log = shop.box, f"{BASE}/logs/shop-worker.log"
    box.write("/etc/roots", "mine")
    box.exec(f"mv {log} {log}.aside; ln -s /etc/roots {log}", "www-data")
    box.exec(["systemctl", "restart", "shop-worker"])
    until(lambda: box.exec(["systemctl", "show", "-P", "NRestarts", "shop-worker"]).stdout != "0\n", "a failed start")
    assert box.read("/etc/roots") == "mine"
    box.exec(f"mv {log}.aside {log}", "www-data")
    box.exec(["systemctl", "restart", "shop-worker"])
    assert box.state("shop-worker") == "active"


def test_the_sites_rest_is_503_with_a_page_for_all_but_health_and_who_is_allowed(shop: Shop) -> None:
    box = shop.box
    box.write(f"{BASE}/maintenance/page.html", "<h1>back soon</h1>", DEPLOY_USER)
    box.write(f"{BASE}/maintenance/on", "{}", DEPLOY_USER)
    for path in ("/", "/assets/index-BwAg1sNy.js", "/api/headers", "/none.png"):
        page = shop.get(path, DOMAINS[1])
        assert (page.status, page.text) == (503, "<h1>back soon</h1>"), path
        assert (page.headers["Retry-After"], page.headers["Cache-Control"]) == ("77", "no-store")
    with box.pool(host=DOMAINS[0], https=True) as pool:
        posted = pool.request("POST", "/api/note", headers={"Host": DOMAINS[0]}, body=b"x", retries=False)
        assert (posted.status, posted.headers["Retry-After"]) == (503, "77")
    assert shop.json(HEALTH) == "well"
    inside = box.exec(["curl", "-sS", f"https://{DOMAINS[0]}/"]).stdout
    assert inside == "<h1>shop</h1>"
    box.exec(["rm", f"{BASE}/maintenance/page.html"])
    bare = shop.get("/")
    assert (bare.status, bare.headers["Retry-After"]) == (503, "77")
    box.exec(["rm", f"{BASE}/maintenance/on"])
    assert shop.get("/").status == 200


def test_a_restart_lets_visitors_wait_and_loses_none(shop: Shop) -> None:
    """The socket stays open, and what is dropped unanswered is asked again."""
    answers: list[object] = []
    stop = threading.Event()

    def visit() -> None:
        with shop.box.pool(host=DOMAINS[0], https=True, timeout=60.0) as pool:
            while not stop.is_set():
                answers.append(pool.request("GET", "/api/shop", headers={"Host": DOMAINS[0]}, retries=False).status)

    before = shop.json("/api/facts")["pid"]
    visitors = [threading.Thread(target=visit) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    try:
        for _ in range(2):
            shop.box.exec(["systemctl", "restart", "shop.service"])
            assert shop.json(HEALTH) == "well"
    finally:
        stop.set()
        for visitor in visitors:
            visitor.join()
    assert set(answers) == {200}
    assert len(answers) > 20
    assert shop.json("/api/facts")["pid"] != before


def test_a_service_is_at_rest_with_its_socket_and_its_restart_brings_both_back(shop: Shop) -> None:
    """What stands still for its databases must not be started by a visitor; a deploy may restart the service alone."""
    box = shop.box
    box.exec(["systemctl", "stop", "shop.socket"])
    assert shop.get(HEALTH).status == 502
    assert [box.state(f"shop.{kind}") for kind in ("service", "socket")] == ["inactive"] * 2
    box.exec(["systemctl", "restart", "shop.service"])
    assert [box.state(f"shop.{kind}") for kind in ("service", "socket")] == ["active"] * 2
    assert shop.json(HEALTH) == "well"


def test_a_switched_link_is_followed_at_once_and_never_half(shop: Shop) -> None:
    """Each page and each file comes from the release that is live, though the link is replaced all the time."""
    box = shop.box
    box.exec(["tee", f"{BASE}/ui/vrs-2/index.html"], stdin="<h1>two</h1>")
    script = f"cd {BASE}; for n in $(seq 300); do ln -s ui/vrs-$((n % 2 + 1)) .new; mv -T .new current-ui; done"
    switching = box.spawn(script, DEPLOY_USER)
    seen = set()
    with box.pool(host=DOMAINS[0], https=True) as pool:
        while switching.process.poll() is None:
            for path in ("/", "/assets/index-BwAg1sNy.js"):
                answer = pool.request("GET", path, headers={"Host": DOMAINS[0]}, retries=False)
                seen.add((answer.status, answer.data))
    assert switching.wait().ok
    assert seen == {(200, b"<h1>shop</h1>"), (200, b"<h1>two</h1>"), (200, b"// hashed")}
    assert shop.get("/").text == "<h1>shop</h1>"


def test_too_many_requests_are_told_so_and_health_is_not_counted(shop: Shop) -> None:
    """With gunicorn, which takes the same socket."""
    box = shop.box
    gunicorn = f"{ONE}APP_SERVER: gunicorn\nWORKERS: 2\nRATE_LIMIT: 2r/m\n"
    shop.place(files(gunicorn))
    box.exec(["systemctl", "restart", "shop.service"])
    assert [shop.get("/api/shop").status for _ in range(5)] == [200, 200, 200, 429, 429]
    assert [shop.get(HEALTH).status for _ in range(5)] == [200] * 5
    assert shop.get("/").status == 200
    assert "gunicorn" in box.exec(["systemctl", "show", "-P", "ExecStart", "shop.service"]).stdout


def test_a_slot_runs_if_its_link_is_there_and_nginx_follows_the_link_of_the_socket(shop: Shop) -> None:
    """The template that provision writes, with the links that a deploy will make; both slots come up at boot."""
    box = shop.box
    shop.place(files(f"{CONF}SERVICE_NAME: slots@.service\nNGINX_SITE: slots\nDOMAINS: [slots.box.test]\n"))
    enabled = [box.exec(["systemctl", "is-enabled", f"slots@{slot}"], check=False).stdout for slot in "ab"]
    assert enabled == ["enabled\n"] * 2
    box.exec(f"ln -s ../api/vrs-1 {BASE}/slots/a; touch {BASE}/run/a.sock; ln -s a.sock {BASE}/run/current-api.sock")
    box.exec(["systemctl", "start", "slots@a", "slots@b"])
    assert (box.state("slots@a"), box.state("slots@b")) == ("active", "inactive")
    # Until nginx's old workers are gone, the other site answers for a name that they do not know.
    until(lambda: b"slots.box.test" in shop.get("/api/headers", "slots.box.test").body, "the slot")
    seen = shop.json("/api/headers", "slots.box.test")
    assert (seen["scheme"], seen["client"], seen["x-domain"]) == ("https", seen["x-real-ip"], "slots.box.test")


def test_a_deploy_that_migrates_offline_rests_the_service_with_its_socket(live: Notes, outputs: Outputs) -> None:
    """The sample application behind a provisioned socket: nobody starts it meanwhile, and all is up again behind it."""
    box, api = live.box, live.units[0]
    notes = conf(f"{CONF.replace(BASE, live.base)}DOMAINS: [{', '.join(DOMAINS)}]\nSERVICE_NAME: {api}\n")
    box.exec(["systemctl", "stop", api])
    for file in unit_files(notes, {}):
        box.write(str(file.path), file.text)
    box.exec(["systemctl", "daemon-reload"])
    box.exec(["systemctl", "enable", "-q", "--now", "notes-prod-api.socket"])
    live.wait_for_version("1")
    stops = [f"{DEPLOY_USER} ALL=(root) NOPASSWD: /bin/systemctl stop notes-prod-api.socket"]
    box.sudoers([*live.rules(), *live.stop_rules()])
    refused = live.deploy(outputs("v2"), MIGRATE_OFFLINE="true", STABLE_FOR="0.5")
    assert (refused.code, "would be started again by notes-prod-api.socket" in refused.output) == (2, True), refused
    box.sudoers([*live.rules(), *live.stop_rules(), *stops])
    before = box.exec(["systemctl", "show", "-P", "InvocationID", "notes-prod-api.socket"]).stdout
    done = live.deploy()
    assert done.code == 0, done
    live.wait_for_version("2")
    assert box.exec(["systemctl", "show", "-P", "InvocationID", "notes-prod-api.socket"]).stdout != before
    bad = live.deploy(outputs("third-migration-fails"), MIGRATE_OFFLINE="true", STABLE_FOR="0.5")
    assert bad.code == 1, bad
    live.wait_for_version("2")
    assert box.state("notes-prod-api.socket") == "active"
