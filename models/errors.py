"""Everything that can go wrong and be told to a person or decided on by a stage.

VectorizeError
├── InvalidRequest           the request names what is wrong with it
│   ├── MalformedJson
│   ├── MalformedMultipart
│   ├── LimitExceeded
│   ├── UnknownModel
│   └── IdempotencyConflict
├── BodyTooLarge
├── BodyTooSlow
├── NotAuthorized
├── TaskNotFound
├── LetterNotFound
├── LetterCut                 it is kept in part only, so it cannot be sent back
├── WrongState               the task is not in a state that allows this
│   ├── TaskFinished
│   ├── TaskUnfinished
│   └── NothingToRetry
├── Unavailable              try again later
│   ├── BrokerUnavailable
│   ├── OwnerUnavailable
│   ├── VectorStoreUnavailable
│   ├── BlobStoreUnavailable
│   └── NoEmbedWorker
├── StartRefused             the process cannot start like this; starting it again changes nothing
├── NewerRecord              written by a newer version of this service
└── HandedBack               work given back unfinished; the next owner does it
"""

from collections.abc import Sequence


class VectorizeError(Exception):
    """Something went wrong in Vectorize."""

    def __init__(self, message: str | None = None) -> None:
        """Take the class's first docstring line where no message is given."""
        super().__init__(message or (type(self).__doc__ or "").splitlines()[0])

    @property
    def message(self) -> str:
        """The sentence for a person."""
        return str(self.args[0])


class InvalidRequest(VectorizeError):
    """The request is not valid."""

    def __init__(
        self,
        *,
        field: str,
        reason: str,
        given: str | float | None = None,
        allowed: Sequence[str | int] | None = None,
    ) -> None:
        """Name the `field`, the `reason` and, where it helps, what was `given` and is `allowed`."""
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.given = given
        self.allowed = None if allowed is None else tuple(allowed)


class MalformedJson(InvalidRequest):
    """The body is not valid JSON."""

    def __init__(self, *, reason: str) -> None:
        """Carry the parser's own `reason`."""
        super().__init__(field="body", reason=f"not valid JSON: {reason}")


class MalformedMultipart(InvalidRequest):
    """The body is not whole, or no multipart/form-data at all."""

    def __init__(self) -> None:
        """Say what is expected: the parser's own words help nobody."""
        super().__init__(
            field="body",
            reason="is no whole multipart/form-data: it ends early, or its parts do not stand "
            "between the boundary that the Content-Type names",
        )


class LimitExceeded(InvalidRequest):
    """A limit was exceeded; the error names it, the given value and the setting."""

    def __init__(self, *, field: str, what: str, limit: int, given: float, setting: str) -> None:
        """Name the `limit` on `what`, the value `given`, and the `setting` that moves it."""
        super().__init__(
            field=field,
            reason=f"{what} is {given}, over the limit of {limit} (setting {setting})",
            given=given,
        )
        self.limit = limit
        self.setting = setting


class UnknownModel(InvalidRequest):
    """The model is not on the allow list."""

    def __init__(self, *, given: str, allowed: Sequence[str]) -> None:
        """List the `allowed` names beside the one `given`."""
        super().__init__(
            field="model_name",
            reason=f"unknown model {given!r}; allowed: {', '.join(allowed)}",
            given=given,
            allowed=allowed,
        )


class IdempotencyConflict(InvalidRequest):
    """The idempotency key or task id was used before with another body."""

    def __init__(self, *, task_id: str) -> None:
        """Name the task that holds the key."""
        super().__init__(
            field="Idempotency-Key",
            reason=f"task {task_id} was submitted under this key or id with another body",
        )
        self.task_id = task_id


class BodyTooLarge(VectorizeError):
    """The body is larger than this service takes."""

    def __init__(self, *, limit: int, given: int | None, setting: str) -> None:
        """Name the `limit` in bytes; `given` is None where the client did not say."""
        told = f"is {given} bytes" if given is not None else "is"
        super().__init__(f"the body {told} over the limit of {limit} bytes (setting {setting})")
        self.limit = limit
        self.given = given
        self.setting = setting


class BodyTooSlow(VectorizeError):
    """The body did not arrive in time; nothing of it was taken."""

    def __init__(self, *, limit_s: float, setting: str) -> None:
        """Name the limit in seconds and the `setting` that moves it."""
        super().__init__(f"the body did not arrive within {limit_s:g} s (setting {setting})")
        self.limit = limit_s
        self.setting = setting


class NotAuthorized(VectorizeError):
    """The API key is missing or wrong: send it as `Authorization: Bearer …` or `X-API-Key`."""


class TaskNotFound(VectorizeError):
    """No such task."""

    def __init__(self, task_id: str) -> None:
        """Name the task asked for."""
        super().__init__(f"no task {task_id}: it never existed or was purged after retention")
        self.task_id = task_id


class LetterNotFound(VectorizeError):
    """No such dead letter."""

    def __init__(self, number: int | str) -> None:
        """Name the number asked for."""
        super().__init__(f"no dead letter {number}: it never existed, or its retention is over")


class LetterCut(VectorizeError):
    """The dead letter cannot be sent back."""

    def __init__(self, number: int) -> None:
        """Name its number."""
        super().__init__(
            f"dead letter {number} is kept in part only, or came from a topic of no stage: "
            "produce the whole record again from where it came"
        )


class WrongState(VectorizeError):
    """The task is not in a state that allows this."""

    def __init__(self, *, task_id: str, state: str, reason: str) -> None:
        """Name the task, its `state`, and why that does not allow what was asked."""
        super().__init__(reason)
        self.task_id = task_id
        self.state = state


class TaskFinished(WrongState):
    """The task has already reached a final state."""

    def __init__(self, *, task_id: str, state: str) -> None:
        """Name the task and the final `state` it is in."""
        super().__init__(task_id=task_id, state=state, reason=f"task {task_id} is already {state}")


class TaskUnfinished(WrongState):
    """The task has not reached a final state yet."""

    def __init__(self, *, task_id: str, state: str) -> None:
        """Name the task and the `state` it is in."""
        super().__init__(
            task_id=task_id, state=state, reason=f"task {task_id} is still {state}; wait or cancel"
        )


class NothingToRetry(WrongState):
    """Every item of the task is stored."""

    def __init__(self, *, task_id: str, state: str) -> None:
        """Name the task and its `state`."""
        super().__init__(
            task_id=task_id, state=state, reason=f"task {task_id} has no item without a vector"
        )


class Unavailable(VectorizeError):
    """A part this request needs is not available now; try again."""

    retry_after_s = 1


class BrokerUnavailable(Unavailable):
    """Kafka did not acknowledge in time; the outcome is unknown, a retry by key is safe."""


class OwnerUnavailable(Unavailable):
    """The master that owns this task is not reachable now (a rebalance or a restart)."""


class VectorStoreUnavailable(Unavailable):
    """Weaviate is not reachable now."""


class BlobStoreUnavailable(Unavailable):
    """The blob store does not answer."""


class NoEmbedWorker(Unavailable):
    """No worker of role embed answers now; search by vector works, search by text does not."""

    retry_after_s = 5


class StartRefused(VectorizeError):
    """The process cannot start with these settings in this place."""


class NewerRecord(VectorizeError):
    """A record was written by a newer version of this service; its partition waits."""

    def __init__(self, *, given: int, known: int) -> None:
        """Name the record's version and the newest one `known` here."""
        super().__init__(f"record version {given} is newer than {known}: update this process")


class HandedBack(VectorizeError):
    """The work was given back unfinished because its partition is leaving."""
