"""Bytes to values and back; whatever comes, it is a value, a bad record or a newer one."""

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.documents import ChunkOptions
from models.encoding import EncodeOptions, Encoding, Truncate
from models.errors import NewerRecord
from models.events import Event
from models.files import file_of
from models.images import Pixels
from models.units import Cut, DocumentFacts, EncodedUnit, ItemOutcome, ReplyAddress, UnitItem
from streams.codec import (
    BadRecord,
    Matrix,
    decode_event,
    decode_file,
    decode_unit,
    decode_vectors,
    encode,
    encode_file,
    encode_unit,
    encode_vectors,
)
from tests.unit.models.making import (
    accepted,
    cancel,
    deadline,
    extracted,
    failure,
    pages,
    resent,
    retention,
    started,
    swept,
    unit,
    unit_done,
)

OPTIONS = EncodeOptions(prompt="é: ", dimensions=2, normalize=False, truncate=Truncate.ERROR)
EVENTS = [
    extracted(failed=(1,)),
    pages(3),
    accepted(rejected=[failure(1)], metadata={"a": [None, 1.5]}),
    accepted(options=OPTIONS, input_type="", encoding=Encoding.BASE64),
    unit_done(computed=1, deduplicated=2, cached=3),
    started(),
    unit_done(failed=(1,)),
    cancel(),
    deadline(),
    resent(),
    swept(5),
    retention(),
]


def header(count: int = 2, dimension: int = 3) -> EncodedUnit:
    return EncodedUnit(
        unit=unit(*(f"text {number}" for number in range(count))).model_copy(
            update={} if count else {"items": []}
        ),
        outcomes=[
            ItemOutcome(tokens=number, truncated=bool(number % 2)) for number in range(count)
        ],
        failures=[failure(9)],
        computed=count,
        cached=1,
        dimension=dimension,
        worker="w",
        queue_ms=1,
        encode_ms=2,
    )


def matrix(count: int = 2, dimension: int = 3) -> Matrix:
    return np.arange(count * dimension, dtype=np.float32).reshape(count, dimension) / 7


FRAME = encode_vectors(header(), matrix())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    assert decode_event(encode(event)) == event


def test_a_unit_comes_back_as_it_was() -> None:
    reply = ReplyAddress(partition=1, correlation_id="c", deadline_ms=5)
    plain = unit("a", "b", metadata={"k": "é\x00"}, options=OPTIONS)
    for each in (plain, unit("a", source=None, reply=reply, options=OPTIONS)):
        assert decode_unit(encode(each)) == each


def without(raw: bytes, *names: str) -> bytes:
    """Write a record as a process did that did not know these fields yet."""
    return orjson.dumps({name: one for name, one in orjson.loads(raw).items() if name not in names})


def test_records_of_before_there_were_options_are_read_as_the_plain_ones() -> None:
    assert decode_unit(without(encode(unit("a")), "options")) == unit("a")
    old = without(encode(accepted()), "options", "input_type", "encoding")
    assert decode_event(old) == accepted()
    old = without(encode(unit_done()), "computed", "deduplicated", "cached")
    assert decode_event(old) == unit_done()


@given(st.integers(0, 5), st.integers(1, 6))
def test_vectors_come_back_bit_by_bit(count: int, dimension: int) -> None:
    sent = matrix(count, dimension)
    got_header, got = decode_vectors(encode_vectors(header(count, dimension), sent))
    assert got_header == header(count, dimension)
    assert got.dtype == np.float32
    assert got.shape == (count, dimension)
    assert got.tobytes() == sent.tobytes()


@pytest.mark.parametrize("content", [b"", b"V1\x00\x00", bytes(range(256)) * 9])
def test_a_file_comes_back_byte_by_byte_behind_its_order(content: bytes) -> None:
    facts = DocumentFacts(document_id="d", chunks=ChunkOptions(tokens=64, overlap=8))
    cut = Cut(max_text_bytes=9, unit_items=2, unit_bytes=99, max_units=4)
    order = file_of(accepted(document=facts.model_dump(), cut=cut.model_dump()), 5)
    assert decode_file(encode_file(order, content)) == (order, content)


def test_a_unit_of_images_comes_back_with_their_pixels_and_nothing_else_carries_them() -> None:
    pixels = [Pixels(2, 1, bytes(range(6))), Pixels(1, 3, bytes(range(9)))]
    items = [
        UnitItem(index=at, text="", pixels=each, shape=(each.height, each.width))
        for at, each in enumerate(pixels)
    ]
    items.insert(1, UnitItem(index=7, text="a text"))
    made = unit().model_copy(update={"items": items})
    raw = encode_unit(made)
    assert decode_unit(raw) == made
    with pytest.raises(BadRecord, match="an image without its pixels"):
        decode_unit(encode(made))
    with pytest.raises(BadRecord, match="points are 9 bytes"):
        decode_unit(raw[:-1])


