"""A random CLIP: our way from the bytes of an image to its vector, beside sentence-transformers'.

Both in one process, so with the same number of threads, and on the same device; on a GPU both in
fp16. Each reads the files one after the other in one thread.
"""

import io
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from benchmarks.contenders.gpu import sentence_model
from benchmarks.contenders.ours import encoder_of
from benchmarks.contenders.random_clip import ImageTrial, jpeg_of, random_clip
from benchmarks.contenders.speaking import Answer, Assignment, Told, serve
from benchmarks.likeness import least_cosine
from documents.images import prepared
from embedding.encoder import Encoder, ReadyImage
from embedding.pixel_spec import pixel_spec
from models.images import ImageLimits, PixelSpec
from models.vectors import Vector

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

#: What a processor made of images, by the names under which a model takes it.
Features = dict[str, object]
#: One call that is measured; what it makes is let go.
Work = Callable[[], object]
#: How many images of each trial are compared with fp32.
GATED = 8
LIMITS = ImageLimits()


@dataclass(frozen=True, slots=True)
class Ours:
    """As the role extract makes images ready, and the role embed runs them."""

    encoder: Encoder
    spec: PixelSpec

    def ready(self, files: Sequence[bytes]) -> list[ReadyImage]:
        """Bytes to pixels, 8 bits each: normalizing them is left to the forward."""
        return [
            ReadyImage(prepared(content, self.spec, LIMITS), self.spec.tokens) for content in files
        ]

    def forward(self, batch: Sequence[ReadyImage]) -> Vector:
        """Pixels to vectors."""
        return self.encoder.forward(batch)

    def encode(self, files: Sequence[bytes]) -> Vector:
        """Bytes to vectors, one after the other."""
        return self.forward(self.ready(files))


@dataclass(frozen=True, slots=True)
class Theirs:
    """sentence-transformers, as its users have it."""

    model: "SentenceTransformer"

    def ready(self, files: Sequence[bytes]) -> Features:
        """Bytes to pixels in fp32 and normalized, by Hugging Face's processor of the model."""
        return self.model.preprocess(opened(files))

    def forward(self, features: Features) -> Vector:
        """Pixels in the host's memory to vectors in it."""
        import torch  # noqa: PLC0415  # loaded by now

        placed = {
            name: value.to(self.model.device) if isinstance(value, torch.Tensor) else value
            for name, value in features.items()
        }
        with torch.inference_mode():
            found = self.model(placed)["sentence_embedding"]
        return np.asarray(found.float().cpu().numpy(), dtype=np.float32)

    def encode(self, files: Sequence[bytes]) -> Vector:
        """Bytes to vectors, by `encode` with all images in one batch."""
        images = opened(files)
        found = self.model.encode(images, batch_size=len(images), show_progress_bar=False)
        return np.asarray(found, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Pair:
    """The model as ours and as theirs, and theirs in fp32."""

    ours: Ours
    theirs: Theirs
    reference: Theirs


@dataclass(frozen=True, slots=True)
class Tried:
    """Files, and what is measured on them in every round: ours and theirs, by name."""

    files: list[bytes]
    works: dict[str, tuple[Work, Work]]


def opened(files: Sequence[bytes]) -> list[Image.Image]:
    """Pillow's images, unpacked."""
    return [Image.open(io.BytesIO(content)).convert("RGB") for content in files]


def load(given: Assignment) -> Answer:
    """Make the model and load it on the device that the service would pick."""
    pair = loaded(given)
    held: dict[int, Tried] = {}

    def answer(line: bytes) -> Told:
        trial = ImageTrial.model_validate_json(line)
        if not trial.images:
            return Told(facts=place(pair.ours.encoder, given.threads))
        if trial.images not in held:
            files = [jpeg_of(number) for number in range(trial.images)]
            held[trial.images] = Tried(files, works(pair, files))
        return Told(facts=tried(pair, held[trial.images], trial))

    return answer


def loaded(given: Assignment) -> Pair:
    """Load it for us and for them; where theirs runs in fp32 it is the reference too."""
    folder = Path(tempfile.mkdtemp(prefix="clip-", dir=given.settings["folder"]))
    entry = random_clip(folder)
    spec = pixel_spec(entry)
    if spec is None:
        raise ValueError("a CLIP that reads no images. This is a bug.")
    encoder = encoder_of(entry, given.threads, device="auto")
    reference = Theirs(sentence_model(entry, encoder.device, half=False))
    if encoder.device == "cpu":
        return Pair(Ours(encoder, spec), reference, reference)
    theirs = Theirs(sentence_model(entry, encoder.device, half=True))
    return Pair(Ours(encoder, spec), theirs, reference)


def place(encoder: Encoder, threads: int) -> dict[str, float | str]:
    """Where the model runs; `card` is empty on a CPU."""
    import torch  # noqa: PLC0415  # loaded by now

    card = torch.cuda.get_device_name(0) if encoder.device.startswith("cuda") else ""
    return {
        "card": card,
        "backend": encoder.backend,
        "threads": float(threads),
        "threads of torch": float(torch.get_num_threads()),
    }


def tried(pair: Pair, given: Tried, trial: ImageTrial) -> dict[str, float | str]:
    """Images a second of all six, what is compared one right after the other; and the gate."""
    files = given.files
    facts: dict[str, float | str] = dict(gate(pair, files[:GATED]))
    for name, (ours, theirs) in given.works.items():
        both = {f"ours, {name}": ours, f"theirs, {name}": theirs}
        for asked in reversed(both) if trial.turned else both:
            facts[asked] = rate(both[asked], len(files), trial.seconds)
    facts["bytes"] = sum(map(len, files)) / len(files)
    return facts


def works(pair: Pair, files: list[bytes]) -> dict[str, tuple[Work, Work]]:
    """What is measured, by name: ours and theirs, each on all `files` in one call."""
    ready, features = pair.ours.ready(files), pair.theirs.ready(files)
    return {
        "processor": (
            lambda: pair.ours.ready(files),
            lambda: pair.theirs.ready(files),
        ),
        "model": (lambda: pair.ours.forward(ready), lambda: pair.theirs.forward(features)),
        "both": (lambda: pair.ours.encode(files), lambda: pair.theirs.encode(files)),
    }


def rate(work: Work, images: int, seconds: float) -> float:
    """Images a second of `work`, which does `images` at each call, over about so many seconds.

    It begins cold: the first round, which is dropped, has warmed it.
    """
    calls, began_s = 0, time.perf_counter()
    while (spent_s := time.perf_counter() - began_s) < seconds or not calls:
        work()
        calls += 1
    return calls * images / spent_s


def gate(pair: Pair, files: list[bytes]) -> dict[str, float]:
    """How near both are to fp32, and how near two different images are to each other there."""
    expected = pair.reference.encode(files)
    theirs = expected if pair.theirs is pair.reference else pair.theirs.encode(files)
    return {
        "cosine of ours": least_cosine(pair.ours.encode(files), expected),
        "cosine of theirs": least_cosine(theirs, expected),
        "alike": most_alike(expected),
    }


def most_alike(vectors: Vector) -> float:
    """The greatest cosine between two different rows; of a gate it says whether it can tell."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return float((unit @ unit.T - 2 * np.eye(len(unit))).max())


if __name__ == "__main__":
    serve(load)
