from typing import Any

import numpy as np
import pytest

from models.states import ItemErrorCode
from models.vectors import Space
from stores.admission import rank_of, refusal, winners
from tests.unit.stores.items import stored_item, unit_vector

SPACE = Space(tenant="default", collection="Books", fingerprint="f1")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"vector": unit_vector(0, 4)}, id="a vector of another length"),
        pytest.param({"vector": np.full(8, np.nan, np.float32)}, id="a vector with NaN"),
        pytest.param({"vector": np.full(8, np.inf, np.float32)}, id="a vector with infinity"),
        pytest.param({"vector": np.ones((2, 4), np.float32)}, id="a vector of two axes"),
        pytest.param({"text": "\ud800"}, id="a lone surrogate in the text"),
        pytest.param({"own_id": "\ud800"}, id="a lone surrogate in the item id"),
        pytest.param({"note": "\ud800"}, id="a lone surrogate in the metadata"),
    ],
)
def test_what_would_harm_the_store_is_refused_before_it_gets_there(changes: dict[str, Any]) -> None:
    if "own_id" in changes:  # such an id has no uuid5: look at the text fault alone
        item = stored_item(space=SPACE)
        object.__setattr__(item, "item", changes["own_id"])
    else:
        item = stored_item(space=SPACE, **changes)
    failure = refusal(item)
    assert failure is not None
    assert failure.code is ItemErrorCode.STORE_REFUSED
    assert failure.index == 0


@pytest.mark.parametrize("text", ["", "\x00\x07", "\ud7ff\U0001f600", "x" * 262_144])
def test_odd_texts_are_welcome(text: str) -> None:
    assert refusal(stored_item(space=SPACE, text=text)) is None


def test_the_later_submitted_task_wins_and_a_tie_goes_to_the_greater_id() -> None:
    early = stored_item("z", space=SPACE, own_id="x", submitted_ms=1)
    late = stored_item("a", space=SPACE, own_id="x", submitted_ms=2)
    late_too = stored_item("b", space=SPACE, own_id="x", submitted_ms=2)
    assert rank_of(early) < rank_of(late) < rank_of(late_too)


def test_of_items_with_one_place_only_the_winner_is_written() -> None:
    late = stored_item("a", 1, space=SPACE, own_id="x", submitted_ms=2)
    early = stored_item("b", 0, space=SPACE, own_id="x", submitted_ms=1)
    other = stored_item("b", 2, space=SPACE)
    assert winners({0: late, 1: early, 2: other}) == {0: late, 2: other}


def test_a_repeated_item_is_written_once() -> None:
    item = stored_item(space=SPACE)
    assert list(winners({0: item, 1: item})) == [1]
