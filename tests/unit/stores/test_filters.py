import pytest
from pydantic import JsonValue

from models.errors import InvalidRequest
from stores.filters import LONGEST_PLAIN_VALUE, Condition, conditions_of, tags_of


def test_scalars_become_tags_and_deeper_values_do_not() -> None:
    metadata = {"a": "x", "b": 1, "c": True, "d": None, "e": ["p", 2], "f": {"g": 1}}
    assert tags_of(metadata) == ["a=x", "b=1", "c=true", "d=null", "e=2", "e=p"]


def test_numbers_match_however_they_are_written() -> None:
    assert tags_of({"n": 1}) == tags_of({"n": 1.0}) == tags_of({"n": "1"})


def test_a_long_value_stands_as_its_hash_and_is_still_found() -> None:
    long = "x" * (LONGEST_PLAIN_VALUE + 1)
    (tag,) = tags_of({"k": long})
    assert len(tag) < LONGEST_PLAIN_VALUE
    (condition,) = conditions_of({"k": long})
    assert condition.holds(frozenset({tag}))


def test_task_and_item_are_the_objects_own_and_all_else_is_metadata() -> None:
    assert conditions_of({"task": "t", "item": ["a", "b"], "lang": ["en", "de"]}) == [
        Condition("task", ("t",)),
        Condition("item", ("a", "b")),
        Condition("tags", ("lang=en", "lang=de")),
    ]


@pytest.mark.parametrize("value", [{}, [], [[1]], {"a": 1}, [{"a": 1}]])
def test_a_filter_that_is_no_scalar_is_refused_by_its_name(value: JsonValue) -> None:
    with pytest.raises(InvalidRequest, match=r"filter\.lang"):
        conditions_of({"lang": value})
