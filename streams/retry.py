"""What to do with a record whose handling raised: a pure decision the delivery layer obeys."""

from dataclasses import dataclass
from enum import Enum, auto

from models.errors import NewerRecord, Unavailable
from streams.codec import BadRecord

#: Past this the wait is at its longest anyway; an outage of hours must not overflow a float.
MOST_DOUBLINGS = 30


class Action(Enum):
    """What becomes of the record."""

    RETRY = auto()
    """Wait and handle it again; its partition's commit waits with it."""
    POISON = auto()
    """Give it to the stage's own last resort, then go on."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently a record is tried again."""

    first_wait_s: float = 0.2
    longest_wait_s: float = 5.0
    newer_record_wait_s: float = 30.0
    jitter: float = 0.25
    """Share of a wait that chance may add, so that those who failed together come apart."""
    attempts: int = 3
    """Tries for an error that is not an outage, before the record counts as poison."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The action, and for a retry the wait before it."""

    action: Action
    wait_s: float = 0.0


def decide_retry(
    error: Exception, attempt: int, policy: RetryPolicy, *, chance: float = 0.0
) -> Decision:
    """Decide about a record that failed for the `attempt`-th time (from 1).

    `chance` in 0..1 picks the jitter.

    An outage is waited out for as long as it takes: it says nothing about the record.
    """
    doublings = min(attempt - 1, MOST_DOUBLINGS)
    wait_s = min(policy.longest_wait_s, policy.first_wait_s * 2**doublings)
    wait_s *= 1 + policy.jitter * chance
    if isinstance(error, BadRecord):
        return Decision(Action.POISON)
    if isinstance(error, NewerRecord):
        return Decision(Action.RETRY, policy.newer_record_wait_s)
    if isinstance(error, Unavailable) or attempt < policy.attempts:
        return Decision(Action.RETRY, wait_s)
    return Decision(Action.POISON)
