"""The gate every vector passes before it leaves: finite, not zero, of the right size. Pure."""

import math
from collections.abc import Sequence

import numpy as np

from embedding.encoder import EncodeFailure, Outcome
from models.states import ItemErrorCode
from models.vectors import Vector

#: How far the length of a normalized vector may be from 1.
UNIT_TOLERANCE = 1e-2
#: Lengths that a vector which is not normalized may have.
LEAST_NORM, LARGEST_NORM = 1e-6, 1e6


def screened(outcomes: Sequence[Outcome], *, dimension: int, normalized: bool) -> list[Outcome]:
    """Turn each unusable vector into a BAD_VECTOR failure; the others stay as they are."""
    with np.errstate(all="ignore"):
        return [_screened_one(outcome, dimension, normalized=normalized) for outcome in outcomes]


def _screened_one(outcome: Outcome, dimension: int, *, normalized: bool) -> Outcome:
    if isinstance(outcome, EncodeFailure):
        return outcome
    fault = vector_fault(outcome.vector, dimension=dimension, normalized=normalized)
    return outcome if fault is None else EncodeFailure(ItemErrorCode.BAD_VECTOR, fault)


def vector_fault(vector: Vector, *, dimension: int, normalized: bool) -> str | None:
    """Say what is wrong with a vector that should be `(dimension,) float32`, or None."""
    if vector.shape != (dimension,) or vector.dtype != np.float32:
        return f"the vector is {vector.shape} {vector.dtype}, not ({dimension},) float32"
    norm = math.sqrt(float(vector @ vector))
    if not math.isfinite(norm):
        return "the vector has values that are not finite, or far too large"
    return _norm_fault(norm, normalized=normalized)


def _norm_fault(norm: float, *, normalized: bool) -> str | None:
    if norm == 0:
        return "the vector is zero"
    if normalized and abs(norm - 1) > UNIT_TOLERANCE:
        return f"the vector has length {norm:.4g}, not 1"
    if not LEAST_NORM <= norm <= LARGEST_NORM:
        return f"the vector has the implausible length {norm:.4g}"
    return None
