"""Passwords that stand readable in a file: found with their line, and nothing else is."""

from __future__ import annotations

import pytest

from mcc.core.looks.plain_secrets import plain_secrets
from mcc.host.yaml import parse


def found(text: str) -> list[tuple[int, str]]:
    return [(each.line, each.key) for each in plain_secrets(parse(text, "conf-prod.yml"))]


@pytest.mark.parametrize(
    "line",
    [
        "DB_PASSWORD: hunter2",
        "DB_PASSWORD: 12345678",
        'STRIPE_KEY: "sk_live_abc"',
        'SMTP: { user: a, passwd: "x y" }',
        'DATABASE_URL: "postgresql://myapp:hunter2@localhost/myapp"',
        'DATABASE_URL: "postgresql://myapp:a{{env:REST}}@localhost/myapp"',
        'URLS: ["https://a.example.com/", "https://u:p@b.example.com/"]',
        "MAIL_PASSWORD_FILE: hunter2",
    ],
)
def test_what_is_written_out_is_found_with_its_line(line: str) -> None:
    assert [at for at, _ in found(f"REMOTE_BASE: /srv/site\n{line}\n")] == [2]


@pytest.mark.parametrize(
    "line",
    [
        'DB_PASSWORD: "{{env:DB_PASSWORD}}"',
        'DB_PASSWORD: "{{file:secrets/db}}"',
        'DB_PASSWORD: "${DB_PASSWORD}"',
        "DB_PASSWORD: $DB_PASSWORD",
        "DB_PASSWORD:",
        'DB_PASSWORD: ""',
        'DATABASE_URL: "postgresql://myapp:{{DB_PASSWORD}}@localhost/myapp"',
        'DATABASE_URL: "postgresql://myapp:{{file:secrets/db}}@localhost/myapp"',
        'DATABASE_URL: "postgresql://myapp@localhost/myapp"',
        "ACCESS_TOKEN_MINUTES: 30",
        "TOKEN_REQUIRED: true",
        "TLS_KEY: /etc/letsencrypt/live/example.com/privkey.pem",
        "TOKEN_FILE: secrets/token",
        "KEYBOARD: qwerty",
    ],
)
def test_what_comes_from_elsewhere_or_is_no_secret_is_not(line: str) -> None:
    assert found(f"REMOTE_BASE: /srv/site\n{line}\n") == []


def test_a_key_is_named_from_the_top_and_the_value_never() -> None:
    text = "EMBEDDED_SERVICES:\n  api:\n    command: x\n    environment:\n      API_TOKEN: hunter2\n"
    (one,) = plain_secrets(parse(text, "conf-prod.yml"))
    assert (one.line, one.key) == (5, "EMBEDDED_SERVICES.api.environment.API_TOKEN")
    assert str(one).startswith("conf-prod.yml:5: EMBEDDED_SERVICES.api.environment.API_TOKEN: a secret stands here")
    assert one.help == 'write "{{env:API_TOKEN}}" in its place, and on the server: mcc env set API_TOKEN'
    assert "hunter2" not in str(one) + one.help


def test_all_are_named_in_the_order_of_the_file() -> None:
    text = "A_TOKEN: x\nB: { C_SECRET: y }\nD: https://u:p@example.com/\n"
    assert found(text) == [(1, "A_TOKEN"), (2, "B.C_SECRET"), (3, "D")]
