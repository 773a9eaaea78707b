"""The test catalog."""

from pathlib import Path

import pytest

from embedding.catalog import Catalog, load_catalog

TESTS = Path(__file__).resolve().parents[2]
MINILM = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog(TESTS / "models.yaml", MINILM)
