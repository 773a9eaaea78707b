"""The gate every vector passes before it leaves: finite, not zero, of the right size. Pure."""

import numpy as np
from numpy.typing import NDArray

from models.encoding import EncodeOptions
from models.vectors import Vector

#: Lengths that a model's vector may have before it is normalized.
LEAST_NORM, LARGEST_NORM = 1e-6, 1e6


class WrongShape(ValueError):
    """The encoder's answer has not one row of the model's dimension for each text."""


def vector_faults(vectors: Vector, *, texts: int, dimension: int) -> list[str | None]:
    """Say of each row of `(texts, dimension) float32` what is wrong with it, or None.

    Raises WrongShape where rows cannot be told apart: no vector may move to another text.
    """
    if vectors.shape != (texts, dimension) or vectors.dtype != np.float32:
        given = f"{vectors.shape} {vectors.dtype}"
        raise WrongShape(f"the encoder gave {given}, not ({texts}, {dimension}) float32")
    with np.errstate(all="ignore"):
        norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    return [_norm_fault(float(norm)) for norm in norms]


def _norm_fault(norm: float) -> str | None:
    if not np.isfinite(norm):
        return "the vector has values that are not finite"
    if norm == 0:
        return "the vector is zero"
    if not LEAST_NORM <= norm <= LARGEST_NORM:
        return f"the vector has the implausible length {norm:.4g}"
    return None


def shaped(vectors: Vector, options: EncodeOptions) -> Vector:
    """Cut `(n, dim)` sound vectors to the wanted dimensions, then scale them to length 1 if asked.

    In this order, as sentence-transformers does it: the leading values of a Matryoshka model are
    a vector of their own. A row whose leading values are all zero becomes NaN.
    """
    cut = vectors[:, : options.dimensions]
    if not options.normalize:
        return np.ascontiguousarray(cut)
    with np.errstate(all="ignore"):
        norms = np.linalg.norm(cut.astype(np.float64), axis=1, keepdims=True)
        return np.asarray(cut / norms, dtype=np.float32)


def sound_rows(vectors: Vector) -> NDArray[np.bool_]:
    """Tell of each row of `(n, dim)` whether it is a direction: finite, and not all zero."""
    return np.asarray(np.isfinite(vectors).all(axis=1) & vectors.any(axis=1))
