"""Secrets never show, and nothing else is hidden."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcc.core.masking import Masker, is_secret_name, url_passwords


@pytest.mark.parametrize(
    "name", ["DB_PASSWORD", "SECRET_KEY", "api_token", "STRIPE_KEY", "GITHUB_TOKENS", "SMTP_PASSWD", "PASSPHRASE"]
)
def test_names_of_secrets_are_known_by_what_is_in_them(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["KEYBOARD", "API_KEYS", "PASS", "DOMAIN", 3])
def test_other_names_are_not(name: object) -> None:
    assert not is_secret_name(name)


def test_a_secret_is_hidden_in_every_form_that_logs_and_addresses_give_it() -> None:
    secret = 'p@ss "w/ö"'
    mask = Masker([secret]).mask
    for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]):
        assert mask(f"<{form}>") == "<***>"


def test_each_line_of_a_long_secret_is_hidden_by_itself() -> None:
    key = "-----BEGIN-----\nMIIEvQIBADANBg\nab\n-----END KEY-----\n"
    assert Masker([key]).mask("read MIIEvQIBADANBg and ab") == "read *** and ab"


def test_the_longest_secret_wins_and_overlaps_leave_no_rest() -> None:
    assert Masker(["secret", "secret-long"]).mask("x secret-long y") == "x *** y"
    assert Masker(["abcdX", "Xefgh"]).mask("abcdXefgh") == "***"
    assert Masker(["abcdefgh", "cdef"]).mask("abcdefgh!") == "***!"
    assert Masker(["aaaa"]).mask("aaaaaa") == "***"


def test_secrets_that_stand_in_every_text_are_not_searched_for() -> None:
    assert Masker(["", " ", "a", "abc", "   a  "]).mask("a cat, abc") == "a cat, abc"


def test_passwords_of_addresses_are_found_also_in_encoded_form() -> None:
    assert url_passwords("postgresql://me:p%40ss@host/db and http://x:y/z") == {"p%40ss", "p@ss"}
    assert url_passwords("https://example.com:8080/@x mail me@host") == frozenset()


def test_data_is_masked_at_every_depth_keys_and_numbers_too() -> None:
    masked = Masker(["hidden", "123456"]).mask_data({"a hidden": ["hidden", 123456, 7, True, None, 1.5]})
    assert masked == {"a ***": ["***", "***", 7, True, None, 1.5]}


@given(st.lists(st.text("abcdef", min_size=4, max_size=8), max_size=4), st.text("abcdef -", max_size=60))
def test_no_secret_is_left_in_any_text(secrets: list[str], text: str) -> None:
    masked = Masker(secrets).mask(text)
    assert not any(secret in masked for secret in secrets)


@given(st.text("abc", max_size=20), st.text("xyz", min_size=4))
def test_a_text_without_secrets_stays_as_it_is(text: str, secret: str) -> None:
    assert Masker([secret]).mask(text) == text
