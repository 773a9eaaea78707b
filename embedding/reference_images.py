"""Fixed images on which backends are judged, made here: no file, no decoder, no chance. Pure."""

import numpy as np
from numpy.typing import NDArray

from models.images import CHANNELS, Pixels, PixelSpec

#: `(height, width, 3) uint8`.
Picture = NDArray[np.uint8]
#: Noise is the same everywhere and always.
SEED = 7
RADIUS = 0.3


def reference_images(spec: PixelSpec) -> list[Picture]:
    """Plain ones, gradients, patterns, shapes and noise, in the size to which images are scaled.

    Of that size, no processor scales them any more: only its cut is left to do.
    """
    height, width = spec.resized(1, 1)
    y, x = np.mgrid[0:height, 0:width]
    down, right = y / height, x / width
    round_ = np.hypot(down - 0.4, right - 0.6) < RADIUS
    noise = np.random.default_rng(SEED).random((height, width, CHANNELS))
    zero, one = np.zeros_like(down), np.ones_like(down)
    pictures = [
        (zero, zero, zero),
        (one, one, one),
        (right, down, zero),
        (1 - down, right * down, down),
        ((x // 5 + y // 5) % 2, (x // 5 + y // 5) % 2, (x // 5 + y // 5) % 2),
        (y // 3 % 2, zero, 1 - right),
        (round_, zero, ~round_),
        (round_ * down, round_ * 0.5, one),
        (noise[..., 0], noise[..., 1], noise[..., 2]),
        (noise[..., 0], noise[..., 0], noise[..., 0] * right),
    ]
    return [(np.stack(each, axis=-1) * 255).astype(np.uint8) for each in pictures]


def cut(picture: Picture, spec: PixelSpec) -> Pixels:
    """The middle of a scaled picture, as the model sees it."""
    height, width = spec.size
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return Pixels(height, width, picture[top : top + height, left : left + width].tobytes())
