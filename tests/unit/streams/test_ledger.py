"""The books of a partition against a naive model: nothing unfinished is ever committable."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.ledger import Arrival, OffsetLedger

START = 100


class LedgerAgainstModel(RuleBasedStateMachine):
    """The model keeps every offset's fate in a plain dict."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = OffsetLedger(START)
        self.fate: dict[int, str] = {}
        self.committed = START

    @property
    def due(self) -> int:
        return START + len(self.fate)

    @property
    def unfinished(self) -> list[int]:
        return sorted(offset for offset, fate in self.fate.items() if fate == "in flight")

    @rule()
    def the_due_record_arrives(self) -> None:
        assert self.ledger.judge(self.due) is Arrival.DUE
        self.ledger.deliver(self.due, b"k")
        self.fate[self.due] = "in flight"

    @rule(back=st.integers(1, 30))
    def an_old_record_arrives_again(self, back: int) -> None:
        assert self.ledger.judge(self.due - back) is Arrival.REPEAT

    @rule(size=st.integers(1, 20))
    def a_record_arrives_behind_a_hole_that_holds_nothing(self, size: int) -> None:
        behind = self.due + size
        assert self.ledger.judge(behind) is Arrival.AFTER_A_HOLE
        self.ledger.pass_to(behind)
        self.fate |= dict.fromkeys(range(self.due, behind), "passed")

    @rule(back=st.integers(0, 30))
    def a_stretch_already_seen_is_passed(self, back: int) -> None:
        self.ledger.pass_to(self.due - back)

    @rule(ahead=st.integers(1, 9))
    def a_record_out_of_turn_cannot_be_delivered(self, ahead: int) -> None:
        for wrong in (self.due + ahead, self.due - ahead):
            with pytest.raises(ValueError, match="This is a bug"):
                self.ledger.deliver(wrong, b"k")

    @precondition(lambda self: self.unfinished)
    @rule(data=st.data())
    def some_record_is_finished(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(self.unfinished))
        self.ledger.finish(offset)
        self.fate[offset] = "finished"

    @invariant()
    def what_may_be_committed_is_the_oldest_unfinished_or_the_due(self) -> None:
        assert self.ledger.committable == min([*self.unfinished, self.due])

    @invariant()
    def the_commit_never_goes_back(self) -> None:
        assert self.ledger.committable >= self.committed
        self.committed = self.ledger.committable

    @invariant()
    def in_flight_is_what_lies_above_the_commit(self) -> None:
        delivered = [offset for offset, fate in self.fate.items() if fate != "passed"]
        above = [offset for offset in delivered if offset >= self.ledger.committable]
        assert self.ledger.in_flight == len(above)
        assert self.ledger.due == self.due


TestLedgerAgainstModel = LedgerAgainstModel.TestCase


def test_books_hold_nothing_of_what_is_finished() -> None:
    ledger = OffsetLedger(0)
    for offset in range(100):
        ledger.deliver(offset, b"k")
    for offset in reversed(range(100)):
        ledger.finish(offset)
    assert ledger.committable == 100
    assert ledger.in_flight == 0
    assert not ledger._finished


def test_what_is_done_of_a_key_does_not_wait_for_what_lies_before_it() -> None:
    ledger = OffsetLedger(3)
    for offset, key in enumerate((b"a", b"b", b"a"), start=3):
        ledger.deliver(offset, key)
    ledger.finish(4)
    assert ledger.committable == 3
    assert ledger.is_finished(4)
    assert not ledger.is_finished(3)
    assert ledger.is_finished_of(b"b", 6)
    assert ledger.is_finished_of(b"c", 6)
    assert not ledger.is_finished_of(b"a", 6)
    ledger.finish(3)
    ledger.finish(5)
    assert ledger.is_finished_of(b"a", 6)


def test_what_was_not_delivered_or_has_no_key_may_be_of_any() -> None:
    ledger = OffsetLedger(0)
    ledger.deliver(0, None)
    assert not ledger.is_finished_of(b"a", 1)
    ledger.finish(0)
    assert ledger.is_finished_of(b"a", 1)
    assert not ledger.is_finished_of(b"a", 2)
    assert not ledger.is_finished(1)
    ledger.pass_to(5)
    assert ledger.is_finished(4)
    assert ledger.is_finished_of(b"a", 5)


def test_what_was_committed_before_is_finished() -> None:
    assert OffsetLedger(7).is_finished(6)
