"""What the hashing models must give, computed here from the encoder alone, without the service."""

from collections.abc import Sequence

from embedding.catalog import load_catalog
from embedding.hashing_encoder import HashingEncoder
from embedding.quality import shaped
from models.encoding import EncodeOptions
from models.vectors import Vector
from tests.harness.service import CHECKOUT


def hashing_vectors(
    texts: Sequence[str], model: str, options: EncodeOptions | None = None
) -> Vector:
    """Vectors `(n, dim) float32` of `texts` by a hashing model; without options, its defaults."""
    entry = load_catalog(CHECKOUT / "tests/models.yaml", model).resolve(None)
    how = options or entry.default_options()
    encoder = HashingEncoder(entry)
    read = encoder.tokenize(texts, prompt=how.prompt, truncate=how.truncate)
    return shaped(encoder.forward(read), how)
