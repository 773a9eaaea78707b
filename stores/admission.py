"""What may be stored at all, and which of two writers of one place wins. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import orjson

from models.states import ItemErrorCode
from models.units import ItemFailure
from models.vectors import StoredItem

LONGEST_REASON = 300  # characters


class Rank(NamedTuple):
    """Who wins a place: the task submitted later; ties go to the greater id, then index."""

    submitted_ms: int
    task_id: str
    item_index: int


def rank_of(item: StoredItem) -> Rank:
    """Rank one item among all writers of its place."""
    return Rank(item.submitted_ms, item.task_id, item.index)


def winners(items: Mapping[int, StoredItem]) -> dict[int, StoredItem]:
    """Keep, of items with one place, only the highest ranked; keys are positions in the call."""
    best: dict[object, int] = {}
    for position, item in items.items():
        rival = best.get(item.object_id)
        if rival is None or rank_of(items[rival]) <= rank_of(item):
            best[item.object_id] = position
    return {position: items[position] for position in sorted(best.values())}


def refusal(item: StoredItem) -> ItemFailure | None:
    """Say why `item` must not reach a store, None where it may.

    Weaviate takes NaN and then finds it first in every search, takes the first vector's length
    for the whole index, and its client fails a whole batch over one lone surrogate.
    """
    reason = _vector_fault(item) or _text_fault(item)
    return refused(item, reason) if reason else None


def refused(item: StoredItem, reason: str) -> ItemFailure:
    """Build the outcome of an item that the store does not take."""
    return ItemFailure(
        index=item.index,
        code=ItemErrorCode.STORE_REFUSED,
        message=" ".join(reason.split())[:LONGEST_REASON],
        own_id=item.item if item.own_id else None,
    )


def _vector_fault(item: StoredItem) -> str | None:
    if item.vector.shape != (item.passport.dimension,):
        return f"the vector has shape {item.vector.shape}, not ({item.passport.dimension},)"
    return None if np.isfinite(item.vector).all() else "the vector holds NaN or infinity"


def _text_fault(item: StoredItem) -> str | None:
    try:
        for text in _texts(item):
            text.encode()
        orjson.dumps(item.metadata)
    except (UnicodeEncodeError, orjson.JSONEncodeError):
        return "text, item id or metadata cannot be written as UTF-8"
    return None


def _texts(item: StoredItem) -> Iterable[str]:
    headings = item.place.headings if item.place is not None else ()
    sheet = item.place.sheet if item.place is not None else None
    names = (item.document_id or "", item.filename or "", sheet or "", *headings)
    return (item.text, item.item, item.task_id, *names)
