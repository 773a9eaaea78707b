"""A CLIP model: texts and images in one space, each with sentence-transformers' own vector."""

import asyncio
import io
import json
import random
import shutil
import socket
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sentence_transformers import SentenceTransformer
from structlog.testing import capture_logs

from documents.images import prepared
from embedding.batching import BatchOptions
from embedding.catalog import ModelEntry
from embedding.encoder import (
    EncodedText,
    EncodeFailure,
    Encoder,
    ModelInput,
    Origin,
    Outcome,
    ReadyImage,
)
from embedding.isolation import Isolation, IsolationOptions
from embedding.lanes import LaneBatcher
from embedding.loading import LoadOptions, load_encoder
from embedding.parity import (
    REFERENCE_TEXTS,
    BackendRefused,
    compare,
    judge_images,
    refuse_unless_equal,
)
from embedding.pixel_spec import pixel_spec
from embedding.pool import ModelPool
from embedding.quality import shaped
from embedding.reference_images import cut, reference_images
from embedding.weights import BadWeights
from models.encoding import EncodeOptions, Truncate
from models.images import ImageLimits, Pixels, PixelSpec
from models.states import Lane
from models.vectors import Vector
from tests.contract.embedding.small_clip import (
    MAX_TOKENS,
    SIDE,
    clip_entry,
    hugging_face_pixels,
    normalized,
    pictures,
    save_clip,
    save_old_clip,
)

TEXTS = [
    "a red ball on a blue field",
    "Der Doktor spielte gestern Abend auf dem Marktplatz Gitarre.",
    "🙂",
    "word " * 300,
    "tasks",
    "price 17 and 3.1415",
]
PLAIN = EncodeOptions()
LAYOUTS = ["today", "old"]


def _refuse(*args: object) -> None:
    raise AssertionError(f"network: {args}")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelEntry]:
    folder = tmp_path_factory.mktemp("clip")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # how others make models is not what is tested
        today = save_clip(folder)
        return {"today": today, "old": save_old_clip(folder / "old", folder / "model")}


@pytest.fixture(scope="module", params=LAYOUTS)
def entry(request: pytest.FixtureRequest, clips: dict[str, ModelEntry]) -> ModelEntry:
    return clips[request.param]


@pytest.fixture(scope="module")
def encoder(entry: ModelEntry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encoder]:
    """Loaded by what loads models in service, without network."""
    options = LoadOptions(cache_dir=tmp_path_factory.mktemp("none"), device="cpu", threads=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _refuse)
        patch.setattr(socket, "getaddrinfo", _refuse)
        loaded = load_encoder(entry, options)
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def spec(entry: ModelEntry) -> PixelSpec:
    found = pixel_spec(entry)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def original(entry: ModelEntry) -> SentenceTransformer:
    """The model as a user of sentence-transformers has it."""
    assert entry.source is not None
    return SentenceTransformer(entry.source.folder, device="cpu", local_files_only=True)


