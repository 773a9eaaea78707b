"""Small models on every GPU that torch finds. Without one these tests fail: they are asked for."""

import warnings
from collections.abc import Iterator

import pytest
import torch

from embedding.catalog import ModelEntry
from embedding.torch_encoder import TorchEncoder, load_torch
from tests.contract.embedding.small_models import RECIPES, save_model

DEVICE = "cuda:0"


@pytest.fixture(autouse=True, scope="session")
def card() -> str:
    """The card's name."""
    assert torch.cuda.is_available(), "torch finds no CUDA device: `make test-gpu` needs one"
    return torch.cuda.get_device_name(0)


@pytest.fixture(scope="session")
def entries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelEntry]:
    """The small models, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # how others make models is not what is tested
        return {
            recipe.name: save_model(recipe, tmp_path_factory.mktemp("small")) for recipe in RECIPES
        }


@pytest.fixture(scope="session", params=[recipe.name for recipe in RECIPES])
def small(request: pytest.FixtureRequest, entries: dict[str, ModelEntry]) -> ModelEntry:
    return entries[request.param]


@pytest.fixture(scope="session")
def served(small: ModelEntry) -> Iterator[TorchEncoder]:
    """Each small model on the GPU."""
    encoder = load_torch(small, device=DEVICE)
    yield encoder
    encoder.close()


@pytest.fixture
def bert(entries: dict[str, ModelEntry]) -> Iterator[TorchEncoder]:
    """One small model, freshly loaded."""
    encoder = load_torch(entries["test/bert-mean"], device=DEVICE)
    yield encoder
    encoder.close()
