"""``{{KEY}}``, ``{{env:NAME}}``, ``{{file:PATH}}``."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcc.core.conf.placeholders import Filled, fill
from mcc.core.conf.unfit import Unfit
from mcc.core.document import Document
from mcc.core.dotenv import variables
from mcc.host.yaml import parse


class Known:
    """An outside that knows one variable and one file."""

    def variable(self, name: str) -> str:
        if name == "PW":
            return "s3cret {{A}}"
        raise Unfit(f"{name} is not set")

    def file(self, path: str) -> str:
        if path == "data/key.pem":
            return "from a file"
        raise Unfit(f"no {path}")


def filled(text: str) -> Filled:
    return fill(parse(text, "f.yml"), Known())


def said(text: str) -> list[str]:
    return [str(problem) for problem in filled(text).problems]


def test_a_key_can_be_used_at_any_depth_and_over_several_steps() -> None:
    text = 'A: /srv\nB: "{{A}}/b"\nC: {d: ["{{ B }}/c", 3]}\nN: 8000\nU: "http://x:{{N}}"\nV: "{{F}}"\nF: true\n'
    data = filled(text).data
    assert data["B"] == "/srv/b"
    assert data["C"] == {"d": ["/srv/b/c", 3]}
    assert data["U"] == "http://x:8000"
    assert data["V"] is True


def test_a_number_is_put_in_as_it_was_written() -> None:
    assert filled('VERSION: 1.10\nA: "v{{VERSION}}"\n').data["A"] == "v1.10"


@pytest.mark.parametrize(
    "text", ["{x}", "{{}}", "{{ }}", "{{ user.name }}", "{{% if %}}", "}}{{", "{{a b}}", "{{x:y}}"]
)
def test_other_braces_are_left_alone(text: str) -> None:
    assert fill(Document("f", {"A": text}), Known()).data["A"] == text


def test_values_from_outside_are_secret_and_are_not_read_a_second_time() -> None:
    result = filled('A: x\nURL: "pg://u:{{env:PW}}@h"\nK: {f: "{{file:data/key.pem}}"}\nX: "{{URL}}/db"\n')
    assert result.data["URL"] == "pg://u:s3cret {{A}}@h"
    assert {"s3cret {{A}}", "from a file"} <= result.secrets
    assert result.tainted == {("URL",), ("K", "f"), ("X",)}
    assert not result.problems


def test_values_of_keys_that_name_a_secret_are_secret_at_any_depth() -> None:
    result = filled('DB_PASSWORD: hunter22\nE: {API_TOKEN: [t0ken1]}\nPIN_SECRET: 0123456\nU: "http://a:b-pass@h"\n')
    assert result.secrets == {"hunter22", "t0ken1", "0123456", "b-pass"}


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            'DOMAIN: x\nA: "{{DOMIAN}}"\n',
            ["f.yml:2: A: found {{DOMIAN}}, but there is no key DOMIAN (did you mean DOMAIN?)"],
        ),
        (
            'A: "{{zzz}} {{yyy}}"\n',
            [
                "f.yml:1: A: found {{zzz}}, but there is no key zzz (it must be a key of this file)",
                "f.yml:1: A: found {{yyy}}, but there is no key yyy (it must be a key of this file)",
            ],
        ),
        (
            'A: [1]\nB: "{{A}}"\nC:\nD: "{{C}}"\n',
            [
                "f.yml:2: B: found {{A}}, but A is a list or a mapping (allowed: keys with one value)",
                "f.yml:4: D: found {{C}}, but C has no value (allowed: keys with one value)",
            ],
        ),
        ('A: "{{A}}"\n', ["f.yml:1: A: stands for itself: A -> A (break the circle)"]),
        (
            'X: "{{A}}"\nA: "{{B}}"\nB: "{{C}}"\nC: "{{A}}"\n',
            ["f.yml:2: A: stands for itself: A -> B -> C -> A (break the circle)"],
        ),
        ('A: "{{env:NOPE}}"\n', ["f.yml:1: A: NOPE is not set"]),
    ],
)
def test_what_cannot_be_filled_is_said_once_with_its_line(text: str, messages: list[str]) -> None:
    assert said(text) == messages


def test_placeholders_that_double_a_text_again_and_again_are_refused() -> None:
    lines = ["A0: 0123456789", *(f'A{n}: "{f"{{{{A{n - 1}}}}}" * 10}"' for n in range(1, 12))]
    assert any("becomes longer than 64 KiB" in problem for problem in said("\n".join(lines)))


def test_a_chain_of_thousands_of_keys_is_refused() -> None:
    lines = [f'A{n}: "{{{{A{n + 1}}}}}"' for n in range(3000)] + ["A3000: x"]
    assert any("more than 40 placeholders" in problem for problem in said("\n".join(lines)))


KEYS = st.sampled_from("ABCDE")
TEXTS = st.lists(KEYS.map(lambda key: f"{{{{{key}}}}}") | st.sampled_from(["x", "{{", "{{env:PW}}"]), max_size=4)


@settings(deadline=None)
@given(st.dictionaries(KEYS, TEXTS.map("".join), max_size=5))
def test_no_conf_hangs_or_leaves_a_placeholder_unsaid(data: dict[str, str]) -> None:
    result = fill(Document("f", dict(data)), Known())
    assert bool(result.problems) == bool(result.failed)
    for key, value in result.data.items():
        if (key,) not in result.failed:
            assert "{{B}}" not in value
            assert "{{env:" not in value


def test_dotenv_takes_what_shells_and_systemd_take() -> None:
    text = 'A=1\n# B=2\nexport C = x y # note\nD="a \\"b\\" # c" # d\nE=\'$x\'\nF=\nnonsense\nG=a#b\n'
    assert variables(text) == {"A": "1", "C": "x y", "D": 'a "b" # c', "E": "$x", "F": "", "G": "a#b"}
