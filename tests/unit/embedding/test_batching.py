"""The planner: every index once, within the budget, padding paid for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedding.batching import plan_batches

LENGTHS = st.lists(st.integers(0, 300), max_size=200)
LIMITS = st.integers(1, 64), st.integers(1, 1000)


@given(LENGTHS, *LIMITS)
def test_every_index_is_in_exactly_one_batch(
    lengths: list[int], max_items: int, max_tokens: int
) -> None:
    batches = plan_batches(lengths, max_items=max_items, max_tokens=max_tokens)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(batches)


@given(LENGTHS, *LIMITS)
def test_a_batch_stays_within_its_limits_unless_it_is_one_long_text(
    lengths: list[int], max_items: int, max_tokens: int
) -> None:
    for batch in plan_batches(lengths, max_items=max_items, max_tokens=max_tokens):
        padded = len(batch) * max(lengths[index] for index in batch)
        assert len(batch) <= max_items
        assert padded <= max_tokens or len(batch) == 1


@given(LENGTHS, *LIMITS)
def test_batches_run_from_long_to_short(
    lengths: list[int], max_items: int, max_tokens: int
) -> None:
    batches = plan_batches(lengths, max_items=max_items, max_tokens=max_tokens)
    order = [lengths[index] for batch in batches for index in batch]
    assert order == sorted(lengths, reverse=True)


def test_padding_is_charged_as_the_longest_times_the_number() -> None:
    assert plan_batches([10, 2, 10, 2, 9], max_items=8, max_tokens=20) == [[0, 2], [4, 1], [3]]


def test_a_text_longer_than_the_budget_is_alone() -> None:
    assert plan_batches([5, 500, 5], max_items=8, max_tokens=100) == [[1], [0, 2]]


@pytest.mark.parametrize(
    "limits", [{"max_items": 0, "max_tokens": 1}, {"max_items": 1, "max_tokens": 0}]
)
def test_a_limit_below_one_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        plan_batches([1], **limits)
