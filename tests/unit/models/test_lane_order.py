"""Which lane is served next."""

from hypothesis import given
from hypothesis import strategies as st

from models.lane_order import LaneOrder
from models.states import Lane


def test_the_most_urgent_that_waits_is_served() -> None:
    order = LaneOrder()
    assert order.choose([Lane.LOW, Lane.NORMAL, Lane.HIGH]) is Lane.HIGH
    assert order.choose([Lane.LOW, Lane.NORMAL]) is Lane.NORMAL
    assert order.choose([]) is None


def test_a_lane_that_was_passed_over_long_enough_goes_first_once() -> None:
    order = LaneOrder(age_after_turns=3)
    served = []
    for _ in range(9):
        lane = order.choose([Lane.HIGH, Lane.LOW])
        assert lane is not None
        served.append(lane)
        order.note(lane, [Lane.HIGH, Lane.LOW])
    assert served == ([Lane.HIGH] * 3 + [Lane.LOW]) * 2 + [Lane.HIGH]


def test_a_lane_that_did_not_wait_has_nothing_to_claim() -> None:
    order = LaneOrder(age_after_turns=2)
    for _ in range(5):
        order.note(Lane.HIGH, [Lane.HIGH])
    assert order.choose([Lane.HIGH, Lane.LOW]) is Lane.HIGH


@given(st.lists(st.sets(st.sampled_from(list(Lane))), max_size=60))
def test_no_lane_waits_for_more_turns_than_both_others_age(steps: list[set[Lane]]) -> None:
    order, passed = LaneOrder(age_after_turns=4), dict.fromkeys(Lane, 0)
    for waiting in steps:
        lane = order.choose(waiting)
        assert (lane is None) == (not waiting)
        if lane is None:
            continue
        order.note(lane, waiting)
        for each in Lane:
            passed[each] = passed[each] + 1 if each in waiting and each is not lane else 0
        assert max(passed.values()) <= 4 + 2