def test_a_unit_of_texts_is_plain_json() -> None:
    assert encode_unit(unit()) == encode(unit())


def test_special_floats_and_foreign_layouts_survive() -> None:
    odd = np.array([[np.nan, np.inf, -0.0], [1e-45, 3e38, -1]], dtype=np.float32)
    for sent in (odd, np.asfortranarray(odd), odd.astype(">f4"), odd[::-1][::-1]):
        _, got = decode_vectors(encode_vectors(header(), sent))
        assert got.tobytes() == odd.tobytes()


def test_a_frame_cut_anywhere_is_a_bad_record() -> None:
    for length in range(len(FRAME)):
        with pytest.raises(BadRecord):
            decode_vectors(FRAME[:length])


@pytest.mark.parametrize(
    "raw, reason",
    [
        (None, "bad_frame"),
        (b"", "bad_frame"),
        (b"V1", "bad_frame"),
        (b"XX" + FRAME[2:], "bad_frame"),
        (b"V0" + FRAME[2:], "bad_frame"),
        (b"Vx" + FRAME[2:], "bad_frame"),
        (b'{"v":1}', "bad_frame"),
        (FRAME + b"\x00", "bad_frame"),
        (FRAME + b"\x00" * 12, "bad_frame"),
        (FRAME[:6] + b"!" + FRAME[7:], "bad_record"),
        (b"V1\xff\xff\xff\xff" + FRAME[6:], "bad_record"),
        (encode_vectors(header(3), matrix(2)), "bad_frame"),
        (encode_vectors(header(2, 4), matrix(2, 3)), "bad_frame"),
        (
            encode_vectors(
                header().model_copy(update={"outcomes": [ItemOutcome(tokens=1)]}), matrix()
            ),
            "bad_frame",
        ),
        (
            encode_vectors(header(0).model_copy(update={"dimension": -1}), matrix(0)),
            "bad_record",
        ),
    ],
)
def test_a_corrupt_frame_is_a_bad_record(raw: bytes | None, reason: str) -> None:
    with pytest.raises(BadRecord) as caught:
        decode_vectors(raw)
    assert caught.value.reason == reason


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda tail: FRAME[:6] + tail))
@example(b"V1\x00\x00\x00\x02{}")
def test_any_bytes_are_a_bad_or_a_newer_record(raw: bytes) -> None:
    for decode in (decode_vectors, decode_unit, decode_event):
        with pytest.raises((BadRecord, NewerRecord)):
            decode(raw)


@given(st.integers(6, len(FRAME) - 1), st.integers(0, 255))
def test_a_byte_changed_anywhere_behind_the_magic_raises_nothing_foreign(at: int, to: int) -> None:
    changed = FRAME[:at] + bytes([to]) + FRAME[at + 1 :]
    try:
        decode_vectors(changed)
    except (BadRecord, NewerRecord):
        return


def newer(raw: bytes) -> bytes:
    return orjson.dumps(orjson.loads(raw) | {"v": 2, "new": True})


def test_a_newer_record_is_waited_for_even_where_it_can_be_read() -> None:
    with pytest.raises(NewerRecord):
        decode_unit(newer(encode(unit())))
    for event in EVENTS:
        with pytest.raises(NewerRecord):
            decode_event(newer(encode(event)))
    with pytest.raises(NewerRecord):
        decode_vectors(encode_vectors(header().model_copy(update={"v": 2}), matrix()))


def test_a_newer_record_is_waited_for_where_it_cannot_be_read() -> None:
    for decode in (decode_unit, decode_event):
        with pytest.raises(NewerRecord):
            decode(b'{"v":2,"another":"shape"}')
    with pytest.raises(NewerRecord):
        decode_vectors(b"V2" + FRAME[2:])


@pytest.mark.parametrize("raw", [b"[]", b"1", b'{"v":"x"}', b'{"v":null}', b"{", b'{"v":1}', None])
def test_what_says_no_newer_version_is_a_bad_record(raw: bytes | None) -> None:
    with pytest.raises(BadRecord):
        decode_unit(raw)


def test_a_bad_record_says_where_and_never_shows_the_payload() -> None:
    secret = orjson.dumps(orjson.loads(encode(unit("secret"))) | {"number": "secret"})
    with pytest.raises(BadRecord) as caught:
        decode_unit(secret)
    assert "number" in caught.value.detail
    assert "secret" not in caught.value.detail
