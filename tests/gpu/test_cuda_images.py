"""A CLIP on a real GPU: sentence-transformers' own vectors, memory that runs out and comes back."""

import io
import random
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from sentence_transformers import SentenceTransformer

from documents.images import prepared
from embedding.catalog import ModelEntry
from embedding.encoder import ReadyImage
from embedding.memory import device_bytes
from embedding.pixel_spec import pixel_spec
from embedding.torch_encoder import TorchEncoder, load_torch
from models.encoding import Truncate
from models.images import ImageLimits, PixelSpec
from models.vectors import Vector
from tests.contract.embedding.small_clip import MAX_TOKENS, pictures, save_clip
from tests.gpu.card import MEGABYTE, no_more_memory_than, unit
from tests.gpu.conftest import DEVICE

pytestmark = pytest.mark.gpu

TEXTS = [
    "a red ball on a blue field",
    "Der Doktor spielte gestern Abend auf dem Marktplatz Gitarre.",
    "🙂",
    "word " * 300,
    "tasks",
    "price 17 and 3.1415",
]
#: Their pixels alone, in fp32, are four times the memory that is left.
MANY = 20_000


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> ModelEntry:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # how others make models is not what is tested
        return save_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def original(entry: ModelEntry) -> SentenceTransformer:
    """The model as a user of sentence-transformers has it, on the CPU."""
    assert entry.source is not None
    return SentenceTransformer(entry.source.folder, device="cpu", local_files_only=True)


@pytest.fixture(scope="module")
def expected(original: SentenceTransformer) -> Vector:
    """sentence-transformers' own vectors of the pictures; no two alike."""
    found = unit(np.asarray(original.encode(pictures(), batch_size=4), dtype=np.float32))
    assert (found @ found.T - np.eye(len(found))).max() < 0.9, "else this proves nothing"
    return found


@pytest.fixture(scope="module")
def ready(entry: ModelEntry) -> list[ReadyImage]:
    """The pictures as the role extract makes them ready."""
    spec = pixel_spec(entry)
    assert spec is not None
    return [ready_of(picture, spec) for picture in pictures()]


def ready_of(picture: Image.Image, spec: PixelSpec) -> ReadyImage:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return ReadyImage(prepared(out.getvalue(), spec, ImageLimits()), spec.tokens)


@pytest.fixture
def clip(entry: ModelEntry) -> Iterator[TorchEncoder]:
    """The small CLIP, freshly loaded."""
    encoder = load_torch(entry, device=DEVICE)
    yield encoder
    encoder.close()


def test_a_clip_runs_in_half_precision_where_that_gives_its_vectors(clip: TorchEncoder) -> None:
    assert (clip.device, clip.backend) == (DEVICE, "torch fp16")


def test_vectors_of_images_are_those_of_sentence_transformers_on_the_cpu(
    clip: TorchEncoder, ready: list[ReadyImage], expected: Vector
) -> None:
    found = unit(clip.forward(ready))
    assert (found * expected).sum(axis=1).min() >= 0.9999
    assert (found @ expected.T).argmax(axis=1).tolist() == list(range(len(expected)))


def test_vectors_of_texts_are_those_of_sentence_transformers_on_the_cpu(
    clip: TorchEncoder, original: SentenceTransformer
) -> None:
    theirs = unit(np.asarray(original.encode(TEXTS, batch_size=2), dtype=np.float32))
    assert (theirs @ theirs.T - np.eye(len(TEXTS))).max() < 0.9, "else this proves nothing"
    batch = clip.tokenize(TEXTS, prompt="", truncate=Truncate.END)
    assert max(one.length for one in batch) == MAX_TOKENS
    assert (unit(clip.forward(batch)) * theirs).sum(axis=1).min() >= 0.9999


def test_a_row_belongs_to_its_image_whatever_it_was_batched_with(
    clip: TorchEncoder, ready: list[ReadyImage], expected: Vector
) -> None:
    dice = random.Random(3)
    order = dice.choices(range(len(ready)), k=300)
    while order:
        size = dice.randint(1, 60)
        batch, order = order[:size], order[size:]
        found = unit(clip.forward([ready[at] for at in batch]))
        assert (found * expected[batch]).sum(axis=1).min() >= 0.9999
        assert (found @ expected.T).argmax(axis=1).tolist() == batch


def test_texts_and_images_in_turn_leave_each_others_vectors_alone(
    clip: TorchEncoder, ready: list[ReadyImage], expected: Vector
) -> None:
    first = clip.forward(ready)
    before = first.copy()
    texts = clip.tokenize(TEXTS, prompt="", truncate=Truncate.END)
    for count in (200, 3, 700):
        clip.forward(texts)
        again = unit(clip.forward([ready[at % len(ready)] for at in range(count)]))
        wanted = expected[[at % len(expected) for at in range(count)]]
        assert (again * wanted).sum(axis=1).min() >= 0.9999
    np.testing.assert_array_equal(first, before)


def test_one_image_in_full_precision_is_near_its_half(
    clip: TorchEncoder, ready: list[ReadyImage], expected: Vector
) -> None:
    exact, half = unit(clip.forward_exact(ready[0])[None])[0], unit(clip.forward(ready[:1]))[0]
    assert float(exact @ half) >= 0.9999
    assert not np.array_equal(exact, half)
    np.testing.assert_allclose(exact, expected[0], atol=1e-4)


def test_memory_that_runs_out_on_images_is_a_memory_error_and_the_next_call_has_room(
    clip: TorchEncoder, ready: list[ReadyImage]
) -> None:
    many = [ready[at % len(ready)] for at in range(MANY)]
    before = unit(clip.forward(ready))
    with no_more_memory_than(64 * MEGABYTE):
        with pytest.raises(MemoryError, match="out of memory on cuda:0"):
            clip.forward(many)
        assert device_bytes() < 200 * MEGABYTE
        np.testing.assert_allclose(unit(clip.forward(ready)), before, atol=2e-3)