def file_of(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def pixels_of(spec: PixelSpec) -> list[Pixels]:
    return [prepared(file_of(picture), spec, ImageLimits()) for picture in pictures()]


def ready_of(spec: PixelSpec) -> list[ModelInput]:
    return [ReadyImage(pixels, spec.tokens) for pixels in pixels_of(spec)]


def likeness(one: Vector, other: Vector) -> Vector:
    lengths = np.linalg.norm(one, axis=1)[:, None] * np.linalg.norm(other, axis=1)[None, :]
    return np.asarray(one @ other.T / lengths)


@pytest.fixture(scope="module")
def expected(original: SentenceTransformer) -> Vector:
    """sentence-transformers' own vectors of the pictures; no two alike."""
    found = np.asarray(original.encode(pictures(), batch_size=4), dtype=np.float32)
    others = likeness(found, found) - np.eye(len(found))
    assert others.max() < 0.9, "the model must tell the images apart, else this proves nothing"
    return found


def test_the_files_say_how_images_are_wanted(spec: PixelSpec) -> None:
    assert spec.size == (SIDE, SIDE)
    assert (spec.resize, spec.resample, spec.tokens) == (SIDE, "bicubic", 17)
    assert spec.rescale == pytest.approx(1 / 255)


def test_pixels_are_those_of_the_models_own_processor(
    original: SentenceTransformer, spec: PixelSpec
) -> None:
    for picture, pixels in zip(pictures(), pixels_of(spec), strict=True):
        theirs = hugging_face_pixels(original, picture)
        np.testing.assert_allclose(normalized(pixels.data, spec), theirs, atol=2e-6)


def test_images_have_sentence_transformers_own_vectors(
    encoder: Encoder, spec: PixelSpec, expected: Vector
) -> None:
    found = encoder.forward(ready_of(spec))
    assert (found.dtype, found.shape) == (np.float32, expected.shape)
    alike = likeness(found, expected)
    assert alike.diagonal().min() >= 0.9999
    assert alike.argmax(axis=1).tolist() == list(range(len(expected)))
    assert compare(found, expected).fault(exact=True) is None


def test_an_image_has_the_same_vector_whatever_it_was_batched_with(
    encoder: Encoder, spec: PixelSpec, expected: Vector
) -> None:
    ready = ready_of(spec)
    order = random.Random(3).sample(range(len(ready)), len(ready))
    while order:
        batch, order = order[:4], order[4:]
        found = encoder.forward([ready[at] for at in batch])
        assert likeness(found, expected[batch]).diagonal().min() >= 0.9999
    exact = np.stack([encoder.forward_exact(one) for one in ready])
    assert likeness(exact, expected).diagonal().min() >= 0.9999


def test_texts_have_sentence_transformers_own_vectors(
    encoder: Encoder, original: SentenceTransformer
) -> None:
    theirs = np.asarray(original.encode(TEXTS, batch_size=2), dtype=np.float32)
    assert (likeness(theirs, theirs) - np.eye(len(TEXTS))).max() < 0.9
    ready = encoder.tokenize(TEXTS, prompt="", truncate=Truncate.END)
    assert compare(encoder.forward(ready), theirs).fault(exact=True) is None


def test_long_texts_are_cut_as_sentence_transformers_cuts_them(
    encoder: Encoder, original: SentenceTransformer
) -> None:
    texts = [*TEXTS, *REFERENCE_TEXTS]
    for text, one in zip(
        texts, encoder.tokenize(texts, prompt="", truncate=Truncate.END), strict=True
    ):
        assert one.ids.tolist() == original.preprocess([text])["input_ids"][0].tolist()
    [long] = encoder.tokenize(["word " * 300], prompt="", truncate=Truncate.END)
    assert (long.length, long.truncated) == (MAX_TOKENS, True)
    assert long.ids[-1] == original.tokenizer.eos_token_id


def test_text_and_image_lie_in_one_space(
    encoder: Encoder, spec: PixelSpec, original: SentenceTransformer
) -> None:
    """The order of images for a text is that of sentence-transformers."""
    ready = encoder.tokenize(TEXTS, prompt="", truncate=Truncate.END)
    ours = likeness(encoder.forward(ready), encoder.forward(ready_of(spec)))
    theirs = likeness(
        np.asarray(original.encode(TEXTS), dtype=np.float32),
        np.asarray(original.encode(pictures()), dtype=np.float32),
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert ours.argmax(axis=1).tolist() == theirs.argmax(axis=1).tolist()


@pytest.fixture
async def batcher(encoder: Encoder) -> AsyncIterator[LaneBatcher]:
    pool = ModelPool(lambda entry: [encoder])
    made = LaneBatcher(pool, BatchOptions(first_tokens=100))
    await made.start()
    yield made
    await made.stop()


def assert_are(outcomes: Sequence[Outcome], right: Sequence[Vector]) -> None:
    for outcome, vector in zip(outcomes, right, strict=True):
        assert isinstance(outcome, EncodedText), outcome
        assert float(outcome.vector @ (vector / np.linalg.norm(vector))) >= 0.9999


async def test_texts_and_images_together_each_get_their_own(
    batcher: LaneBatcher, entry: ModelEntry, spec: PixelSpec, encoder: Encoder, expected: Vector
) -> None:
    texts = [*TEXTS, *REFERENCE_TEXTS]
    read = encoder.tokenize(texts, prompt="", truncate=Truncate.END)
    right = [encoder.forward_exact(one) for one in read] + list(expected)
    inputs: list[str | Pixels] = [*texts, *pixels_of(spec)]
    dice = random.Random(7)

    async def call() -> None:
        chosen = dice.choices(range(len(inputs)), k=dice.randrange(1, 12))
        given = [inputs[at] for at in chosen]
        outcomes = await batcher.encode(dice.choice(list(Lane)), entry, given, PLAIN)
        assert_are(outcomes, [right[at] for at in chosen])

    await asyncio.wait_for(asyncio.gather(*(call() for _ in range(40))), 60)


async def test_equal_images_are_computed_once(
    batcher: LaneBatcher, entry: ModelEntry, spec: PixelSpec
) -> None:
    first, second, *_ = pixels_of(spec)
    again = Pixels(first.height, first.width, bytes(bytearray(first.data)))
    outcomes = await batcher.encode(Lane.NORMAL, entry, [first, second, again], PLAIN)
    assert [one.origin for one in outcomes if isinstance(one, EncodedText)] == [
        Origin.COMPUTED, Origin.COMPUTED, Origin.DEDUPLICATED
    ]  # fmt: skip
    assert {one.tokens for one in outcomes if isinstance(one, EncodedText)} == {spec.tokens}


async def test_an_image_apart_has_the_vector_it_has_among_others(
    entry: ModelEntry, spec: PixelSpec, expected: Vector, tmp_path: Path
) -> None:
    load = LoadOptions(cache_dir=tmp_path, device="cpu", threads=1)
    apart = Isolation(IsolationOptions(load=load, text_timeout_s=30))
    first, second, *_ = pixels_of(spec)
    small = Pixels(1, 1, b"\0\0\0")
    outcomes = await apart.encode(Lane.LOW, entry, [first, small, second, TEXTS[0]], PLAIN)
    assert isinstance(outcomes[1], EncodeFailure)
    assert "(1, 1) points large" in outcomes[1].message
    assert isinstance(outcomes[3], EncodedText)
    assert_are([outcomes[0], outcomes[2]], list(expected[:2]))


def test_openvino_leaves_clip_to_torch_with_one_line(
    clips: dict[str, ModelEntry], tmp_path: Path
) -> None:
    with capture_logs() as logs:
        encoder = load_encoder(clips["today"], LoadOptions(tmp_path, device="cpu", threads=1))
    assert encoder.backend == "torch fp32"
    [line] = [line for line in logs if line["event"] == "backend_refused"]
    assert line["reason"] == "OpenVINO runs models of texts alone; this one reads images too"
    assert list(tmp_path.iterdir()) == []


def test_a_clip_that_the_catalog_takes_for_a_model_of_texts_is_refused(
    clips: dict[str, ModelEntry], tmp_path: Path
) -> None:
    entry = clips["today"].model_copy(update={"kind": "text", "backend": "torch"})
    assert pixel_spec(entry) is None
    with pytest.raises(BackendRefused, match="it reads text and image"):
        load_encoder(entry, LoadOptions(tmp_path, device="cpu", threads=1))


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"image_processor_type": "SiglipImageProcessor"}, "image_processor_type"),
        ({"do_pad": True}, "do_pad"),
        ({"do_resize": False}, "do_resize"),
        ({"size": {"shortest_edge": 16}}, "cannot be cut out of"),
        ({"crop_size": {"height": 16, "width": 16}}, "the model takes 32"),
        ({"size": {"longest_edge": 32}}, "size"),
    ],
)
def test_a_processor_that_is_not_understood_is_refused(
    clips: dict[str, ModelEntry], tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    source = clips["today"].source
    assert source is not None
    folder = tmp_path / "model"
    shutil.copytree(source.folder, folder)
    path = folder / "processor_config.json"
    content = json.loads(path.read_text())
    content["image_processor"] |= change
    path.write_text(json.dumps(content))
    with pytest.raises(BadWeights, match=reason):
        pixel_spec(clip_entry(folder))


def test_altered_settings_are_refused(clips: dict[str, ModelEntry], tmp_path: Path) -> None:
    altered = clips["today"].model_copy(update={"config_sha256": "0" * 64})
    with pytest.raises(BadWeights, match="the catalog says 0000"):
        pixel_spec(altered)


def test_reading_how_images_are_wanted_loads_no_model_library() -> None:
    code = (
        "import sys, embedding.pixel_spec, documents.images;"
        "print({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


def test_images_on_which_backends_are_judged_are_always_the_same(spec: PixelSpec) -> None:
    made = [cut(picture, spec) for picture in reference_images(spec)]
    assert made == [cut(picture, spec) for picture in reference_images(spec)]
    assert len({pixels.digest for pixels in made}) == len(made) >= 8


def test_a_backend_that_gives_other_vectors_of_images_is_refused(
    encoder: Encoder, expected: Vector, spec: PixelSpec
) -> None:
    right = encoder.forward(
        [ReadyImage(cut(each, spec), spec.tokens) for each in reference_images(spec)]
    )
    assert judge_images(encoder, right).cosine == pytest.approx(1)
    ready = encoder.tokenize(REFERENCE_TEXTS, prompt="", truncate=Truncate.END)
    texts = np.concatenate([encoder.forward([one]) for one in ready])
    refuse_unless_equal(encoder, texts, exact=True, images=right)
    wrong = right.copy()
    wrong[2] = np.roll(wrong[2], 1)
    with pytest.raises(BackendRefused, match="images: cosine"):
        refuse_unless_equal(encoder, texts, exact=True, images=wrong)


def test_vectors_of_images_are_shaped_like_those_of_texts(
    encoder: Encoder, spec: PixelSpec
) -> None:
    found = shaped(encoder.forward(ready_of(spec)), EncodeOptions(dimensions=8))
    assert found.shape == (len(pictures()), 8)
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(len(found)))
