"""An image file becomes the pixels that a model sees. Runs in a process that a file may break.

Pillow reads the file, of six formats and nothing else; the header says how large the image is
before a point of it is unpacked. Then exactly what the model's own processor does, up to the crop:
scaling and cutting, on whole bytes. Two things it leaves to its caller are done here first: the
image is turned as its EXIF data say, and what is transparent becomes white.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import NoReturn

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from models.documents import DocumentRefused
from models.images import ImageLimits, Pixels, PixelSpec
from models.states import ItemErrorCode

#: Imported by name: Pillow would import every reader it has to find the last two.
FORMATS = tuple(
    reader.format
    for reader in (
        PngImagePlugin.PngImageFile,
        JpegImagePlugin.JpegImageFile,
        WebPImagePlugin.WebPImageFile,
        GifImagePlugin.GifImageFile,
        TiffImagePlugin.TiffImageFile,
        BmpImagePlugin.BmpImageFile,
    )
)
SUPPORTED = "PNG, JPEG, WebP, GIF, TIFF and BMP"
#: Values of 16 bits, of which the upper 8 are kept.
SHORTS = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
#: Values without a range that all agree on: nothing says which of them is white.
UNRANGED = {"I": "whole numbers of 32 bits", "F": "floating-point numbers"}
PIXELS_SETTING = "document.max_image_pixels"
BYTES_SETTING = "document.max_file_bytes"
#: So many rows at a time are laid on white: a large image is in memory often enough.
BAND_ROWS = 256
_HEAD_BYTES = 8192
_PIXELS_TOLD = re.compile(r"\((\d+) pixels\)")


def prepared(content: bytes, spec: PixelSpec, limits: ImageLimits) -> Pixels:
    """Read an image file and make it as `spec` says; of several frames or pages the first.

    One at a time in a process, for Pillow's own limit is the process's. Raises DocumentRefused,
    and MemoryError where the process may have no more.
    """
    if len(content) > limits.max_bytes:
        given, limit = f"{len(content):,} bytes", f"{limits.max_bytes:,} bytes"
        raise _too_large(f"The file has {given}", limit, BYTES_SETTING)
    with _pillow_limited_to(limits.max_pixels), _refusing_what_is_broken():
        image = _opened(content, limits)
        image.load()
        image = _on_white(_turned(image))
        _check_scaled(image, spec, limits)
        return _cropped(_scaled(image, spec), spec)


@contextmanager
def _pillow_limited_to(max_pixels: int) -> Iterator[None]:
    """Have Pillow refuse what is twice as large: WebP's reader takes its memory on opening.

    Its warnings say nothing of the pixels: of damaged EXIF data, or of what `_opened` refuses.
    """
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max_pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


@contextmanager
def _refusing_what_is_broken() -> Iterator[None]:
    """Whatever a reader raises means that it cannot read the file."""
    try:
        yield
    except (DocumentRefused, MemoryError):
        raise
    except Exception as error:
        reason = f"its data are damaged or end too early ({type(error).__name__})"
        raise _unreadable(reason) from error


def _opened(content: bytes, limits: ImageLimits) -> Image.Image:
    """Read the header alone. Raises DocumentRefused."""
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        _refuse_unknown(content)
    except Image.DecompressionBombError as error:
        told = _PIXELS_TOLD.search(str(error))
        given = f"{int(told.group(1)):,}" if told else f"more than {limits.max_pixels:,}"
        raise _too_many_pixels(f"The image has {given} pixels", limits) from error
    if image.mode in UNRANGED:
        raise _unsupported(f"an image of {UNRANGED[image.mode]}", "Save it with 8 bits a colour.")
    if min(image.size) < 1:
        raise _unreadable("it has no pixels")
    if image.width * image.height > limits.max_pixels:
        size = f"{image.width:,} × {image.height:,}"
        raise _too_many_pixels(
            f"The image has {image.width * image.height:,} pixels ({size})", limits
        )
    return image


def _turned(image: Image.Image) -> Image.Image:
    """Turn it as its EXIF data say; where they are damaged it stays as it is, as in a browser."""
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001, S110  (its reader raises what it likes)
        pass
    return image


def _on_white(image: Image.Image) -> Image.Image:
    """The image in 8 bits of red, green and blue; what is transparent becomes white."""
    if image.mode in SHORTS:
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    seen = image if image.mode == "RGBA" else image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    for top in range(0, image.height, BAND_ROWS):
        band = seen.crop((0, top, image.width, min(top + BAND_ROWS, image.height)))
        white.paste(band.convert("RGB"), (0, top), mask=band.getchannel("A"))
    return white


def _check_scaled(image: Image.Image, spec: PixelSpec, limits: ImageLimits) -> None:
    """A line of points becomes an endless band where its shorter edge is scaled. Raises."""
    height, width = spec.resized(image.height, image.width)
    if height * width > limits.max_pixels:
        given = (
            f"The image is {image.width:,} × {image.height:,} pixels and would be "
            f"{width:,} × {height:,} as the model wants it"
        )
        raise _too_many_pixels(given, limits)


def _scaled(image: Image.Image, spec: PixelSpec) -> Image.Image:
    height, width = spec.resized(image.height, image.width)
    return image.resize((width, height), Image.Resampling[spec.resample.upper()])


def _cropped(image: Image.Image, spec: PixelSpec) -> Pixels:
    height, width = spec.size
    left, top = (image.width - width) // 2, (image.height - height) // 2
    middle = image.crop((left, top, left + width, top + height))
    return Pixels(height, width, middle.tobytes())


def _refuse_unknown(content: bytes) -> NoReturn:
    """It is of another kind, or of one that we read and broken from its first line on.

    The tables of types are loaded for this alone.
    """
    if not content:
        raise _unreadable("it has no bytes")
    kind = import_module("filetype").guess(content[:_HEAD_BYTES])
    found = "of an unknown type" if kind is None else f"of type {kind.mime}"
    if kind is not None and kind.extension in {"png", "jpg", "webp", "gif", "tif", "bmp"}:
        raise _unreadable(f"it begins as a file {found} and goes on as none")
    raise _unsupported(f"a file {found}", f"Send one of {SUPPORTED}.")


def _unsupported(found: str, advice: str) -> DocumentRefused:
    message = f"The file is {found}, which is not read as an image. {advice}"
    return DocumentRefused(ItemErrorCode.DOCUMENT_UNSUPPORTED, message)


def _unreadable(reason: str) -> DocumentRefused:
    message = f"The image cannot be read: {reason}. Save or export it again and send that."
    return DocumentRefused(ItemErrorCode.DOCUMENT_UNREADABLE, message)


def _too_many_pixels(given: str, limits: ImageLimits) -> DocumentRefused:
    return _too_large(given, f"{limits.max_pixels:,} pixels", PIXELS_SETTING)


def _too_large(given: str, limit: str, setting: str) -> DocumentRefused:
    message = (
        f"{given}; the limit is {limit} (setting {setting}). "
        "Make the image smaller, or raise the setting."
    )
    return DocumentRefused(ItemErrorCode.DOCUMENT_TOO_LARGE, message)
