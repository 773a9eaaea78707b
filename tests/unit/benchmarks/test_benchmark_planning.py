"""Batches planned once for all texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.contenders.planning import plan_batches
from embedding.batching import padded_tokens

LENGTHS = st.lists(st.integers(0, 300), max_size=80)


@given(LENGTHS, st.integers(1, 20), st.integers(1, 600))
def test_every_text_is_in_one_batch_and_limits_hold(
    lengths: list[int], max_items: int, max_tokens: int
) -> None:
    batches = plan_batches(lengths, max_items=max_items, max_tokens=max_tokens)
    assert sorted(at for batch in batches for at in batch) == list(range(len(lengths)))
    for batch in batches:
        cost = padded_tokens([lengths[at] for at in batch])
        assert len(batch) == 1 or (len(batch) <= max_items and cost <= max_tokens)


def test_texts_of_like_length_go_together_the_longest_first() -> None:
    assert plan_batches([10, 2, 10, 2, 9], max_items=8, max_tokens=20) == [[0, 2], [4, 1], [3]]


@pytest.mark.parametrize("limits", [(0, 5), (5, 0)])
def test_a_limit_below_one_is_refused(limits: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        plan_batches([1], max_items=limits[0], max_tokens=limits[1])
