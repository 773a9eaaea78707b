"""Each text's right vector, computed alone, without the service."""

from collections.abc import Sequence

import numpy as np

from embedding.catalog import load_catalog
from embedding.encoder import Encoder
from embedding.loading import LoadOptions, load_encoder
from embedding.quality import shaped
from models.vectors import Vector
from scripts.stack.places import environment, tools_dir
from tests.harness.service import CHECKOUT


class Reference:
    """A model of the tests' catalog, one text at a time in full precision."""

    def __init__(self, model: str) -> None:
        """Load the model."""
        self._entry = load_catalog(CHECKOUT / "tests/models.yaml", model).resolve(None)
        options = LoadOptions(
            cache_dir=tools_dir(environment()) / "bench-converted", device="cpu", threads=None
        )
        self._encoder: Encoder = load_encoder(self._entry, options)

    def __call__(self, texts: Sequence[str]) -> Vector:
        """Give `(n, dim) float32`."""
        how = self._entry.default_options()
        read = self._encoder.tokenize(texts, prompt=how.prompt, truncate=how.truncate)
        rows = np.stack([self._encoder.forward_exact(one) for one in read])
        return shaped(rows, how)
