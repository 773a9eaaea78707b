"""The gate: what may leave as a vector, and what becomes a failure."""

import re

import numpy as np
import pytest

from embedding.encoder import EncodedText, EncodeFailure
from embedding.quality import screened
from models.states import ItemErrorCode
from models.vectors import Vector


def _unit() -> Vector:
    return np.full(4, 0.5, dtype=np.float32)


def _with(value: float) -> Vector:
    vector = _unit()
    vector[2] = value
    return vector


@pytest.mark.parametrize(
    "vector,reason",
    [
        (_with(np.nan), "not finite"),
        (_with(np.inf), "not finite"),
        (_with(-np.inf), "not finite"),
        (_with(3e38), "not finite, or far too large"),
        (np.zeros(4, dtype=np.float32), "is zero"),
        (_unit() * 2, "length 2, not 1"),
        (_unit()[:3], r"\(3,\) float32, not \(4,\)"),
        (_unit().reshape(2, 2), r"\(2, 2\) float32"),
        (_unit().astype(np.float64), "float64"),
    ],
)
def test_an_unusable_vector_becomes_a_failure(vector: Vector, reason: str) -> None:
    [found] = screened([EncodedText(vector, 3, truncated=False)], dimension=4, normalized=True)
    assert isinstance(found, EncodeFailure)
    assert found.code is ItemErrorCode.BAD_VECTOR
    assert re.search(reason, found.message)


def test_good_vectors_and_earlier_failures_pass_untouched() -> None:
    good = EncodedText(_unit(), 3, truncated=False)
    failure = EncodeFailure(ItemErrorCode.ENCODE_FAILED, "no")
    assert screened([failure, good], dimension=4, normalized=True) == [failure, good]


def test_a_bad_vector_leaves_its_neighbours_alone() -> None:
    good = EncodedText(_unit(), 3, truncated=False)
    bad = EncodedText(_with(np.nan), 3, truncated=False)
    found = screened([good, bad, good], dimension=4, normalized=True)
    assert [isinstance(each, EncodedText) for each in found] == [True, False, True]


@pytest.mark.parametrize("scale,passes", [(7.0, True), (1e-9, False), (1e9, False)])
def test_a_vector_that_is_not_normalized_needs_a_plausible_length(
    scale: float, passes: bool
) -> None:
    vector = (_unit() * scale).astype(np.float32)
    [found] = screened([EncodedText(vector, 3, truncated=False)], dimension=4, normalized=False)
    assert isinstance(found, EncodedText) is passes
