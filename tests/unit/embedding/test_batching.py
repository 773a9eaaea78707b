"""Which texts share a call, and how large calls may be."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedding.batching import (
    TRIES,
    BatchOptions,
    Speed,
    Speeds,
    best_run,
    padded_length,
    padded_tokens,
)

LENGTHS = st.lists(st.integers(0, 300), min_size=1, max_size=60).map(sorted)
OPTIONS = BatchOptions(batch_ms=20, least_tokens=100, most_tokens=10_000, first_tokens=500)


@given(LENGTHS, st.data(), st.integers(1, 40), st.integers(1, 2000))
def test_a_run_holds_its_text_and_keeps_the_limits(
    lengths: list[int], data: st.DataObject, max_items: int, max_tokens: int
) -> None:
    at = data.draw(st.integers(0, len(lengths) - 1))
    first, last = best_run(lengths, at, max_items=max_items, max_tokens=max_tokens)
    assert 0 <= first <= at < last <= len(lengths)
    run = lengths[first:last]
    assert len(run) <= max_items
    assert len(run) == 1 or padded_tokens(run) <= max_tokens


def test_texts_of_like_length_go_together() -> None:
    lengths = [5, 5, 5, 90, 95, 96, 96, 250, 256]
    assert best_run(lengths, 4, max_items=64, max_tokens=512) == (3, 7)
    assert best_run(lengths, 0, max_items=64, max_tokens=512) == (0, 3)


def test_a_full_call_is_worth_more_than_one_without_padding() -> None:
    lengths = [30, 31, 32, 32]
    assert best_run(lengths, 0, max_items=64, max_tokens=512) == (0, 4)


def test_a_text_longer_than_a_call_is_alone() -> None:
    assert best_run([5, 5, 500], 2, max_items=64, max_tokens=256) == (2, 3)


@pytest.mark.parametrize(
    "limits", [{"max_items": 0, "max_tokens": 9}, {"max_items": 9, "max_tokens": 0}]
)
def test_a_limit_below_one_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        best_run([1], 0, **limits)


class Counting(Sequence[int]):
    """Lengths that count how often they are cut."""

    def __init__(self, lengths: list[int]) -> None:
        self.cuts = 0
        self._lengths = lengths

    def __len__(self) -> int:
        return len(self._lengths)

    def __getitem__(self, at: Any) -> Any:
        self.cuts += isinstance(at, slice)
        return self._lengths[at]


@pytest.mark.parametrize("at", [0, 2000, 3999])
def test_however_large_calls_are_few_runs_are_tried(at: int) -> None:
    lengths = Counting(sorted(number % 250 + 1 for number in range(4000)))
    best_run(lengths, at, max_items=4096, max_tokens=1_000_000)
    assert lengths.cuts <= (2 * TRIES + 2) * (2 * TRIES + 2)


@pytest.mark.parametrize(
    "longest, padded", [(0, 0), (1, 1), (46, 48), (48, 48), (60, 60), (61, 64), (64, 64), (65, 65)]
)
def test_a_length_goes_up_to_a_tile_that_is_near(longest: int, padded: int) -> None:
    assert padded_length(longest) == padded


@given(st.integers(0, 10_000))
def test_padding_never_cuts_and_never_adds_more_than_a_sixteenth(longest: int) -> None:
    assert longest <= padded_length(longest) <= longest + longest / 16


def test_a_batch_costs_its_longest_text_for_each() -> None:
    assert padded_tokens([3, 10, 64]) == 3 * 64
    assert padded_tokens([]) == 0


def test_before_the_first_call_a_batch_holds_the_first_budget() -> None:
    assert Speed().budget_tokens(OPTIONS) == 500


@pytest.mark.parametrize(
    "tokens_per_s, budget", [(10, 100), (25_000, 500), (40_000, 800), (9_000_000, 10_000)]
)
def test_a_budget_is_what_runs_in_the_wanted_time_within_bounds(
    tokens_per_s: float, budget: int
) -> None:
    assert Speed(tokens_per_s).budget_tokens(OPTIONS) == budget


def test_the_most_wins_over_the_least_where_settings_cross() -> None:
    small = BatchOptions(most_tokens=16)
    assert Speed().budget_tokens(small) == Speed(10).budget_tokens(small) == 16


def test_calls_at_a_steady_rate_lead_to_that_rates_budget() -> None:
    speed = Speed(10_000)
    for _ in range(200):
        tokens = speed.budget_tokens(OPTIONS)
        speed = speed.after(tokens, tokens / 30_000, OPTIONS)
    assert abs(speed.budget_tokens(OPTIONS) - 600) <= 6


def test_a_small_call_says_nothing_of_the_speed() -> None:
    speed = Speed(25_000)
    assert speed.after(30, 0.01, OPTIONS) is speed
    assert speed.after(500, 0.0, OPTIONS) is speed


def test_each_model_has_its_own_speed() -> None:
    speeds = Speeds(OPTIONS)
    speeds.note("fast", 500, 0.001)
    assert speeds.budget_tokens("fast") == 10_000
    assert speeds.budget_tokens("new") == 500
