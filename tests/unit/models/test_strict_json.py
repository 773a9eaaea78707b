"""JSON from strangers: what gets past the door, and that no bomb holds it open."""

import contextlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidRequest, LimitExceeded, MalformedJson
from models.strict_json import load_strict

DEPTH = 32
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def depth_of(value: object) -> int:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max((depth_of(each) for each in inner), default=0)
    return 0


@given(VALUES)
def test_what_is_within_the_limits_comes_through_as_it_was(value: object) -> None:
    assert load_strict(orjson.dumps(value), max_depth=100) == value


@given(VALUES, st.integers(0, 5))
def test_the_depth_limit_is_exact(value: object, limit: int) -> None:
    if depth_of(value) <= limit:
        assert load_strict(orjson.dumps(value), max_depth=limit) == value
    else:
        with pytest.raises(LimitExceeded):
            load_strict(orjson.dumps(value), max_depth=limit)


def test_too_deep_names_limit_given_value_and_setting() -> None:
    with pytest.raises(LimitExceeded) as caught:
        load_strict(b"[" * 5 + b"]" * 5, max_depth=3)
    assert (caught.value.limit, caught.value.given) == (3, 4)
    assert caught.value.setting == "task.max_json_depth"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nul",
        b"{'a':1}",
        b"[1,]",
        b"{} {}",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b'"\\ud800"',
        b'{"\\udfff":1}',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"a\x00b"',
        b"\xef\xbb\xbf{}",
        b"\x80\x04K\x01.",
    ],
)
def test_what_is_no_json_is_refused_in_one_line(raw: bytes) -> None:
    with pytest.raises(MalformedJson) as caught:
        load_strict(raw, max_depth=DEPTH)
    assert caught.value.field == "body"
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 300


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_refusal(raw: bytes) -> None:
    try:
        load_strict(raw, max_depth=DEPTH)
    except InvalidRequest:
        return


MILLION = 1_000_000


@pytest.mark.timeout(60)  # against a hang
@pytest.mark.parametrize(
    "bomb, answer",
    [
        (b"[" * MILLION, MalformedJson),
        (b"[" * MILLION + b"]" * MILLION, MalformedJson),
        (b'{"a":' * MILLION, MalformedJson),
        (b"[" * 1_000 + b"]" * 1_000, LimitExceeded),
        (b'{"a":' * 30 + b"[" + b"[[]]," * 200_000 + b"[]]" + b"}" * 30, LimitExceeded),
        (b"1" * MILLION, MalformedJson),
        (b"[" + b"[]," * MILLION + b"[]]", None),
        (b"[" + b"0," * MILLION + b"0]", None),
        (b'"' + b"\\u0000" * MILLION + b'"', None),
    ],
    ids=["open", "deep", "objects", "nested", "both", "digits", "wide", "numbers", "escapes"],
)
def test_a_bomb_is_refused_or_only_large(bomb: bytes, answer: type[InvalidRequest] | None) -> None:
    """What is only large comes through: how long a body may be is asked before it is read."""
    with contextlib.nullcontext() if answer is None else pytest.raises(answer):
        load_strict(bomb, max_depth=DEPTH)
