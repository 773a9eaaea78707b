"""The judge of parity: what passes, what does not, and why."""

from collections.abc import Callable

import numpy as np
import pytest

from embedding.encoder import Encoder
from embedding.hashing_encoder import HashingEncoder
from embedding.parity import (
    REFERENCE_TEXTS,
    BackendRefused,
    compare,
    judge,
    refuse_unless_equal,
)
from models.encoding import Truncate
from models.vectors import Vector
from tests.unit.embedding.fakes import FakeEncoder, hashing_entry

RNG = np.random.default_rng(5)
VECTORS: Vector = RNG.standard_normal((6, 32)).astype(np.float32)


def _with(row: int, change: Callable[[Vector], Vector | float]) -> Vector:
    changed = VECTORS.copy()
    changed[row] = change(changed[row])
    return changed


def test_equal_vectors_pass() -> None:
    parity = compare(VECTORS, VECTORS)
    assert parity.cosine == pytest.approx(1)
    assert (parity.difference, parity.stretch) == (0, 0)
    assert parity.fault(exact=True) is None


@pytest.mark.parametrize(
    "found,reason",
    [
        (_with(3, lambda row: np.roll(row, 1)), "cosine"),
        (_with(3, lambda row: -row), "cosine -1.000000 to sentence-transformers, below 0.9999"),
        (_with(3, lambda row: row * 1.05), "lengths differ by 5.00%, more than 2%"),
        (_with(3, lambda _: 0.0), "cosine 0.000000"),
        (_with(3, lambda _: np.nan), "cosine -1.000000"),
        (VECTORS[[1, 0, 2, 3, 4, 5]], "cosine"),
    ],
    ids=["one row rolled", "turned round", "stretched", "zero", "not finite", "two swapped"],
)
@pytest.mark.parametrize("exact", [True, False])
def test_one_bad_row_is_enough_to_be_refused(found: Vector, reason: str, exact: bool) -> None:
    assert reason in (compare(found, VECTORS).fault(exact=exact) or "")


def test_small_differences_count_in_full_precision_alone() -> None:
    parity = compare(_with(0, lambda row: row + np.eye(32)[0] * 0.002), VECTORS)
    assert parity.cosine >= 0.9999
    assert parity.fault(exact=False) is None
    assert "values differ by 0.00" in (parity.fault(exact=True) or "")


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_a_row_that_the_model_itself_spoils_agrees_if_it_is_spoiled_alike(value: float) -> None:
    spoiled = _with(2, lambda _: value)
    assert compare(spoiled, spoiled).fault(exact=True) is None


def test_a_sound_row_where_the_model_gives_none_is_refused() -> None:
    assert compare(VECTORS, _with(2, lambda _: np.nan)).fault(exact=False) is not None


def test_vectors_of_another_shape_are_refused() -> None:
    with pytest.raises(BackendRefused, match=r"shape \(6, 31\), not \(6, 32\)"):
        compare(VECTORS[:, :31], VECTORS)


def _reference(encoder: Encoder) -> Vector:
    """Each text alone."""
    ready = encoder.tokenize(REFERENCE_TEXTS, prompt="", truncate=Truncate.END)
    return np.stack([encoder.forward_exact(one) for one in ready])


def test_an_encoder_is_judged_on_every_text_in_batches_as_in_service() -> None:
    encoder = FakeEncoder(hashing_entry(dimension=32))
    assert judge(encoder, _reference(encoder)).cosine == pytest.approx(1)
    assert sum(len(call) for call in encoder.calls) == len(REFERENCE_TEXTS)
    assert all(1 < len(call) <= 8 for call in encoder.calls[:-1])


def test_an_encoder_that_swaps_its_rows_is_refused_by_name() -> None:
    encoder = FakeEncoder(hashing_entry(dimension=32), spoil=lambda _, vectors: vectors[::-1])
    with pytest.raises(BackendRefused, match=r"^fake: cosine"):
        refuse_unless_equal(encoder, _reference(encoder), exact=False)


def test_an_encoder_of_another_dimension_is_refused() -> None:
    encoder = HashingEncoder(hashing_entry(dimension=16))
    expected = np.ones((len(REFERENCE_TEXTS), 32), dtype=np.float32)
    with pytest.raises(BackendRefused, match="gives 16 values, not 32"):
        judge(encoder, expected)


def test_the_reference_texts_are_all_different() -> None:
    assert len(set(REFERENCE_TEXTS)) == len(REFERENCE_TEXTS)
