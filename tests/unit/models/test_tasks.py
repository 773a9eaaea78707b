"""The public record: what it takes, how it refuses, and what counts as the same body."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.clock import iso_time
from models.encoding import LONGEST_PROMPT
from models.errors import InvalidRequest
from models.stranger import validated
from models.tasks import LATEST_MS, TaskRequest, body_hash
from tests.unit.models.making import request

TEXT: dict[str, Any] = {"task_type": "text_vectorization", "data": "a"}
BATCH: dict[str, Any] = {"task_type": "batch_vectorization", "data": ["a", "b"]}


@pytest.mark.parametrize(
    "body, field, reason",
    [
        ({"data": "a"}, "task_type", "required"),
        (TEXT | {"task_type": "sing"}, "task_type", "text_vectorization"),
        ({"task_type": "text_vectorization"}, "data", "required"),
        (TEXT | {"data": ["a"]}, "data", "text_vectorization takes one string"),
        (BATCH | {"data": "a"}, "data", "batch_vectorization takes a list of strings"),
        (BATCH | {"data": ["a", 7]}, "data[1]", "valid string"),
        (TEXT | {"data": None}, "data", "valid"),
        (TEXT | {"bogus": 1}, "bogus", "not permitted"),
        (TEXT | {"priority": True}, "priority", "valid integer"),
        (TEXT | {"priority": "urgent"}, "priority", "valid integer"),
        (TEXT | {"priority": 1.5}, "priority", "valid integer"),
        (TEXT | {"batch_size": 0}, "batch_size", "greater than or equal to 1"),
        (TEXT | {"batch_size": "8"}, "batch_size", "valid integer"),
        (TEXT | {"metadata": []}, "metadata", "valid dictionary"),
        (TEXT | {"collection": "lower"}, "collection", "match pattern"),
        (TEXT | {"deadline_s": 0}, "deadline_s", "greater than 0"),
        (TEXT | {"deadline_s": -1}, "deadline_s", "greater than 0"),
        (TEXT | {"deadline_s": math.inf}, "deadline_s", "finite"),
        (TEXT | {"deadline_s": math.nan}, "deadline_s", "finite"),
        (TEXT | {"deadline_s": "inf"}, "deadline_s", "valid number"),
        (TEXT | {"deadline_s": "5"}, "deadline_s", "valid number"),
        (TEXT | {"queue_timeout_s": True}, "queue_timeout_s", "valid number"),
        (TEXT | {"callback_url": "ftp://x"}, "callback_url", "http"),
        (TEXT | {"task_id": "a/b"}, "task_id", "match pattern"),
        (TEXT | {"task_id": "a\n"}, "task_id", "match pattern"),
        (TEXT | {"idempotency_key": ""}, "idempotency_key", "at least 1"),
        (TEXT | {"tenant": "a b"}, "tenant", "match pattern"),
        (TEXT | {"v": 0}, "v", "greater than or equal to 1"),
        (TEXT | {"v": "2"}, "v", "valid integer"),
        (TEXT | {"submitted_ms": -1}, "submitted_ms", "greater than or equal to 0"),
        (TEXT | {"submitted_ms": 10**18}, "submitted_ms", "less than or equal to"),
        (BATCH | {"item_ids": ["x"]}, "item_ids", "1 ids for 2 texts"),
        (BATCH | {"item_ids": ["x", "x"]}, "item_ids", "an id stands twice"),
        (BATCH | {"item_ids": ["x", ""]}, "item_ids[1]", "at least 1"),
        (BATCH | {"item_ids": ["x", "a\x00"]}, "item_ids[1]", "match pattern"),
        (TEXT | {"dimensions": 0}, "dimensions", "greater than or equal to 1"),
        (TEXT | {"dimensions": "128"}, "dimensions", "valid integer"),
        (TEXT | {"dimensions": True}, "dimensions", "valid integer"),
        (TEXT | {"normalize": "yes"}, "normalize", "valid boolean"),
        (TEXT | {"normalize": 1}, "normalize", "valid boolean"),
        (TEXT | {"input_type": ""}, "input_type", "at least 1"),
        (TEXT | {"input_type": "x" * 65}, "input_type", "at most 64"),
        (TEXT | {"prompt": "x" * (LONGEST_PROMPT + 1)}, "prompt", "at most 2000"),
        (TEXT | {"prompt": 5}, "prompt", "valid string"),
        (TEXT | {"prompt": "p", "input_type": "query"}, "prompt", "either prompt or input_type"),
        (TEXT | {"prompt": "", "input_type": "query"}, "prompt", "either prompt or input_type"),
        (TEXT | {"truncate": "middle"}, "truncate", "'end', 'start' or 'error'"),
        (TEXT | {"truncate": None}, "truncate", "'end', 'start' or 'error'"),
        (TEXT | {"encoding": "hex"}, "encoding", "'float' or 'base64'"),
    ],
)
def test_a_wrong_body_is_refused_by_field_and_reason(
    body: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        validated(body)
    assert caught.value.field == field
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    "body",
    [
        TEXT,
        BATCH,
        TEXT | {"priority": -3},
        TEXT | {"priority": "low"},
        TEXT | {"dimensions": 1, "normalize": False, "input_type": "query"},
        TEXT | {"prompt": "", "truncate": "error", "encoding": "base64"},
        TEXT | {"prompt": "x" * LONGEST_PROMPT, "truncate": "start"},
    ],
)
def test_a_good_body_is_taken(body: dict[str, Any]) -> None:
    assert validated(body).texts == ([body["data"]] if body is not BATCH else ["a", "b"])


def test_the_latest_time_taken_can_be_shown_even_with_the_longest_deadline() -> None:
    assert iso_time(LATEST_MS + 604_800_000) is not None


def test_a_request_is_never_changed() -> None:
    with pytest.raises(ValidationError):
        request().data = "other"  # type: ignore[misc]


SAME: list[dict[str, Any]] = [
    {"task_id": "mine"},
    {"idempotency_key": "k"},
    {"submitted_ms": 5},
    {"traceparent": "00-aa"},
    {"tenant": "acme"},
    {"priority": 1},
    {"metadata": {}},
    {"model_name": None},
    {"dimensions": None, "normalize": None, "input_type": None, "prompt": None},
    {"truncate": "end", "encoding": "float"},
]
OTHER: list[dict[str, Any]] = [
    {"data": "b"},
    {"priority": 5},
    {"batch_size": 8},
    {"metadata": {"a": 1}},
    {"metadata": {"a": "1"}},
    {"model_name": "m"},
    {"collection": "C"},
    {"item_ids": ["x"]},
    {"deadline_s": 5},
    {"queue_timeout_s": 5},
    {"run_timeout_s": 5},
    {"callback_url": "http://x/"},
    {"retry_of": "t0"},
    {"dimensions": 128},
    {"normalize": True},
    {"normalize": False},
    {"input_type": "document"},
    {"prompt": ""},
    {"prompt": "query: "},
    {"truncate": "start"},
    {"encoding": "base64"},
]


@pytest.mark.parametrize("change", SAME, ids=str)
def test_what_does_not_change_the_ask_does_not_change_the_hash(change: dict[str, Any]) -> None:
    assert body_hash(validated(TEXT | change)) == body_hash(validated(TEXT))


def test_every_change_of_the_ask_is_another_hash() -> None:
    hashes = [body_hash(validated(TEXT | change)) for change in [{}, *OTHER]]
    assert len(set(hashes)) == len(hashes)


DOCUMENT = {"task_type": "document_vectorization", "data": "YQ=="}
OF_DOCUMENTS: list[dict[str, Any]] = [
    {"document_id": "d"},
    {"filename": "a.txt"},
    {"chunk_tokens": 64},
    {"chunk_overlap": 0},
    {"chunk_overlap": 8},
]


def test_every_change_of_how_a_document_is_cut_is_another_hash() -> None:
    hashes = [body_hash(validated(DOCUMENT | change)) for change in [{}, *OF_DOCUMENTS]]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize("change", OF_DOCUMENTS, ids=str)
def test_only_a_document_has_these_fields(change: dict[str, Any]) -> None:
    [field] = change
    with pytest.raises(InvalidRequest, match=f"{field}: text_vectorization has none"):
        validated(TEXT | change)


def test_a_document_has_no_texts_and_no_ids_of_items() -> None:
    assert validated(DOCUMENT).texts == []
    with pytest.raises(InvalidRequest, match="item_ids: document_vectorization has none"):
        validated(DOCUMENT | {"item_ids": ["a"]})
    with pytest.raises(InvalidRequest, match="data: document_vectorization takes one string"):
        validated(DOCUMENT | {"data": ["YQ=="]})


@pytest.mark.parametrize(
    "field,value,reason",
    [
        ("filename", "", "at least 1"),
        ("filename", "a\nb", "match pattern"),
        ("filename", "x" * 256, "at most 255"),
        ("document_id", "", "at least 1"),
        ("chunk_tokens", 7, "greater than or equal to 8"),
        ("chunk_tokens", "64", "valid integer"),
        ("chunk_overlap", -1, "greater than or equal to 0"),
    ],
)
def test_a_wrong_field_of_a_document_is_refused_by_name(
    field: str, value: object, reason: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        validated(DOCUMENT | {field: value})
    assert caught.value.field == field
    assert reason in caught.value.reason


def test_every_field_is_known_to_be_in_the_hash_or_out_of_it() -> None:
    checked = {name for change in SAME + OTHER + OF_DOCUMENTS for name in change}
    assert set(TaskRequest.model_fields) - checked == {"task_type", "v"}


def test_a_list_of_one_is_another_ask_than_its_text() -> None:
    assert body_hash(request("a")) != body_hash(request(["a"]))


def test_the_hash_is_pinned_since_rows_of_old_versions_are_compared_with_it() -> None:
    assert (
        body_hash(request("a text", metadata={"b": 1, "a": [None, 2.5]}))
        == "3dfe88ff19a1ed8785d44cc695871ca3"
    )


@given(st.dictionaries(st.text(max_size=5), st.integers(-9, 9), min_size=2, max_size=5))
def test_the_order_of_metadata_is_not_part_of_the_ask(metadata: dict[str, int]) -> None:
    turned = dict(reversed(metadata.items()))
    assert body_hash(request(metadata=metadata)) == body_hash(request(metadata=turned))


@given(st.lists(st.text(max_size=8), min_size=1, max_size=5), st.integers(0, LATEST_MS))
def test_a_record_read_again_is_the_same_ask(texts: list[str], at_ms: int) -> None:
    asked = request(texts, submitted_ms=at_ms, task_id="t")
    again = TaskRequest.model_validate_json(asked.model_dump_json(exclude_defaults=True))
    assert again == asked
    assert body_hash(again) == body_hash(asked)
