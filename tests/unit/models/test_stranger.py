"""Records of `vectorize.tasks` from any Kafka client: whose task they are, or why they are none."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidRequest, LimitExceeded, MalformedJson, NewerRecord
from models.ids import task_id_for_key, task_id_for_source
from models.splitting import TaskLimits
from models.stranger import Found, read_task

LIMITS = TaskLimits(max_items=3, max_text_bytes=40, max_metadata_bytes=30)
BODY: dict[str, Any] = {"task_type": "text_vectorization", "data": "hello"}


def read(body: object, *, offset: int = 9, limits: TaskLimits = LIMITS) -> Found:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return read_task(raw, topic="v.tasks", partition=1, offset=offset, limits=limits)


def test_a_record_without_id_and_key_is_named_by_its_place() -> None:
    assert read(BODY).task_id == task_id_for_source("v.tasks", 1, 9)
    assert read(BODY, offset=10).task_id != read(BODY).task_id


def test_a_record_with_an_idempotency_key_is_named_by_tenant_and_key() -> None:
    keyed = read(BODY | {"idempotency_key": "k", "tenant": "acme"})
    assert keyed.task_id == task_id_for_key("acme", "k")
    again = read(BODY | {"idempotency_key": "k", "tenant": "acme"}, offset=77)
    assert again.task_id == keyed.task_id


def test_a_records_own_id_goes_before_its_key() -> None:
    assert read(BODY | {"idempotency_key": "k", "task_id": "mine"}).task_id == "mine"


@pytest.mark.parametrize(
    "body, error, field",
    [
        (b"", MalformedJson, "body"),
        (b"no json", MalformedJson, "body"),
        (b"[]", InvalidRequest, "body"),
        (b'"text"', InvalidRequest, "body"),
        (b"null", InvalidRequest, "body"),
        ({}, InvalidRequest, "task_type"),
        (BODY | {"data": ""}, InvalidRequest, "data"),
        (BODY | {"data": " \n\t"}, InvalidRequest, "data"),
        (BODY | {"data": "x" * 41}, LimitExceeded, "data"),
        (BODY | {"metadata": {"k": "x" * 40}}, LimitExceeded, "metadata"),
        (BODY | {"deadline_s": 604_801}, LimitExceeded, "deadline_s"),
        (BODY | {"deadline_s": 1e300}, LimitExceeded, "deadline_s"),
        ({"task_type": "batch_vectorization", "data": []}, InvalidRequest, "data"),
        ({"task_type": "batch_vectorization", "data": ["a"] * 4}, LimitExceeded, "data"),
        (BODY | {"v": "2"}, InvalidRequest, "v"),
        (BODY | {"v": -1}, InvalidRequest, "v"),
    ],
)
def test_what_can_never_be_a_task_is_refused(
    body: object, error: type[InvalidRequest], field: str
) -> None:
    with pytest.raises(error) as caught:
        read(body)
    assert caught.value.field == field


def test_one_bad_text_among_others_is_no_reason_to_refuse_the_task() -> None:
    texts = ["good", "", "x" * 41]
    assert read({"task_type": "batch_vectorization", "data": texts}).request.texts == texts


def test_a_newer_record_is_waited_for_whatever_else_it_says() -> None:
    with pytest.raises(NewerRecord):
        read({"v": 2, "data": {"of": "another shape"}})


def test_a_bomb_is_refused_by_the_depth_setting() -> None:
    deep: object = 1
    for _ in range(40):
        deep = [deep]
    with pytest.raises(LimitExceeded, match=r"task\.max_json_depth"):
        read(BODY | {"metadata": {"a": deep}})


@given(st.binary(max_size=100))
def test_any_bytes_are_a_task_or_a_refusal(raw: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(raw)


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            ["task_type", "data", "priority", "deadline_s", "item_ids", "metadata", "v", "task_id"],
            st.none()
            | st.booleans()
            | st.integers(-5, 2**63)
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(max_size=5)
            | st.lists(st.text(max_size=3), max_size=4)
            | st.sampled_from(["text_vectorization", "batch_vectorization", "inf", "nan"]),
        ),
    )
)
def test_any_object_is_a_task_a_refusal_or_a_newer_record(body: dict[str, Any]) -> None:
    try:
        found = read(body)
    except (InvalidRequest, NewerRecord):
        return
    assert found.request.texts
