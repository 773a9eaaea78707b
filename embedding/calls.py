"""Which waiting texts go into the next model call. Decides only; nothing here waits or encodes."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from embedding.catalog import ModelEntry
from embedding.encoder import Encoder, Outcome
from models.states import Lane

CHARS_PER_TOKEN = 4
SPECIAL_TOKENS = 2


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How waiting texts become model calls."""

    batch_texts: int = 64
    """Most texts in one model call."""
    batch_tokens: int = 4096
    """Most estimated tokens in one model call; a longer text is alone. Bounds how long an
    urgent request waits for the call that is running."""
    age_after_batches: int = 8
    """A lane that waited while so many calls went to others is next, whatever its rank."""
    lane_requests: int = 64
    """Most requests a lane holds, waiting or in the running call; further callers block."""


def estimated_tokens(text: str, limit: int) -> int:
    """Guess a text's tokens from its characters; never more than the model's `limit`."""
    return min(len(text) // CHARS_PER_TOKEN + SPECIAL_TOKENS, limit)


class Request:
    """The texts of one caller on their way through one or more calls."""

    def __init__(
        self,
        entry: ModelEntry,
        encoder: Encoder,
        texts: Sequence[str],
        on_done: Callable[["Request"], None],
    ) -> None:
        """Wait with at least one text; `on_done` is told when each has its outcome."""
        self.entry = entry
        self.encoder = encoder
        self.texts = texts
        self.costs = [estimated_tokens(text, entry.max_tokens) for text in texts]
        self.taken = 0  # so many texts, from the first, are in a call or done
        self.abandoned = False  # its caller has left
        self._outcomes: dict[int, Outcome] = {}
        self._on_done = on_done

    def settle(self, index: int, outcome: Outcome) -> None:
        """Note one text's outcome; the last one completes the request."""
        self._outcomes[index] = outcome
        if len(self._outcomes) == len(self.texts):
            self._on_done(self)

    def outcomes(self) -> list[Outcome]:
        """All outcomes in the order of the texts, once each is there."""
        return [self._outcomes[index] for index in range(len(self.texts))]


@dataclass(frozen=True, slots=True)
class Slot:
    """One text of a request, as part of a call."""

    request: Request
    index: int

    @property
    def text(self) -> str:
        """The text itself."""
        return self.request.texts[self.index]


@dataclass(frozen=True, slots=True)
class Call:
    """One model call: texts of one model, at least one."""

    lane: Lane
    slots: list[Slot]

    @property
    def encoder(self) -> Encoder:
        """The model to call."""
        return self.slots[0].request.encoder

    @property
    def entry(self) -> ModelEntry:
        """What the catalog says of that model."""
        return self.slots[0].request.entry

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Give each text its outcome; same order and length as the slots."""
        for slot, outcome in zip(self.slots, outcomes, strict=True):
            slot.request.settle(slot.index, outcome)

    def halves(self) -> tuple["Call", "Call"]:
        """Cut a call of two texts or more in two, the first half first."""
        middle = len(self.slots) // 2
        return Call(self.lane, self.slots[:middle]), Call(self.lane, self.slots[middle:])


@dataclass(slots=True)
class _Queue:
    """One lane: requests in order of arrival, parts of failed calls before them."""

    requests: deque[Request] = field(default_factory=deque)
    again: deque[Call] = field(default_factory=deque)
    passed_over: int = 0

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self.requests or self.again)


class LaneQueues:
    """Three lanes of waiting requests, and the choice of the next call among them."""

    def __init__(self, options: BatchOptions) -> None:
        """Start with empty lanes."""
        self._options = options
        self._queues = {lane: _Queue() for lane in Lane}

    def add(self, lane: Lane, request: Request) -> None:
        """Put a request at the end of its lane."""
        self._queues[lane].requests.append(request)

    def add_halves(self, failed: Call) -> None:
        """Put the halves of a call that raised at the front of its lane."""
        self._queues[failed.lane].again.extendleft(reversed(failed.halves()))

    def remove(self, lane: Lane, request: Request) -> None:
        """Drop a request whose caller has left; texts in the running call stay in it."""
        request.abandoned = True
        queue = self._queues[lane]
        if request in queue.requests:
            queue.requests.remove(request)

    def waiting(self) -> dict[Lane, int]:
        """Requests of each lane with texts that no call has taken yet."""
        return {lane: len(queue.requests) for lane, queue in self._queues.items()}

    def next_call(self) -> Call | None:
        """Take the texts of the next call out of the lanes; None: nothing waits."""
        while (lane := self._choose()) is not None:
            queue = self._queues[lane]
            if not queue.again:
                call = self._gather(lane)
                self._age(call)
                return call
            call = _still_wanted(queue.again.popleft())
            if call.slots:
                self._age(call)
                return call
        return None

    def _choose(self) -> Lane | None:
        """The lane passed over for too long (the longest first), else the most urgent."""
        lanes = [lane for lane in Lane if self._queues[lane]]
        aged = [lane for lane in lanes if self._is_aged(lane)]
        if aged:
            return max(aged, key=lambda lane: self._queues[lane].passed_over)
        return lanes[0] if lanes else None

    def _is_aged(self, lane: Lane) -> bool:
        return self._queues[lane].passed_over >= self._options.age_after_batches

    def _age(self, call: Call) -> None:
        """Count the call against every other lane that waits."""
        for lane, queue in self._queues.items():
            queue.passed_over = queue.passed_over + 1 if queue and lane is not call.lane else 0

    def _gather(self, lane: Lane) -> Call:
        """Fill a call for the model at the head of `lane`, that lane's requests first."""
        basket = _Basket(self._queues[lane].requests[0], self._options)
        for source in _sources(lane):
            basket.fill_from(self._queues[source].requests)
        return Call(lane, basket.slots)


def _sources(lane: Lane) -> list[Lane]:
    """The lanes a call of `lane` is filled from; an urgent one carries nothing but its own."""
    if lane is Lane.HIGH:
        return [lane]
    return [lane, *(other for other in Lane if other is not lane)]


def _still_wanted(call: Call) -> Call:
    """Leave out texts whose callers have left."""
    return Call(call.lane, [slot for slot in call.slots if not slot.request.abandoned])


class _Basket:
    """A call being filled, up to its limits; the first text always fits."""

    def __init__(self, head: Request, options: BatchOptions) -> None:
        """Fill for the model of `head`."""
        self.slots: list[Slot] = []
        self._encoder = head.encoder
        self._texts = options.batch_texts
        self._tokens = options.batch_tokens

    def fill_from(self, requests: deque[Request]) -> None:
        """Take texts of this model in order; requests taken whole leave the lane."""
        for request in [each for each in requests if each.encoder is self._encoder]:
            while request.taken < len(request.texts) and self._fits(request):
                self._take(request)
            if request.taken < len(request.texts):
                return
            requests.remove(request)

    def _fits(self, request: Request) -> bool:
        cost = request.costs[request.taken]
        return not self.slots or (self._texts > 0 and cost <= self._tokens)

    def _take(self, request: Request) -> None:
        self._texts -= 1
        self._tokens -= request.costs[request.taken]
        self.slots.append(Slot(request, request.taken))
        request.taken += 1
