"""Small models made once, converted once, and loaded on every backend."""

import socket
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer

from embedding.catalog import Catalog, ModelEntry, load_catalog
from embedding.conversion import Converted, conversion_key
from embedding.convert import convert
from embedding.encoder import Encoder
from embedding.loading import LoadOptions, load_encoder
from embedding.weights import checked_folder
from tests.contract.embedding.small_models import RECIPES, save_model

TESTS = Path(__file__).resolve().parents[2]
HASHING = "test/hashing-64"
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
SMALL = [recipe.name for recipe in RECIPES]
BACKENDS = ["torch", "openvino"]


def _refuse(*args: object, **kwargs: object) -> None:
    raise AssertionError(f"network: {args}")


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog(TESTS / "models.yaml", MINILM)


@pytest.fixture(scope="session")
def entries(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelEntry]:
    """Every model by its name; the small ones are made here."""
    found = {name: catalog.resolve(name) for name in catalog.names()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # how others make models is not what is tested
        for recipe in RECIPES:
            found[recipe.name] = save_model(recipe, tmp_path_factory.mktemp("small"))
    return found


@pytest.fixture(scope="session")
def options(
    entries: dict[str, ModelEntry], tmp_path_factory: pytest.TempPathFactory
) -> LoadOptions:
    """With a cache that holds every model converted, as a child process would have done it.

    Without network: neither loading nor conversion may want any.
    """
    cache_dir = tmp_path_factory.mktemp("converted")
    torch.set_num_threads(1)  # as the child does
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing warns; in service the child's errors are read
        patch.setattr(socket.socket, "connect", _refuse)
        patch.setattr(socket, "getaddrinfo", _refuse)
        for name in (*SMALL, MINILM):
            folder = checked_folder(entries[name])
            target = cache_dir / conversion_key(entries[name], folder)
            target.mkdir()
            convert(entries[name], folder, Converted(target))
    return LoadOptions(cache_dir=cache_dir, device="cpu", threads=1)


def load_on(backend: str, entry: ModelEntry, options: LoadOptions) -> Encoder:
    """Load on this backend and no other."""
    encoder = load_encoder(entry.model_copy(update={"backend": backend}), options)
    assert encoder.backend.startswith(backend)
    return encoder


@pytest.fixture(scope="session", params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="session", params=SMALL)
def small(request: pytest.FixtureRequest, entries: dict[str, ModelEntry]) -> ModelEntry:
    """Each of the small models."""
    return entries[request.param]


@pytest.fixture(scope="session")
def served(backend: str, small: ModelEntry, options: LoadOptions) -> Iterator[Encoder]:
    """Each small model on each backend."""
    encoder = load_on(backend, small, options)
    yield encoder
    encoder.close()


@pytest.fixture(
    scope="session",
    params=[("hashing", HASHING), *((each, MINILM) for each in BACKENDS)],
    ids=lambda pair: pair[0],
)
def encoder(
    request: pytest.FixtureRequest, entries: dict[str, ModelEntry], options: LoadOptions
) -> Iterator[Encoder]:
    """Every backend, with a model that is really used on it."""
    backend, name = request.param
    encoder = load_on(backend, entries[name], options)
    yield encoder
    encoder.close()


@pytest.fixture(scope="session")
def original(small: ModelEntry) -> SentenceTransformer:
    """The small model as a user of sentence-transformers has it."""
    model = SentenceTransformer(str(checked_folder(small)), device="cpu", local_files_only=True)
    model.max_seq_length = small.max_tokens
    return model
