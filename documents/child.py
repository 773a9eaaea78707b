"""The process that reads documents: `python -m documents.child`.

Standard input: a line of JSON with the limits, then for each document a line of JSON (`Order`)
and its bytes. Standard output, lines of JSON: `{"ready": true}`; then for each document any number
of `{"pages_done": 3, "pages": 20}` and at last `{"extraction": ...}` or `{"refused": ...}`, each
with the order's number and with `"worn"`: whether the process had better be replaced. Their schema:
`documents.process.Answer`.
"""

import json
import os
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel, ConfigDict

from documents.confinement import MB, address_space, confine, limit_cpu
from documents.extraction import extract
from documents.refusals import out_of_memory, unreadable
from models.documents import ChunkOptions, DocumentRefused, ReadingLimits
from models.images import ImageLimits, PixelSpec

#: So many times at most the progress through a document is told.
PROGRESS_LINES = 100
PAGES_BETWEEN = 10
#: A process that keeps this share of what a document may take leaves too little to the next. Its
#: parsers and a tokenizer are 80 to 150 MB of address space; a smaller share would be theirs.
WORN_SHARE = 2

Tell = Callable[[bytes], None]


class Order(BaseModel):
    """A document to read; its bytes follow the line."""

    model_config = ConfigDict(frozen=True)

    number: int
    """Comes back in its last answer."""
    size: int
    ending: str
    """Of the file's name, as `md`: the name itself stays with the parent."""
    tokenizer: Path | None
    options: ChunkOptions
    image: PixelSpec | None = None
    """How an image is to be made; None: it is a document."""


def main() -> None:
    """Serve until standard input ends."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints is no answer
    orders = sys.stdin.buffer
    limits = ReadingLimits.model_validate_json(orders.readline())
    confine(limits.memory_mb)
    at_first = address_space()

    def tell(line: bytes) -> None:
        _write_all(out, line + b"\n")

    tell(b'{"ready": true}')
    while line := orders.readline():
        limit_cpu(limits.timeout_s)
        order = Order.model_validate_json(line)
        content = _content(orders, order.size)
        if content is None:
            tell(_last(order, _out_of_memory(limits), worn=True))
            return  # what comes next is the document, and no order
        answer = _answered(order, content, limits, tell)
        worn = address_space() - at_first > limits.memory_mb * MB // WORN_SHARE
        tell(_last(order, answer, worn=worn))
        del answer, content  # or they take their room from the next document


def _last(order: Order, answer: bytes, *, worn: bool) -> bytes:
    return b'{%s, "number": %d, "worn": %s}' % (answer, order.number, b"true" if worn else b"false")


def _content(orders: BinaryIO, size: int) -> bytes | None:
    """A document's bytes; None where there is no room for them, so that they were not read."""
    try:
        content = orders.read(size)
    except MemoryError:
        return None
    if len(content) < size:
        sys.exit("standard input ended within a document")
    return content


def _answered(order: Order, content: bytes, limits: ReadingLimits, tell: Tell) -> bytes:
    """Read one document; what becomes of it, as members of a JSON object."""
    try:
        if order.image is not None:
            return _picture(content, order.image, limits)
        extraction = extract(
            content,
            order.ending,
            tokenizer=order.tokenizer,
            options=order.options,
            limits=limits,
            progress=_progress(tell),
        )
        return b'"extraction": ' + extraction.model_dump_json().encode()
    except DocumentRefused as refusal:
        return _refused(refusal)
    except MemoryError:
        return _out_of_memory(limits)
    except BaseException as error:  # noqa: BLE001  (a parser raises what it likes, Rust's a panic)
        return _refused(unreadable(f"its parser failed ({type(error).__name__})"))


def _picture(content: bytes, spec: PixelSpec, limits: ReadingLimits) -> bytes:
    """The pixels of an image."""
    from documents.images import prepared  # noqa: PLC0415  # only who reads images pays for Pillow

    most = ImageLimits(max_bytes=len(content) + 1, max_pixels=limits.max_image_pixels)
    pixels = prepared(content, spec, most)
    told = {
        "height": pixels.height,
        "width": pixels.width,
        "data": b64encode(pixels.data).decode("ascii"),
    }
    return b'"picture": ' + json.dumps(told).encode()


def _progress(tell: Tell) -> Callable[[int, int | None], None]:
    def told(done: int, total: int | None) -> None:
        step = max(PAGES_BETWEEN, (total or 0) // PROGRESS_LINES)
        if done % step == 0:
            tell(json.dumps({"pages_done": done, "pages": total}).encode())

    return told


def _out_of_memory(limits: ReadingLimits) -> bytes:
    return b'"out_of_memory": true, ' + _refused(out_of_memory(limits.memory_mb))


def _refused(refusal: DocumentRefused) -> bytes:
    told: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    return b'"refused": ' + json.dumps(told).encode()


def _write_all(out: BinaryIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[out.write(rest) :]


if __name__ == "__main__":
    main()
