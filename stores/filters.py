"""Equality filters: how metadata becomes tags, and what a search's `where` asks of them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from models.errors import InvalidRequest

#: Longer values stand in a tag as their hash: an index key must stay small.
LONGEST_PLAIN_VALUE = 200  # characters
#: Filters on the object itself; every other name is a key of its metadata.
OWN_PROPERTIES = ("task", "item", "document_id")


@dataclass(frozen=True, slots=True)
class Condition:
    """One property must have (a text) or contain (a list) any of these values."""

    prop: str
    any_of: tuple[str, ...]

    def holds(self, values: frozenset[str]) -> bool:
        """Tell whether an object with these `values` in the property passes."""
        return not values.isdisjoint(self.any_of)


def tags_of(metadata: Mapping[str, JsonValue]) -> list[str]:
    """Write each scalar of `metadata`, those in lists too, as `key=value`; deeper ones not."""
    return sorted({tag for key, value in metadata.items() for tag in _tags(key, value)})


def conditions_of(where: Mapping[str, JsonValue]) -> list[Condition]:
    """Read equality filters, all of which must hold; raise InvalidRequest for anything else."""
    return [_condition(key, value) for key, value in where.items()]


def _condition(key: str, value: JsonValue) -> Condition:
    wanted = _listed(value)
    if not wanted or not all(_is_scalar(one) for one in wanted):
        reason = "a filter is a scalar or a list of at least one scalar"
        raise InvalidRequest(field=f"filter.{key}", reason=reason)
    if key in OWN_PROPERTIES:
        return Condition(key, tuple(_plain(one) for one in wanted))
    return Condition("tags", tuple(_tags(key, value)))


def _tags(key: str, value: JsonValue) -> list[str]:
    return [f"{key}={_short(_plain(one))}" for one in _listed(value) if _is_scalar(one)]


def _listed(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [value]


def _is_scalar(value: JsonValue) -> bool:
    return value is None or isinstance(value, str | int | float)


def _plain(value: JsonValue) -> str:
    """Write a scalar; 1, 1.0 and "1" are the same, for filters often come as text."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _short(text: str) -> str:
    if len(text) <= LONGEST_PLAIN_VALUE:
        return text
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
