"""Whether a backend gives sentence-transformers' own vectors, judged on fixed texts and images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedding.encoder import Encoder, ModelInput, ReadyImage
from embedding.reference_images import cut, reference_images
from models.encoding import Truncate
from models.errors import VectorizeError
from models.vectors import Vector

#: Below this cosine a backend is refused: it would give other vectors than the model.
LEAST_COSINE = 0.9999
#: In full precision no value of a vector of length 1 may differ by more.
LARGEST_DIFFERENCE = 1e-4
#: By so much may a vector be longer or shorter: models that do not normalize mean their lengths.
LARGEST_STRETCH = 0.02
#: Inputs of one call while judging: texts are padded to the longest, as in service.
JUDGED_AT_ONCE = 8

_TINY = 1e-30

#: Short and long, of many scripts, and what texts should not be but are.
REFERENCE_TEXTS: tuple[str, ...] = (
    "",
    " ",
    "a",
    "Kafka",
    "What is a vector database?",
    "Tasks wait in a log until a worker has time for them.",
    "the river runs under the old stone bridge in winter",
    "THE RIVER RUNS UNDER THE OLD STONE BRIDGE IN WINTER",
    "Der Doktor spielte gestern Abend auf dem Marktplatz Gitarre.",
    "Où est la bibliothèque ? Naïveté, façade, cœur.",
    "Съешь ещё этих мягких французских булок, да выпей чаю.",
    "مرحبا بالعالم، هذا نص من اليمين إلى اليسار",
    "שלום עולם, כתוב מימין לשמאל",
    "分布式向量化服务把文本变成向量。",
    "東京は夜の七時です。ラーメンを食べに行きませんか？",
    "서울의 봄은 짧고 아름답다",
    "ไปตลาดซื้อผลไม้สดทุกเช้า",
    "👩‍🚀 emoji 🙂🙃 and flags 🇫🇷",
    "control\x00characters\x07and\ttabs\r\nand lines\n\n",
    "def plan(lengths: list[int]) -> int:\n    return max(lengths, default=0) * len(lengths)",
    '{"id": 17, "price": 3.1415, "url": "https://example.org/a?b=c#d", "ok": true}',
    "0123456789 " * 6,
    "supercalifragilisticexpialidocious" * 4,
    " ".join(f"Sentence {number} tells of planet {number * 7}." for number in range(12)),
    " ".join(f"word{number % 13} market{number % 7}" for number in range(150)),
)


class BackendRefused(VectorizeError):
    """A backend cannot serve this model here, or would give other vectors than the model."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How near the vectors of a backend are to those of sentence-transformers, at worst."""

    cosine: float
    difference: float
    """Largest difference between two values, the vectors scaled to length 1."""
    stretch: float
    """Largest share by which a vector is longer or shorter."""

    def fault(self, *, exact: bool) -> str | None:
        """Why it does not pass, or None; only `exact` (full precision) is held to differences."""
        if not self.cosine >= LEAST_COSINE:
            return f"cosine {self.cosine:.6f} to sentence-transformers, below {LEAST_COSINE}"
        if not self.stretch <= LARGEST_STRETCH:
            return f"lengths differ by {self.stretch:.2%}, more than {LARGEST_STRETCH:.0%}"
        if exact and not self.difference <= LARGEST_DIFFERENCE:
            return f"values differ by {self.difference:.2g}, more than {LARGEST_DIFFERENCE}"
        return None


def compare(found: Vector, expected: Vector) -> Parity:
    """Compare `(n, dim)` vectors row by row.

    A row that the model itself cannot compute (not finite) must be so in both, and then agrees.
    """
    if found.shape != expected.shape:
        raise BackendRefused(f"gives vectors of shape {found.shape}, not {expected.shape}")
    sound = np.isfinite(expected).all(axis=1)
    if (np.isfinite(found).all(axis=1) != sound).any():
        return Parity(cosine=-1.0, difference=np.inf, stretch=np.inf)
    ours, our_lengths = _directions(found[sound])
    theirs, their_lengths = _directions(expected[sound])
    both_zero = (our_lengths == 0) & (their_lengths == 0)
    cosines = np.where(both_zero, 1.0, (ours * theirs).sum(axis=1))
    stretch = np.abs(our_lengths - their_lengths) / np.maximum(their_lengths, _TINY)
    return Parity(
        cosine=float(cosines.min(initial=1.0)),
        difference=float(np.abs(ours - theirs).max(initial=0.0)),
        stretch=float(stretch.max(initial=0.0)),
    )


def _directions(vectors: Vector) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`(n, dim)` vectors scaled to length 1 (zero stays zero), and their `(n,)` lengths."""
    precise = vectors.astype(np.float64)
    lengths = np.linalg.norm(precise, axis=1)
    return precise / np.maximum(lengths, _TINY)[:, None], lengths


def judge(encoder: Encoder, expected: Vector) -> Parity:
    """Run the reference texts as in service and compare with `expected`, `(n, dim) float32`."""
    return _judge(
        encoder, encoder.tokenize(REFERENCE_TEXTS, prompt="", truncate=Truncate.END), expected
    )


def judge_images(encoder: Encoder, expected: Vector) -> Parity:
    """Run the reference images likewise; the encoder reads images."""
    spec = encoder.pixel_spec
    if spec is None:
        raise BackendRefused(f"{encoder.backend}: reads no images")
    pictures = (cut(picture, spec) for picture in reference_images(spec))
    return _judge(encoder, [ReadyImage(pixels, spec.tokens) for pixels in pictures], expected)


def _judge(encoder: Encoder, ready: Sequence[ModelInput], expected: Vector) -> Parity:
    order = sorted(range(len(ready)), key=lambda at: ready[at].length)
    found = np.empty_like(expected)
    for begin in range(0, len(order), JUDGED_AT_ONCE):
        rows = order[begin : begin + JUDGED_AT_ONCE]
        vectors = encoder.forward([ready[row] for row in rows])
        if vectors.shape[1] != expected.shape[1]:
            raise BackendRefused(f"gives {vectors.shape[1]} values, not {expected.shape[1]}")
        found[rows] = vectors
    return compare(found, expected)


def refuse_unless_equal(
    encoder: Encoder, expected: Vector, *, exact: bool, images: Vector | None = None
) -> None:
    """Raise BackendRefused where `encoder` does not give the `expected` vectors.

    Those of the reference texts, and of the reference `images` where it reads images.
    """
    fault = judge(encoder, expected).fault(exact=exact)
    if fault is None and images is not None:
        told = judge_images(encoder, images).fault(exact=exact)
        fault = told and f"images: {told}"
    if fault is not None:
        raise BackendRefused(f"{encoder.backend}: {fault}")
