"""The gate: what may leave as a vector, and how it is shaped before."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedding.quality import WrongShape, shaped, sound_rows, vector_faults
from models.encoding import EncodeOptions
from models.vectors import Vector


def _rows(*values: float) -> Vector:
    """One row `(4,)` a value: ones with the value in its third place."""
    rows = np.ones((len(values), 4), dtype=np.float32)
    rows[:, 2] = values
    return rows


def _faults(vectors: Vector) -> list[str | None]:
    return vector_faults(vectors, texts=len(vectors), dimension=4)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_fails_its_own_row_alone(value: float) -> None:
    one, bad, two = _faults(_rows(1, value, 2))
    assert (one, two) == (None, None)
    assert bad is not None
    assert "not finite" in bad


@pytest.mark.parametrize(
    "scale,fault", [(0, "is zero"), (1e-9, "implausible"), (1e9, "implausible"), (7, None)]
)
def test_a_vector_needs_a_plausible_length(scale: float, fault: str | None) -> None:
    [found] = _faults((_rows(1) * scale).astype(np.float32))
    assert found == fault or (fault is not None and found is not None and fault in found)


@pytest.mark.parametrize(
    "vectors",
    [_rows(1), _rows(1, 2, 3), _rows(1, 2)[:, :3], _rows(1, 2).astype(np.float64)],
    ids=["too few", "too many", "too short", "float64"],
)
def test_an_answer_whose_rows_cannot_be_told_apart_is_no_answer(vectors: Vector) -> None:
    with pytest.raises(WrongShape, match=r"not \(2, 4\) float32"):
        vector_faults(vectors, texts=2, dimension=4)


def test_leading_values_are_cut_before_they_are_scaled_to_length_1() -> None:
    vectors = np.array([[3, 4, 100, 100]], dtype=np.float32)
    assert shaped(vectors, EncodeOptions(dimensions=2)).tolist() == [
        pytest.approx([0.6, 0.8], abs=1e-7)
    ]


def test_without_normalizing_values_stay_as_they_are() -> None:
    vectors = np.array([[3, 4, 100, 100]], dtype=np.float32)
    found = shaped(vectors, EncodeOptions(dimensions=3, normalize=False))
    assert found.tolist() == [[3, 4, 100]]
    assert found.flags.c_contiguous


@given(st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_shaping_keeps_rows_apart(dimensions: int, seed: int) -> None:
    rows = np.random.default_rng(seed).standard_normal((5, 8)).astype(np.float32)
    options = EncodeOptions(dimensions=dimensions)
    together = shaped(rows, options)
    alone = np.concatenate([shaped(rows[at : at + 1], options) for at in range(5)])
    assert np.array_equal(together, alone)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)


def test_a_row_is_a_direction_where_it_is_finite_and_not_all_zero() -> None:
    rows = np.array([[0, 1], [0, 0], [np.nan, 1], [np.inf, 1], [-1e-30, 0]], dtype=np.float32)
    assert sound_rows(rows).tolist() == [True, False, False, False, True]
