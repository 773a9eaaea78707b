"""Bytes to values and back: JSON records with a version, vectors as raw float32.

A vectors record is `V1` + header length (4 bytes, big endian) + header (JSON) + the matrix
`(n, dim)` as little-endian float32, row by row. 384 floats are 1,536 bytes so and 5–8 KB as JSON.
A file's record is framed alike, with the file's own bytes behind the header.
"""

import struct
from typing import Protocol, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter, ValidationError

from models.errors import NewerRecord
from models.events import EVENT, Event
from models.files import FileOrder
from models.images import CHANNELS, Pixels
from models.tasks import RECORD_VERSION
from models.units import EncodedUnit, Unit

Model = TypeVar("Model", bound=BaseModel)
Matrix = NDArray[np.float32]

_MAGIC = b"V1"
_LENGTH = struct.Struct(">I")
_PREFIX_BYTES = len(_MAGIC) + _LENGTH.size


class BadRecord(Exception):
    """A record that can never be understood: it goes to the dead letters with this reason."""

    def __init__(self, reason: str, detail: str) -> None:
        """Take a stable `reason` code and a `detail` for a person (never the payload)."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def encode(value: BaseModel) -> bytes:
    """Write a record as JSON."""
    return value.model_dump_json(exclude_none=True).encode()


def encode_unit(unit: Unit) -> bytes:
    """Write a unit: as JSON, and where it has images framed, with their pixels behind it."""
    pixels = [item.pixels.data for item in unit.items if item.pixels is not None]
    return _framed(unit, b"".join(pixels)) if pixels else encode(unit)


def decode_unit(raw: bytes | None) -> Unit:
    """Read a record of `vectorize.units.<lane>`; raise BadRecord or NewerRecord."""
    if raw is None or raw[:1] != _MAGIC[:1]:
        plain = _decode(raw, _UNIT)
        if any(item.shape is not None for item in plain.items):
            raise BadRecord("bad_frame", "an image without its pixels")
        return plain
    head, body = _split_frame(raw)
    unit = _decode(head, _UNIT)
    items, at = [], 0
    for item in unit.items:
        size = 0 if item.shape is None else item.shape[0] * item.shape[1] * CHANNELS
        pixels = None if item.shape is None else _pixels(item.shape, body[at : at + size])
        items.append(item.model_copy(update={"pixels": pixels}))
        at += size
    return unit.model_copy(update={"items": items})


def _pixels(shape: tuple[int, int], data: bytes) -> Pixels:
    try:
        return Pixels(*shape, data)
    except ValueError as error:
        raise BadRecord("bad_frame", str(error)) from error


def decode_event(raw: bytes | None) -> Event:
    """Read a record of `vectorize.events`; raise BadRecord or NewerRecord."""
    return _decode(raw, EVENT)


def encode_vectors(header: EncodedUnit, vectors: Matrix) -> bytes:
    """Write a unit's vectors, `(n, dim) float32`, behind their header."""
    return _framed(header, np.ascontiguousarray(vectors, dtype="<f4").tobytes())


def encode_file(order: FileOrder, content: bytes) -> bytes:
    """Write a file behind the order to read it."""
    return _framed(order, content)


def decode_file(raw: bytes | None) -> tuple[FileOrder, bytes]:
    """Read a record of `vectorize.files.<lane>`; raise BadRecord or NewerRecord."""
    head, content = _split_frame(raw)
    return _decode(head, _FILE_ORDER), content


def _framed(header: BaseModel, body: bytes) -> bytes:
    head = encode(header)
    return b"".join((_MAGIC, _LENGTH.pack(len(head)), head, body))


def decode_vectors(raw: bytes | None) -> tuple[EncodedUnit, Matrix]:
    """Read a record of `vectorize.vectors.<lane>`; raise BadRecord or NewerRecord."""
    head, body = _split_frame(raw)
    header = _decode(head, _ENCODED_UNIT)
    count = len(header.unit.items)
    if len(header.outcomes) != count or len(body) != count * header.dimension * 4:
        raise BadRecord("bad_frame", "vectors, outcomes and items are not equally many")
    return header, np.frombuffer(body, dtype="<f4").reshape(count, header.dimension)


def _split_frame(raw: bytes | None) -> tuple[bytes, bytes]:
    if raw is None or raw[:1] != _MAGIC[:1] or len(raw) < _PREFIX_BYTES:
        raise BadRecord("bad_frame", "not a framed record")
    if raw[:2] != _MAGIC:
        _check_frame_version(raw[1:2])
    (length,) = _LENGTH.unpack_from(raw, len(_MAGIC))
    return raw[_PREFIX_BYTES : _PREFIX_BYTES + length], raw[_PREFIX_BYTES + length :]


def _check_frame_version(mark: bytes) -> None:
    if mark.isdigit() and int(mark) > RECORD_VERSION:
        raise NewerRecord(given=int(mark), known=RECORD_VERSION)
    raise BadRecord("bad_frame", "not a framed record")


class _Versioned(Protocol):
    @property
    def v(self) -> int: ...


_Value = TypeVar("_Value", bound=_Versioned)


def _decode(raw: bytes | None, adapter: TypeAdapter[_Value]) -> _Value:
    if raw is None:
        raise BadRecord("empty_record", "the record has no value")
    try:
        value = adapter.validate_json(raw)
    except ValidationError as error:
        check_version(raw)
        raise BadRecord("bad_record", describe(error)) from error
    if value.v > RECORD_VERSION:
        raise NewerRecord(given=value.v, known=RECORD_VERSION)
    return value


def check_version(raw: bytes) -> None:
    """Raise NewerRecord where an unreadable record says it is newer than this code."""
    try:
        version = orjson.loads(raw).get("v", RECORD_VERSION)
    except (orjson.JSONDecodeError, AttributeError):
        return
    if isinstance(version, int) and version > RECORD_VERSION:
        raise NewerRecord(given=version, known=RECORD_VERSION)


def describe(error: ValidationError) -> str:
    """Say in one line what a validation found first, without the value."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "record"
    return f"{where}: {first['msg']}"


_UNIT: TypeAdapter[Unit] = TypeAdapter(Unit)
_FILE_ORDER: TypeAdapter[FileOrder] = TypeAdapter(FileOrder)
_ENCODED_UNIT: TypeAdapter[EncodedUnit] = TypeAdapter(EncodedUnit)
