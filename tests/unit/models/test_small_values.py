"""Pages, figures, lanes, times, errors, and units made from events or rows."""

import inspect
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models import errors
from models.clock import iso_time
from models.documents import ChunkOptions
from models.encoding import EncodeOptions
from models.errors import InvalidRequest, LimitExceeded, VectorizeError
from models.fold import fold
from models.metrics import Tally
from models.paging import Cursor, Page, cursor_from, cursor_of, merged_page
from models.states import FINAL, SWEPT, Lane, TaskState, lane_of
from models.unit_making import unit_of
from models.units import DocumentFacts, ImageFacts, Unit, UnitItem
from tests.unit.models.making import DEADLINE_MS, MAX_RUN_MS, NOW_MS, accepted, row, unit

PLACES = st.tuples(st.integers(0, 5), st.text("ab", min_size=1, max_size=3))


@given(st.sets(PLACES, max_size=30), st.integers(1, 4), st.integers(0, 10), st.integers(0, 10))
def test_merged_pages_of_owners_are_the_page_of_all(
    places: set[tuple[int, str]], owners: int, skip: int, limit: int
) -> None:
    newest = [row(submitted_ms=at, task_id=name) for at, name in sorted(places, reverse=True)]
    shares = [newest[number::owners] for number in range(owners)]
    pages = [Page(rows=share[: skip + limit], total=len(share)) for share in shares]
    merged = merged_page(pages, skip=skip, limit=limit)
    assert merged.rows == newest[skip : skip + limit]
    assert merged.total == len(newest)


@given(st.integers(0, 10**14), st.text(st.characters(codec="utf-8"), max_size=20))
def test_a_cursor_comes_back_as_it_was(at: int, name: str) -> None:
    assert cursor_from(Cursor(at, name).text()) == Cursor(at, name)


@pytest.mark.parametrize("text", ["", "x", "%%%", "bm8=", "Og==", "é", "9" * 5000, "_w=="])
def test_a_cursor_of_somebody_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        cursor_from(text)
    assert caught.value.field == "cursor"


def test_a_cursor_stands_right_behind_its_row() -> None:
    assert cursor_of(row(submitted_ms=5, task_id="t")) == (5, "t")


def test_figures_of_owners_add_up_to_the_guides_fields() -> None:
    one = Tally(states={TaskState.COMPLETED: 2, TaskState.FAILED: 1}, completed_ms=3000, vectors=7)
    two = Tally(
        states={
            TaskState.COMPLETED: 1,
            TaskState.EXPIRED: 1,
            TaskState.CANCELLED: 1,
            TaskState.PENDING: 4,
            TaskState.PROCESSING: 5,
        },
        completed_ms=1000,
        vectors=1,
    )
    assert one.merged(two).metrics().model_dump() == {
        "total_tasks": 15,
        "pending_tasks": 4,
        "processing_tasks": 5,
        "completed_tasks": 3,
        "failed_tasks": 2,
        "average_processing_time": 1.333,
        "total_vectors_generated": 8,
    }


def test_no_completed_task_has_no_average() -> None:
    assert Tally().metrics().average_processing_time == 0.0
    assert Tally().merged(Tally()).metrics() == Tally().metrics()


@pytest.mark.parametrize(
    "priority, lane",
    [
        (5, Lane.HIGH),
        (99, Lane.HIGH),
        (4, Lane.NORMAL),
        (1, Lane.NORMAL),
        (0, Lane.LOW),
        (-7, Lane.LOW),
        ("high", Lane.HIGH),
        ("low", Lane.LOW),
    ],
)
def test_a_priority_means_a_lane(priority: int | str, lane: Lane) -> None:
    assert lane_of(priority) is lane


def test_a_task_is_swept_only_in_a_final_state() -> None:
    assert SWEPT < FINAL < set(TaskState)


def test_times_are_shown_in_utc_to_the_millisecond() -> None:
    assert iso_time(NOW_MS + 7) == "2026-07-25T17:20:00.007Z"
    assert iso_time(None) is None


def test_every_error_can_be_told_in_one_sentence() -> None:
    plain = [
        each
        for each in vars(errors).values()
        if inspect.isclass(each)
        and issubclass(each, VectorizeError)
        and each.__init__ is VectorizeError.__init__
    ]
    assert plain
    for error in plain:
        assert "\n" not in error().message
        assert error().message
        assert error("said").message == "said"


def test_every_error_is_drawn_in_the_tree() -> None:
    drawn = errors.__doc__ or ""
    for name, error in vars(errors).items():
        if inspect.isclass(error) and issubclass(error, VectorizeError):
            assert name in drawn


def test_a_limit_names_itself_the_given_value_and_the_setting() -> None:
    error = LimitExceeded(field="data", what="its size", limit=3, given=5, setting="task.x")
    assert error.message == "data: its size is 5, over the limit of 3 (setting task.x)"


FACTS: list[dict[str, Any]] = [
    {},
    {
        "tenant": "acme",
        "traceparent": "00-aa",
        "metadata": {"a": [1]},
        "deadline_ms": DEADLINE_MS,
        "lane": Lane.HIGH,
        "options": EncodeOptions(prompt="p: ", dimensions=2, normalize=False),
    },
]


@pytest.mark.parametrize("facts", FACTS, ids=["plain", "full"])
def test_a_unit_made_from_the_event_equals_one_made_from_the_row(facts: dict[str, Any]) -> None:
    event = accepted(**facts)
    made = fold(None, event, 3, max_run_ms=MAX_RUN_MS).row
    assert made is not None
    items = [UnitItem(index=4, text="t", own_id="x")]
    assert unit_of(event, 1, items, NOW_MS) == unit_of(made, 1, items, NOW_MS)


def test_a_unit_takes_over_every_fact_of_its_task_that_it_has_a_place_for() -> None:
    event = accepted(**FACTS[1])
    made = unit_of(event, 1, [UnitItem(index=0, text="t")], NOW_MS)
    own = {"v", "number", "items", "sent_ms", "reply", "reading"}
    taken = chain.from_iterable([(name, getattr(made, name))] for name in Unit.model_fields)
    assert all(value == getattr(event, name) for name, value in taken if name not in own)
    assert (made.number, made.id) == (1, "task-a/1")


def test_a_unit_does_not_carry_where_its_files_are() -> None:
    """A URL may hold a secret, and 256 of them are two megabytes."""
    facts = DocumentFacts(
        document_id="d", filename="f", blob="blob:x", url="https://x/?key=secret",
        images=[ImageFacts(url="https://x/?key=secret")], chunks=ChunkOptions(tokens=8),
    )  # fmt: skip
    made = unit_of(accepted(document=facts.model_dump()), 0, [], NOW_MS)
    assert made.document is not None
    assert (made.document.document_id, made.document.filename) == ("d", "f")
    assert "secret" not in made.model_dump_json()


def test_a_unit_of_nobody_is_no_unit() -> None:
    with pytest.raises(ValidationError, match="a task's or a waiting caller's"):
        unit(source=None)
