"""Sets of small numbers as integers, and as hex in JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from models.bitmap import Bitmap, bitmap_of, contains, members

NUMBERS = st.sets(st.integers(0, 12_000), max_size=50)


class Holder(BaseModel):
    bits: Bitmap = 0


@given(NUMBERS)
def test_members_are_what_the_set_was_made_of_in_rising_order(numbers: set[int]) -> None:
    assert list(members(bitmap_of(numbers))) == sorted(numbers)


@given(NUMBERS, st.integers(0, 12_000))
def test_contains_agrees_with_the_set(numbers: set[int], number: int) -> None:
    assert contains(bitmap_of(numbers), number) == (number in numbers)


@given(NUMBERS)
def test_json_carries_a_bitmap_as_hex_and_back(numbers: set[int]) -> None:
    holder = Holder(bits=bitmap_of(numbers))
    assert Holder.model_validate_json(holder.model_dump_json()) == holder


def test_the_written_form_is_short_hex_that_javascript_cannot_round() -> None:
    assert Holder(bits=bitmap_of([0, 1, 64])).model_dump_json() == '{"bits":"10000000000000003"}'
    assert Holder().model_dump_json() == '{"bits":"0"}'


def test_a_value_that_is_no_hex_is_refused() -> None:
    with pytest.raises(ValidationError):
        Holder.model_validate_json('{"bits":"xyz"}')
