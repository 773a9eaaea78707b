"""Units: every item that may go on is in exactly one, in order, within the bounds."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidRequest, LimitExceeded
from models.splitting import (
    TaskLimits,
    check_request,
    json_bytes,
    refused_items,
    split,
)
from models.states import ItemErrorCode
from models.tasks import TaskRequest
from models.units import UnitItem
from tests.unit.models.making import request

TEXTS = st.lists(st.text(max_size=30), min_size=1, max_size=60)
LIMITS = st.builds(
    TaskLimits,
    max_text_bytes=st.integers(2, 60),
    unit_items=st.integers(1, 20),
    unit_bytes=st.integers(1, 400),
    max_units=st.integers(1, 30),
)
ROOMY = TaskLimits(unit_items=4, unit_bytes=1000)


def cut(texts: list[str], limits: TaskLimits, batch_size: int | None = None) -> list[list[int]]:
    asked = request(texts, batch_size=batch_size)
    units = split(asked, refused_items(asked, limits), limits)
    return [[item.index for item in unit] for unit in units]


@given(TEXTS, LIMITS, st.none() | st.integers(1, 40))
def test_every_item_is_refused_or_in_exactly_one_unit_in_order(
    texts: list[str], limits: TaskLimits, batch_size: int | None
) -> None:
    refused = [failure.index for failure in refused_items(request(texts), limits)]
    units = cut(texts, limits, batch_size)
    kept = [index for unit in units for index in unit]
    assert kept == sorted(kept)
    assert sorted(kept + refused) == list(range(len(texts)))
    assert all(units)


@given(TEXTS, LIMITS, st.none() | st.integers(1, 40))
def test_a_task_never_needs_more_than_its_most_units(
    texts: list[str], limits: TaskLimits, batch_size: int | None
) -> None:
    assert len(cut(texts, limits, batch_size)) <= limits.max_units


@given(TEXTS, LIMITS, st.none() | st.integers(1, 40))
def test_a_unit_stays_within_its_bounds_where_the_task_fits_its_units(
    texts: list[str], limits: TaskLimits, batch_size: int | None
) -> None:
    wide = TaskLimits(**{**_facts(limits), "max_units": 1000})
    for unit in cut(texts, wide, batch_size):
        size = sum(json_bytes(texts[index]) + 32 for index in unit)
        assert len(unit) <= min(batch_size or wide.unit_items, wide.unit_items)
        assert size <= wide.unit_bytes or len(unit) == 1


def _facts(limits: TaskLimits) -> dict[str, int]:
    return {name: getattr(limits, name) for name in ("max_text_bytes", "unit_items", "unit_bytes")}


@given(TEXTS, LIMITS)
def test_the_same_request_is_always_cut_the_same_way(texts: list[str], limits: TaskLimits) -> None:
    assert cut(texts, limits) == cut(list(texts), limits)


@given(TEXTS, LIMITS)
def test_a_unit_ends_only_where_a_bound_says_so(texts: list[str], limits: TaskLimits) -> None:
    wide = TaskLimits(**{**_facts(limits), "max_units": 1000})
    for unit, after in pairwise(cut(texts, wide)):
        size = sum(json_bytes(texts[index]) + 32 for index in [*unit, after[0]])
        assert len(unit) == wide.unit_items or size > wide.unit_bytes


def test_a_batch_size_hints_at_smaller_units_but_never_at_larger_ones() -> None:
    assert [len(unit) for unit in cut(["a"] * 8, ROOMY, 3)] == [3, 3, 2]
    assert [len(unit) for unit in cut(["a"] * 8, ROOMY, 100)] == [4, 4]


def test_units_grow_where_a_task_would_need_too_many() -> None:
    limits = TaskLimits(unit_items=4, max_units=3)
    assert [len(unit) for unit in cut(["a"] * 30, limits)] == [10, 10, 10]


def test_a_full_task_of_the_defaults_keeps_to_1024_units() -> None:
    assert len(cut(["a"] * 10_000, TaskLimits(), 1)) == 1000
    assert [len(unit) for unit in cut(["a"] * 130, TaskLimits())] == [64, 64, 2]


def test_items_carry_their_own_ids_into_units_and_failures() -> None:
    asked = request(["a", " ", "b"], item_ids=["x", "y", "z"])
    refused = refused_items(asked, ROOMY)
    assert [failure.own_id for failure in refused] == ["y"]
    assert split(asked, refused, ROOMY) == [
        [UnitItem(index=0, text="a", own_id="x"), UnitItem(index=2, text="b", own_id="z")]
    ]


def test_long_own_ids_count_into_a_units_bytes() -> None:
    ids = [f"{number}".rjust(200, "x") for number in range(4)]
    asked = request(["a"] * 4, item_ids=ids)
    assert [len(unit) for unit in split(asked, [], ROOMY)] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "text, code",
    [
        ("", ItemErrorCode.EMPTY_TEXT),
        (" \t\n", ItemErrorCode.EMPTY_TEXT),
        ("x" * 9, ItemErrorCode.TEXT_TOO_LARGE),
        ("é" * 5, ItemErrorCode.TEXT_TOO_LARGE),
        ("\x00" * 2, ItemErrorCode.TEXT_TOO_LARGE),
    ],
)
def test_a_text_that_cannot_go_on_is_refused_alone_and_never_shown(
    text: str, code: ItemErrorCode
) -> None:
    limits = TaskLimits(max_text_bytes=10)
    (failure,) = refused_items(request(["good", text, "x" * 8]), limits)
    assert (failure.index, failure.code) == (1, code)
    assert "data[1]" in failure.message
    assert not text.strip() or text not in failure.message


@given(st.text(max_size=20), st.integers(2, 130))
def test_a_text_is_too_large_exactly_by_its_bytes_in_json(text: str, limit: int) -> None:
    found = refused_items(request([text]), TaskLimits(max_text_bytes=limit))
    codes = {failure.code for failure in found}
    large = bool(text.strip()) and json_bytes(text) > limit
    assert (ItemErrorCode.TEXT_TOO_LARGE in codes) == large


def test_a_tasks_only_text_is_refused_at_the_door() -> None:
    with pytest.raises(InvalidRequest, match="empty"):
        check_request(request(" "), ROOMY)
    with pytest.raises(LimitExceeded) as caught:
        check_request(request("x" * 20), TaskLimits(max_text_bytes=10))
    assert (caught.value.limit, caught.value.given) == (10, 22)
    assert caught.value.setting == "task.max_text_bytes"


def test_what_is_exactly_at_the_limit_is_taken() -> None:
    limits = TaskLimits(max_items=2, max_text_bytes=10, max_metadata_bytes=7, max_deadline_s=5)
    check_request(request(["a", "b"], metadata={"a": 1}, deadline_s=5), limits)
    check_request(request("x" * 8), limits)


def document(data: str) -> TaskRequest:
    return TaskRequest.model_validate({"task_type": "document_vectorization", "data": data})


@pytest.mark.parametrize("data", ["YWI=", f"blob:sha256:{'a' * 64}:2", "https://example.org/a.pdf"])
def test_a_document_may_be_in_the_request_a_blob_or_elsewhere(data: str) -> None:
    check_request(document(data), TaskLimits(max_file_bytes=2))


def test_a_file_over_the_limit_is_refused_with_limit_size_and_setting() -> None:
    check_request(document("YWI="), TaskLimits(max_file_bytes=2))
    for data in ("YWJj", f"blob:sha256:{'a' * 64}:3"):
        with pytest.raises(LimitExceeded) as caught:
            check_request(document(data), TaskLimits(max_file_bytes=2))
        told = caught.value
        assert (told.limit, told.given, told.setting) == (2, 3, "document.max_file_bytes")
