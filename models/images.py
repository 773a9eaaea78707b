"""An image on its way to a vector: how a model wants its pixels, and the pixels. Pure."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: Red, green and blue of each point.
CHANNELS = 3
#: How the colour of a point between others is found, by Pillow's names.
Resample = Literal["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]
#: Height and width, in points.
Size = tuple[int, int]
#: One number for each of red, green and blue.
Colour = tuple[float, float, float]


class PixelSpec(BaseModel):
    """What a model's own processor makes of an image: scaled, cut to its middle, normalized."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resize: int | Size = Field(
        description="Length of the shorter edge after scaling, the proportions kept; or the size."
    )
    crop: Size | None = Field(
        default=None, description="The middle that is kept; null: all of it, of a fixed size."
    )
    resample: Resample = Field(default="bicubic", description="How it is scaled.")
    rescale: float = Field(default=1 / 255, gt=0, description="Each value is multiplied by this,")
    mean: Colour = Field(default=(0.0, 0.0, 0.0), description="then this is taken away,")
    std: Colour = Field(default=(1.0, 1.0, 1.0), description="then it is divided by this.")
    tokens: int = Field(ge=1, description="What one image costs a call: its patches, and one more.")

    @model_validator(mode="after")
    def _gives_one_size(self) -> Self:
        """Every image must come out in the same size, without borders of another colour."""
        if self.crop is None and isinstance(self.resize, int):
            raise ValueError("an image that keeps its proportions needs a crop")
        (height, width), (most_height, most_width) = self.size, self.resized(1, 1)
        if not (1 <= height <= most_height and 1 <= width <= most_width):
            raise ValueError(f"{self.size} cannot be cut out of {(most_height, most_width)}")
        return self

    @property
    def size(self) -> Size:
        """Height and width of every image as the model sees it."""
        return self.crop or self.resized(1, 1)

    def resized(self, height: int, width: int) -> Size:
        """The size to which an image of `height` and `width`, 1 or more, is scaled."""
        if not isinstance(self.resize, int):
            return self.resize
        longer = self.resize * max(height, width) // min(height, width)
        return (longer, self.resize) if width <= height else (self.resize, longer)


@dataclass(frozen=True)
class Pixels:
    """An image made ready for a model: rows from the top, each point red, green and blue."""

    height: int
    width: int
    data: bytes
    """`height * width * 3` bytes, one a colour."""

    def __post_init__(self) -> None:
        """Refuse another number of bytes with ValueError."""
        expected = self.height * self.width * CHANNELS
        if min(self.height, self.width) < 1 or len(self.data) != expected:
            raise ValueError(
                f"{self.height} × {self.width} points are {expected} bytes, not {len(self.data)}"
            )

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that are the same for the same image."""
        told = hashlib.sha256(f"{self.height} {self.width}\n".encode())
        told.update(self.data)
        return told.digest()


class ImageLimits(BaseModel):
    """How much one image may take (settings document.*)."""

    model_config = ConfigDict(frozen=True)

    max_bytes: int = Field(default=6_000_000, ge=1, description="Of the file.")
    max_pixels: int = Field(
        default=40_000_000, ge=1, description="Of the image, packed into the file or scaled."
    )
