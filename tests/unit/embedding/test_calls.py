"""The choice of the next call: lanes by rank and age, limits, one model a call."""

from hypothesis import given
from hypothesis import strategies as st

from embedding.calls import BatchOptions, Call, LaneQueues, Request
from embedding.encoder import Encoder
from models.states import Lane
from tests.unit.embedding.fakes import FakeEncoder, hashing_entry

ENTRY = hashing_entry()
ENCODER = FakeEncoder(ENTRY)


def _request(*texts: str, encoder: Encoder = ENCODER) -> Request:
    return Request(ENTRY, encoder, texts, lambda request: None)


def _texts(call: Call | None) -> list[str]:
    assert call is not None
    return [slot.text for slot in call.slots]


def _queues(**options: int) -> LaneQueues:
    return LaneQueues(BatchOptions(**options))


def test_nothing_waiting_gives_no_call() -> None:
    assert _queues().next_call() is None


def test_the_most_urgent_lane_goes_first_and_alone() -> None:
    queues = _queues()
    for lane in reversed(Lane):
        queues.add(lane, _request(lane.value))
    assert _texts(queues.next_call()) == ["high"]
    assert _texts(queues.next_call()) == ["normal", "low"]


def test_waiting_requests_of_one_model_share_a_call() -> None:
    queues, other = _queues(), FakeEncoder(ENTRY)
    queues.add(Lane.NORMAL, _request("a", "b"))
    queues.add(Lane.NORMAL, _request("x", encoder=other))
    queues.add(Lane.NORMAL, _request("c"))
    assert _texts(queues.next_call()) == ["a", "b", "c"]
    assert _texts(queues.next_call()) == ["x"]


def test_a_large_request_is_split_over_several_calls() -> None:
    queues = _queues(batch_texts=2)
    queues.add(Lane.LOW, _request("a", "b", "c"))
    queues.add(Lane.LOW, _request("d"))
    assert _texts(queues.next_call()) == ["a", "b"]
    assert queues.waiting()[Lane.LOW] == 2
    assert _texts(queues.next_call()) == ["c", "d"]
    assert queues.waiting()[Lane.LOW] == 0


def test_a_call_stays_within_its_tokens_unless_one_text_is_larger() -> None:
    queues = _queues(batch_tokens=10)
    queues.add(Lane.LOW, _request("x" * 12, "y" * 12, "z" * 400, "w"))
    assert [_texts(queues.next_call()) for _ in range(3)] == [
        ["x" * 12, "y" * 12],
        ["z" * 400],
        ["w"],
    ]


def test_a_low_request_goes_after_so_many_calls_of_others() -> None:
    queues = _queues(age_after_batches=3)
    queues.add(Lane.LOW, _request("low"))
    seen = []
    for number in range(6):
        queues.add(Lane.HIGH, _request(f"high {number}"))
        seen += _texts(queues.next_call())[:1]
    assert seen == ["high 0", "high 1", "high 2", "low", "high 4", "high 5"]


def test_halves_of_a_failed_call_come_before_the_rest_of_their_lane() -> None:
    queues = _queues(batch_texts=3)
    queues.add(Lane.NORMAL, _request("a", "b", "c", "d"))
    failed = queues.next_call()
    assert failed is not None
    queues.add_halves(failed)
    queues.add(Lane.HIGH, _request("urgent"))
    assert [_texts(queues.next_call()) for _ in range(4)] == [
        ["urgent"],
        ["a"],
        ["b", "c"],
        ["d"],
    ]


def test_texts_of_a_caller_that_left_are_not_tried_again() -> None:
    queues = _queues()
    leaving, staying = _request("a", "b"), _request("c")
    queues.add(Lane.LOW, leaving)
    queues.add(Lane.LOW, staying)
    failed = queues.next_call()
    assert failed is not None
    queues.add_halves(failed)
    queues.remove(Lane.LOW, leaving)
    assert _texts(queues.next_call()) == ["c"]
    assert queues.next_call() is None


@given(
    st.lists(st.tuples(st.sampled_from(Lane), st.integers(1, 9), st.booleans()), max_size=30),
    st.integers(1, 8),
    st.integers(1, 40),
)
def test_every_text_is_in_exactly_one_call_of_its_model(
    wanted: list[tuple[Lane, int, bool]], batch_texts: int, batch_tokens: int
) -> None:
    queues = _queues(batch_texts=batch_texts, batch_tokens=batch_tokens)
    encoders = FakeEncoder(ENTRY), FakeEncoder(ENTRY)
    expected = set()
    for number, (lane, size, second) in enumerate(wanted):
        texts = [f"{int(second)} {number} {at}" for at in range(size)]
        expected |= set(texts)
        queues.add(lane, _request(*texts, encoder=encoders[second]))
    seen: list[str] = []
    while (call := queues.next_call()) is not None:
        assert {slot.request.encoder for slot in call.slots} == {call.encoder}
        assert len(call.slots) <= batch_texts
        seen += _texts(call)
    assert len(seen) == len(expected)
    assert set(seen) == expected
