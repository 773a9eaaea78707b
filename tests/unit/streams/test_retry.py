"""What becomes of a record that failed, as a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import (
    BrokerUnavailable,
    NewerRecord,
    OwnerUnavailable,
    VectorStoreUnavailable,
)
from streams.codec import BadRecord
from streams.retry import Action, Decision, RetryPolicy, decide_retry

POLICY = RetryPolicy(first_wait_s=0.2, longest_wait_s=5.0, newer_record_wait_s=30.0, attempts=3)


def retry(wait_s: float) -> Decision:
    return Decision(Action.RETRY, wait_s)


@pytest.mark.parametrize(
    "error, attempt, decision",
    [
        (BadRecord("bad", "x"), 1, Decision(Action.POISON)),
        (NewerRecord(given=2, known=1), 1, retry(30.0)),
        (NewerRecord(given=2, known=1), 999_999, retry(30.0)),
        (BrokerUnavailable(), 1, retry(0.2)),
        (VectorStoreUnavailable(), 2, retry(0.4)),
        (OwnerUnavailable(), 5, retry(3.2)),
        (BrokerUnavailable(), 6, retry(5.0)),
        (ValueError(), 1, retry(0.2)),
        (ValueError(), 2, retry(0.4)),
        (ValueError(), 3, Decision(Action.POISON)),
        (TimeoutError(), 3, Decision(Action.POISON)),
    ],
)
def test_the_decisions(error: Exception, attempt: int, decision: Decision) -> None:
    assert decide_retry(error, attempt, POLICY) == decision


@pytest.mark.parametrize("attempt", [1_024, 2_000, 10**9])
def test_an_outage_of_days_is_still_waited_out(attempt: int) -> None:
    assert decide_retry(BrokerUnavailable(), attempt, POLICY) == retry(5.0)


@given(st.integers(1, 5000))
def test_waits_never_shrink_and_never_pass_the_longest(attempt: int) -> None:
    now = decide_retry(BrokerUnavailable(), attempt, POLICY).wait_s
    after = decide_retry(BrokerUnavailable(), attempt + 1, POLICY).wait_s
    assert 0 < now <= after <= POLICY.longest_wait_s
