"""Whether vectors are the reference's, item by item: without that a speed means nothing. Pure."""

from collections.abc import Mapping

import numpy as np

from models.vectors import Vector

LEAST_COSINE = 0.9999


def fault_of(given: Mapping[int, Vector], reference: Mapping[int, Vector]) -> str:
    """Why these vectors are not the reference's, over all texts of all rounds; empty: they are."""
    if given.keys() != reference.keys():
        return f"rounds {sorted(given)} where the reference has {sorted(reference)}"
    for number, expected in reference.items():
        if given[number].shape != expected.shape:
            return f"{given[number].shape} vectors where {expected.shape} are right"
    least = _least(given, reference)
    # Not `<`: a vector with NaN compares with nothing.
    return "" if least >= LEAST_COSINE else f"least cosine {least:.6f} < {LEAST_COSINE}"


def nearness(given: Mapping[int, Vector], reference: Mapping[int, Vector]) -> str:
    """How near right vectors are to the reference."""
    texts = sum(len(each) for each in reference.values())
    least = _least(given, reference)
    most = max(float(np.max(np.abs(given[number] - reference[number]))) for number in reference)
    return f"over {texts} texts, item by item: least cosine {least:.6f}, most apart {most:.1e}"


def _least(given: Mapping[int, Vector], reference: Mapping[int, Vector]) -> float:
    """The least cosine of all rounds; NaN where one has it, which Python's `min` may drop."""
    return float(np.min([least_cosine(given[number], reference[number]) for number in reference]))


def least_cosine(ones: Vector, others: Vector) -> float:
    """The least cosine between rows `i` of both; NaN where a row is no vector."""
    dots = np.einsum("ij,ij->i", ones, others, dtype=np.float64)
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(ones, axis=1) * np.linalg.norm(others, axis=1)
        return float(np.min(dots / lengths))
