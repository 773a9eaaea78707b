"""Sets of small numbers as one integer: finished units, failed items. JSON carries them as hex."""

from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema


def _from_hex(value: object) -> object:
    return int(value, 16) if isinstance(value, str) else value


#: An integer whose bit *n* says that *n* is in the set.
Bitmap = Annotated[
    int,
    BeforeValidator(_from_hex),
    PlainSerializer(lambda bits: format(bits, "x"), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]+$"}),
]


def bitmap_of(numbers: Iterable[int]) -> int:
    """Build the set of `numbers`."""
    bits = 0
    for number in numbers:
        bits |= 1 << number
    return bits


def contains(bits: int, number: int) -> bool:
    """Tell whether `number` is in the set."""
    return bool(bits >> number & 1)


def members(bits: int) -> Iterator[int]:
    """Yield the numbers in the set in rising order."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
