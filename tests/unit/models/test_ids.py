"""Names that must never change: an id made by an old version is found by every later one."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.ids import (
    NAMESPACE,
    TASK_ID_PATTERN,
    item_identity,
    item_key,
    object_id,
    task_id_for_key,
    task_id_for_source,
    unit_id,
)


def test_the_names_of_the_world_are_pinned() -> None:
    assert UUID("8d0f6f52-6b1e-5c0e-9a53-2f1f1a8f7c11") == NAMESPACE
    assert task_id_for_key("default", "order-17") == "98d49e4f-5498-52bc-a46b-011c379fb94d"
    assert task_id_for_source("vectorize.tasks", 3, 42) == "ad6993f1-4112-5174-97d6-278109f079d7"
    stored = object_id("default", "AllMiniLML6V2", "own/doc-1", 0, fingerprint="0123456789ab")
    assert stored == UUID("96c7c507-c7be-585e-a26c-c0bce4915ece")


def test_a_unit_is_named_by_its_task_and_number() -> None:
    assert unit_id("t", 7) == "t/7"


def test_an_item_is_named_by_its_own_id_or_by_its_place() -> None:
    assert item_key("t", 3, None) == "t/3"
    assert item_key("t", 3, "mine") == "mine"


def test_an_own_id_cannot_take_the_place_of_another_tasks_item() -> None:
    assert item_identity("t", 3, None) != item_identity("x", 0, "t/3")
    assert item_identity("t", 3, None) != item_identity("x", 0, "task/t/3")


def test_an_own_id_is_the_same_item_whatever_task_brings_it() -> None:
    assert item_identity("t", 3, "mine") == item_identity("u", 0, "mine")


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_two_keys_are_one_task_only_if_tenant_and_key_agree(
    one: tuple[str, str], two: tuple[str, str]
) -> None:
    plain = [(tenant.replace("\x00", ""), key) for tenant, key in (one, two)]
    same = task_id_for_key(*plain[0]) == task_id_for_key(*plain[1])
    assert same == (plain[0] == plain[1])


def test_every_part_of_an_object_counts() -> None:
    parts = {"tenant": "a", "collection": "C", "item": "i", "chunk": 0, "fingerprint": "f"}
    changed = [parts | {name: f"{value}1"} for name, value in parts.items() if name != "chunk"]
    named = [object_id(**each) for each in [parts, *changed, parts | {"chunk": 1}]]  # type: ignore[arg-type]
    assert len(set(named)) == len(named)


@pytest.mark.parametrize("good", ["a", "9", "order-17", "a.b:c_d-e", "x" * 128])
def test_an_id_a_client_may_choose(good: str) -> None:
    assert TASK_ID_PATTERN.fullmatch(good)


@pytest.mark.parametrize("bad", ["", "-a", ".", "..", "a/b", "a b", "ä", "a\n", "a\x00", "x" * 129])
def test_an_id_a_client_may_not_choose(bad: str) -> None:
    assert not TASK_ID_PATTERN.fullmatch(bad)
