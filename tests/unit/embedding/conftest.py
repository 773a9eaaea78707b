"""The test catalog, and the real MiniLM, loaded once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedding.catalog import Catalog, load_catalog
from embedding.encoder import Encoder
from embedding.loading import load_encoder

TESTS = Path(__file__).resolve().parents[2]
MINILM = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog(TESTS / "models.yaml", MINILM)


@pytest.fixture(scope="session")
def minilm(catalog: Catalog) -> Iterator[Encoder]:
    encoder = load_encoder(catalog.resolve(MINILM))
    yield encoder
    encoder.close()
