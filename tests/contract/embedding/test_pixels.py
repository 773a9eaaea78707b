"""Images made ready are, byte for byte, what transformers' own processor of CLIP makes of them."""

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from documents.images import prepared
from models.images import ImageLimits, PixelSpec

SPEC = PixelSpec(resize=32, crop=(32, 32), tokens=17)
SIZES = [
    *((60, 44), (44, 60), (32, 32), (33, 32), (32, 57), (1, 1), (1, 20), (7, 3), (501, 333)),
    *((3, 3), (1000, 41), (41, 1000), (64, 64), (1, 3), (3, 1), (1920, 1080), (225, 224)),
]


def picture(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(width * height).integers(0, 256, (height, width, 3))
    noise[: height // 2] = noise[: height // 2] // 4 + np.arange(width)[None, :, None] % 190
    return Image.fromarray(noise.astype(np.uint8))


def ours(image: Image.Image, spec: PixelSpec) -> NDArray[np.uint8]:
    out = io.BytesIO()
    image.save(out, "PNG")
    pixels = prepared(out.getvalue(), spec, ImageLimits(max_bytes=1 << 30))
    return np.frombuffer(pixels.data, dtype=np.uint8).reshape(*spec.size, 3)


def theirs(image: Image.Image, **how: Any) -> NDArray[np.uint8]:
    """What it makes before it reckons with fractions."""
    facts = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    whole = {"do_rescale": False, "do_normalize": False}
    found = CLIPImageProcessorPil(**{**facts, **how, **whole})(image)
    made: NDArray[np.uint8] = np.asarray(found["pixel_values"][0]).transpose(1, 2, 0)
    assert made.dtype == np.uint8
    return made


@pytest.mark.parametrize("width, height", SIZES)
def test_of_any_size(width: int, height: int) -> None:
    image = picture(width, height)
    np.testing.assert_array_equal(ours(image, SPEC), theirs(image))


@pytest.mark.parametrize(
    "spec, how",
    [
        (
            PixelSpec(resize=224, crop=(224, 224), tokens=50),
            {"size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}},
        ),
        (
            PixelSpec(resize=40, crop=(31, 18), tokens=1),
            {"size": {"shortest_edge": 40}, "crop_size": {"height": 31, "width": 18}},
        ),
        (
            PixelSpec(resize=(20, 50), tokens=1),
            {"size": {"height": 20, "width": 50}, "do_center_crop": False},
        ),
        (SPEC.model_copy(update={"resample": "nearest"}), {"resample": 0}),
        (SPEC.model_copy(update={"resample": "lanczos"}), {"resample": 1}),
        (SPEC.model_copy(update={"resample": "bilinear"}), {"resample": 2}),
        (SPEC.model_copy(update={"resample": "box"}), {"resample": 4}),
        (SPEC.model_copy(update={"resample": "hamming"}), {"resample": 5}),
    ],
)
def test_in_other_sizes_and_by_other_ways_to_scale(spec: PixelSpec, how: dict[str, Any]) -> None:
    for image in (picture(60, 44), picture(301, 97), picture(97, 301)):
        np.testing.assert_array_equal(ours(image, spec), theirs(image, **how))


@pytest.mark.parametrize("mode", ["L", "1", "CMYK"])
def test_of_modes_that_both_read_alike(mode: str) -> None:
    out = io.BytesIO()
    picture(60, 44).convert(mode).save(out, "TIFF")
    pixels = prepared(out.getvalue(), SPEC, ImageLimits())
    found = np.frombuffer(pixels.data, dtype=np.uint8).reshape(32, 32, 3)
    np.testing.assert_array_equal(found, theirs(Image.open(out).convert("RGB")))
