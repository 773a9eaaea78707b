"""Image files: what a model's own processor would make of them, and what is refused."""

import io
import re
import resource
import struct
import warnings
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from documents.images import prepared
from models.documents import DocumentRefused
from models.images import ImageLimits, Pixels, PixelSpec
from models.states import ItemErrorCode

SPEC = PixelSpec(resize=32, crop=(32, 32), tokens=17)
LIMITS = ImageLimits()
CODES = ItemErrorCode
FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"]


def picture(width: int = 60, height: int = 44) -> Image.Image:
    """Red grows to the right and green down; blue is a corner's."""
    y, x = np.mgrid[0:height, 0:width]
    blue = np.where((x < width // 3) & (y < height // 3), 255, 0)
    made = np.stack([x * 255 // width, y * 255 // height, blue], axis=-1)
    return Image.fromarray(made.astype(np.uint8))


def file_of(image: Image.Image, format_: str = "PNG", **how: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **how)
    return out.getvalue()


def points(pixels: Pixels) -> NDArray[np.uint8]:
    shape = pixels.height, pixels.width, 3
    return np.frombuffer(pixels.data, dtype=np.uint8).reshape(shape)


def made(content: bytes, spec: PixelSpec = SPEC, **limits: int) -> NDArray[np.uint8]:
    return points(prepared(content, spec, ImageLimits(**limits)))


def theirs(image: Image.Image) -> NDArray[np.uint8]:
    """What CLIP's processor makes of an RGB image: that it is so, the contract tests show."""
    width, height = image.size
    shorter = min(width, height)
    image = image.resize((32 * width // shorter, 32 * height // shorter), Image.Resampling.BICUBIC)
    left, top = (image.width - 32) // 2, (image.height - 32) // 2
    return np.asarray(image)[top : top + 32, left : left + 32]


def refused(content: bytes, code: ItemErrorCode, *says: str, **limits: int) -> None:
    with pytest.raises(DocumentRefused) as caught:
        made(content, **limits)
    assert caught.value.code is code, caught.value.message
    for words in says:
        assert words in caught.value.message


@pytest.mark.parametrize("width, height", [(60, 44), (44, 60), (32, 32), (33, 57), (1, 1), (7, 3)])
def test_its_middle_is_scaled_and_cut_out(width: int, height: int) -> None:
    image = picture(width, height)
    np.testing.assert_array_equal(made(file_of(image)), theirs(image))


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_is_read_whatever_the_file_is_called(format_: str) -> None:
    content = file_of(picture(), format_)
    image = Image.open(io.BytesIO(content)).convert("RGB")
    np.testing.assert_array_equal(made(content), theirs(image))


@pytest.mark.parametrize("format_", ["PNG", "WEBP"])
def test_a_lossless_file_is_its_picture(format_: str) -> None:
    content = file_of(picture(), format_, **({"lossless": True} if format_ == "WEBP" else {}))
    np.testing.assert_array_equal(made(content), theirs(picture()))


def in_mode(mode: str) -> Image.Image:
    return picture().quantize(16) if mode == "P" else picture().convert(mode)


@pytest.mark.parametrize(
    "mode, format_",
    [("1", "PNG"), ("L", "PNG"), ("L", "JPEG"), ("P", "PNG"), ("P", "GIF"), ("P", "BMP"),
     ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("YCbCr", "TIFF"), ("1", "TIFF"), ("1", "BMP")],
)  # fmt: skip
def test_every_mode_becomes_red_green_and_blue(mode: str, format_: str) -> None:
    content = file_of(in_mode(mode), format_)
    image = Image.open(io.BytesIO(content)).convert("RGB")
    np.testing.assert_array_equal(made(content), theirs(image))


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_of_16_bits_the_upper_8_are_kept(format_: str) -> None:
    grey = np.linspace(0, 65535, 44 * 60).reshape(44, 60).astype(np.uint16)
    content = file_of(Image.fromarray(grey), format_)
    assert Image.open(io.BytesIO(content)).mode.startswith("I;16")
    expected = theirs(Image.fromarray((grey >> 8).astype(np.uint8)).convert("RGB"))
    np.testing.assert_array_equal(made(content), expected)


@pytest.mark.parametrize("mode", ["F", "I"])
def test_values_without_a_range_are_refused(mode: str) -> None:
    content = file_of(Image.new(mode, (5, 5), 7), "TIFF")
    refused(content, CODES.DOCUMENT_UNSUPPORTED, "Save it with 8 bits a colour")


def with_hole(mode: str) -> Image.Image:
    """The right half is transparent, whatever colour lies there."""
    image = picture().convert("RGBA")
    alpha = np.zeros((44, 60), dtype=np.uint8)
    alpha[:, :30] = 255
    image.putalpha(Image.fromarray(alpha))
    if mode == "P":
        return image.quantize(16, method=Image.Quantize.FASTOCTREE)
    return image.convert(mode)


@pytest.mark.parametrize(
    "mode, format_",
    [("RGBA", "PNG"), ("RGBA", "WEBP"), ("RGBA", "TIFF"), ("LA", "PNG"), ("P", "PNG"),
     ("RGBA", "GIF")],
)  # fmt: skip
def test_what_is_transparent_becomes_white(mode: str, format_: str) -> None:
    found = made(file_of(with_hole(mode), format_))
    assert (found[:, -1] == 255).all()
    assert found[:, 0].min() < 128


def test_a_tall_transparent_image_is_laid_on_white_as_a_whole() -> None:
    image = picture(60, 700)
    image.putalpha(100)
    white = Image.new("RGBA", image.size, "white")
    expected = theirs(Image.alpha_composite(white, image).convert("RGB"))
    assert np.abs(made(file_of(image)).astype(int) - expected).max() <= 1


def test_a_transparent_colour_becomes_white() -> None:
    content = file_of(Image.new("RGB", (40, 40), (1, 2, 3)), transparency=(1, 2, 3))
    assert (made(content) == 255).all()


def test_half_transparent_is_half_white() -> None:
    found = made(file_of(Image.new("RGBA", (40, 40), (255, 0, 0, 128))))
    assert np.abs(found.astype(int) - (255, 127, 127)).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_it_is_turned_as_its_exif_data_say(orientation: int, format_: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    how = {"quality": 95} if format_ == "JPEG" else {}
    content = file_of(picture(), format_, exif=exif, **how)
    plain = Image.open(io.BytesIO(file_of(picture(), format_, **how))).convert("RGB")
    plain.getexif()[0x0112] = orientation
    upright = ImageOps.exif_transpose(plain)
    np.testing.assert_array_equal(made(content), theirs(upright))
    turned = not np.array_equal(made(content), theirs(plain))
    assert turned == (orientation != 1)


def test_damaged_exif_data_leave_it_as_it_is() -> None:
    plain = file_of(picture(), "JPEG")
    damaged = file_of(picture(), "JPEG", exif=b"Exif\0\0MM\0\x2a\0\0\0\x08\xff\xff\x01\x12")
    assert damaged != plain
    np.testing.assert_array_equal(made(damaged), made(plain))


def frames(format_: str) -> bytes:
    others = [Image.new("RGB", (60, 44), colour) for colour in ("red", "blue")] * 50
    return file_of(picture(), format_, save_all=True, append_images=others)


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "TIFF", "PNG"])
def test_of_many_frames_the_first_is_taken(format_: str) -> None:
    content = frames(format_)
    image = Image.open(io.BytesIO(content))
    assert getattr(image, "n_frames", 1) > 1
    np.testing.assert_array_equal(made(content), theirs(image.convert("RGB")))


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, body: bytes = b"") -> bytes:
    """A PNG whose header says so."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(body)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def tiff(width: int, height: int) -> bytes:
    """A TIFF without a point whose header says so."""
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1),
            (262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height),
            (279, 4, 1, 4)]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + directory + b"\0\0\0\0"


def gif(width: int, height: int) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0" * 6
    return head + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02D\x01\0;"


def bmp(width: int, height: int) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + info


def webp(width: int, height: int) -> bytes:
    body = b"VP8X" + struct.pack("<IB3x", 10, 0x10)
    body += struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def jpeg(width: int, height: int) -> bytes:
    """A small JPEG that says it were larger."""
    content = bytearray(file_of(picture(), "JPEG"))
    at = re.search(rb"\xff\xc0", content)
    assert at is not None
    content[at.end() + 3 : at.end() + 7] = struct.pack(">HH", height, width)
    return bytes(content)


BOMBS: Sequence[tuple[Callable[[int, int], bytes], int, int]] = [
    (png, 100_000, 100_000),
    (png, 2**31 - 1, 1),
    (png, 6400, 6401),
    (tiff, 4_000_000_000, 4_000_000_000),
    (tiff, 10_000, 10_000),
    (gif, 65_535, 65_535),
    (gif, 65_535, 700),
    (bmp, 2_000_000_000, 2_000_000_000),
    (bmp, 10_000, -10_000),
    (webp, 16_384, 16_384),
    (webp, 9000, 9000),
    (jpeg, 65_000, 65_000),
    (jpeg, 6400, 6401),
]


@pytest.mark.parametrize("make, width, height", BOMBS)
def test_a_header_that_says_too_much_is_refused_before_a_point_is_unpacked(
    make: Callable[[int, int], bytes], width: int, height: int
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(make(width, height), CODES.DOCUMENT_TOO_LARGE, "40,000,000 pixels",
            "document.max_image_pixels", f"{width * abs(height):,} pixels")  # fmt: skip
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KB


def test_rows_that_unpack_a_thousandfold_stay_within_what_the_header_says() -> None:
    """More data than points: what is too much is never unpacked."""
    content = png(40, 40, body=b"\0" * 50_000_000)
    assert len(content) < 60_000
    assert made(content).max() == 0


@pytest.mark.parametrize("width, height", [(1, 4000), (4000, 1)])
def test_a_line_that_would_become_an_endless_band_is_refused(width: int, height: int) -> None:
    content, says = file_of(Image.new("L", (width, height))), "as the model wants it"
    size = f"{width:,} × {height:,}"
    refused(content, CODES.DOCUMENT_TOO_LARGE, size, says, max_pixels=4_000_000)
    made(content, max_pixels=5_000_000)


@pytest.mark.parametrize("format_", FORMATS)
def test_limits_are_kept_to_the_point_and_the_byte(format_: str) -> None:
    content = file_of(picture(40, 50), format_)
    refused(content, CODES.DOCUMENT_TOO_LARGE, "2,000 pixels (40 × 50)", max_pixels=1999)
    refused(content, CODES.DOCUMENT_TOO_LARGE, "999 pixels", max_pixels=999)
    refused(content, CODES.DOCUMENT_TOO_LARGE, f"{len(content):,} bytes",
            "document.max_file_bytes", max_bytes=len(content) - 1)  # fmt: skip
    made(content, max_pixels=2000, max_bytes=len(content))


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_that_ends_too_early_is_refused(format_: str, share: float) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (44, 60, 3)).astype(np.uint8)
    content = file_of(Image.fromarray(noise), format_)
    refused(content[: int(len(content) * share)], CODES.DOCUMENT_UNREADABLE)


def test_damaged_data_are_refused_where_the_format_can_tell() -> None:
    content = bytearray(file_of(picture()))
    for at in range(len(content) // 2, len(content) // 2 + 30):
        content[at] ^= 0xFF
    refused(bytes(content), CODES.DOCUMENT_UNREADABLE, "damaged")


def test_any_bytes_behind_the_first_ones_are_read_or_refused() -> None:
    """No reader's own exception comes out, nor a warning."""
    dice = np.random.default_rng(11)
    for format_ in FORMATS:
        whole = file_of(picture(20, 14), format_)
        for _ in range(60):
            content = bytearray(whole)
            for at in dice.integers(0, len(content), 4):
                content[at] = int(dice.integers(0, 256))
            try:
                found = made(bytes(content), max_pixels=1_000_000)
            except DocumentRefused:
                continue
            assert found.shape == (32, 32, 3)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(cat /etc/passwd) run\n"
OTHERS = {
    "eps": EPS,
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "pdf": b"%PDF-1.7\n%%EOF",
    "zip": b"PK\x03\x04" + b"\0" * 40,
    "text": b"no image at all",
    "ppm": b"P6\n2 2\n255\n" + b"\0" * 12,
    "ico": file_of(picture(16, 16), "ICO"),
    "jpeg 2000": file_of(picture(16, 16), "JPEG2000"),
    "tga": file_of(picture(16, 16), "TGA"),
    "avif": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf",
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS.keys())
def test_other_formats_are_refused_and_the_six_are_named(content: bytes) -> None:
    refused(content, CODES.DOCUMENT_UNSUPPORTED, "Send one of PNG, JPEG, WebP, GIF, TIFF and BMP.")


def test_an_empty_file_is_unreadable() -> None:
    refused(b"", CODES.DOCUMENT_UNREADABLE, "it has no bytes")


@pytest.mark.parametrize("begin", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"II*\0"])
def test_a_file_that_only_begins_as_an_image_is_unreadable(begin: bytes) -> None:
    refused(begin + EPS, CODES.DOCUMENT_UNREADABLE)


def test_a_file_of_two_formats_is_the_one_it_begins_as() -> None:
    content = file_of(picture())
    for tail in (b"PK\x03\x04" + b"\0" * 200, EPS, file_of(Image.new("RGB", (9, 9)), "JPEG")):
        np.testing.assert_array_equal(made(content + tail), made(content))


def test_what_pillow_allows_and_warns_of_is_as_before() -> None:
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    made(file_of(picture()), max_pixels=5000)
    refused(b"no image", CODES.DOCUMENT_UNSUPPORTED)
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


def test_memory_that_runs_out_is_not_the_files_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_out(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "resize", run_out)
    with pytest.raises(MemoryError):
        made(file_of(picture()))


@pytest.mark.parametrize(
    "facts",
    [
        {"resize": 32},
        {"resize": 32, "crop": (33, 32)},
        {"resize": 32, "crop": (0, 32)},
        {"resize": (8, 8), "crop": (8, 9)},
        {"resize": (0, 8)},
        {"resize": 32, "crop": (32, 32), "tokens": 0},
    ],
)
def test_a_spec_that_gives_no_size_is_none(facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        PixelSpec.model_validate({"tokens": 1, **facts})


def test_pixels_are_as_many_as_their_size_says() -> None:
    with pytest.raises(ValueError, match="2 × 2 points are 12 bytes, not 11"):
        Pixels(2, 2, b"\0" * 11)
    assert Pixels(1, 2, b"\0" * 6).digest != Pixels(2, 1, b"\0" * 6).digest
