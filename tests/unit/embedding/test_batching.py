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


OPTIONS = BatchOptions(batch_ms=20, least_tokens=100, most_tokens=10_000, first_tokens=500)


def test_before_the_first_call_a_batch_holds_the_first_budget() -> None:
    assert Speed().budget_tokens(OPTIONS) == 500


@pytest.mark.parametrize(
    "tokens_per_s,budget", [(25_000, 500), (50_000, 1_000), (1, 100), (10**9, 10_000)]
)
def test_a_batch_holds_what_the_model_does_in_its_time_within_limits(
    tokens_per_s: float, budget: int
) -> None:
    assert Speed(tokens_per_s).budget_tokens(OPTIONS) == budget


def test_calls_at_a_steady_rate_lead_to_that_rates_budget() -> None:
    speed = Speed(10_000)
    for _ in range(200):
        tokens = speed.budget_tokens(OPTIONS)
        speed = speed.after(tokens, tokens / 100_000, OPTIONS)
    assert speed.budget_tokens(OPTIONS) == pytest.approx(2_000, rel=0.01)


def test_a_small_call_says_nothing_of_the_speed() -> None:
    speed = Speed(25_000)
    assert speed.after(30, 0.01, OPTIONS) is speed
    assert speed.after(500, 0.0, OPTIONS) is speed


def test_each_model_has_its_own_speed() -> None:
    speeds = Speeds(OPTIONS)
    speeds.note("fast", 500, 0.001)
    assert speeds.budget_tokens("fast") == 10_000
    assert speeds.budget_tokens("slow") == 500
