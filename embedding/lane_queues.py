"""Which waiting texts go into the next model call. Decides; model threads wait for it here.

Texts of a lane are taken in windows: the oldest so many are sorted by length and cut into calls,
which then run one by one; while a window is not full, what arrives joins it and it is cut anew. A
text waits for its own window and those before it, never for later ones. At each boundary between
two calls the most urgent lane goes first.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition

from embedding.batching import BatchOptions, plan_batches
from embedding.encoder import Tokenized
from embedding.jobs import Call, Job, Model, Request, Taker
from models.lane_order import LaneOrder
from models.states import Lane

RANK = {lane: rank for rank, lane in enumerate(Lane)}


@dataclass(slots=True)
class _Queue:
    """One lane: texts in order of arrival, and the calls that the oldest were planned into."""

    arrived: deque[Job] = field(default_factory=deque)
    planned: deque[Call] = field(default_factory=deque)
    halves: deque[Call] = field(default_factory=deque)
    room: int = 0  # so many texts more may join the window that `planned` came from

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self.arrived or self.planned or self.halves)

    def __len__(self) -> int:
        """How many texts wait."""
        return len(self.arrived) + sum(len(call.jobs) for call in (*self.planned, *self.halves))


class LaneQueues:
    """Texts by lane. Filled from the event loop, emptied by model threads."""

    def __init__(self, options: BatchOptions, budget_of: Callable[[Model], int]) -> None:
        """`budget_of` gives the tokens one call of a model may hold."""
        self._options = options
        self._budget_of = budget_of
        self._queues = {lane: _Queue() for lane in Lane}
        self._order = LaneOrder(options.age_after_batches)
        self._open: dict[tuple[int, bytes], Job] = {}
        self._changed = Condition()
        self._closed = False

    def add(self, lane: Lane, model: Model, texts: Sequence[Tokenized], request: Request) -> None:
        """Let the texts of `request` wait.

        A text that waits or runs already, in this lane or a more urgent one, is not run again.
        """
        with self._changed:
            for index, tokenized in enumerate(texts):
                self._add_one(Job(model, tokenized, lane), Taker(request, index))
            self._changed.notify_all()

    def _add_one(self, job: Job, taker: Taker) -> None:
        standing = self._open.get(job.key)
        if standing is not None and RANK[standing.lane] <= RANK[job.lane]:
            standing.takers.append(taker)
            return
        job.takers.append(taker)
        self._open[job.key] = job
        self._queues[job.lane].arrived.append(job)

    def add_halves(self, call: Call) -> None:
        """Let a failed call of two texts or more wait again in two parts, before all others."""
        with self._changed:
            self._queues[call.lane].halves.extendleft(reversed(call.halves()))
            self._changed.notify_all()

    def finish(self, call: Call) -> list[list[Taker]]:
        """Take the texts of a call off the books: who wants each of them."""
        with self._changed:
            return [self._finish_one(job) for job in call.jobs]

    def _finish_one(self, job: Job) -> list[Taker]:
        if self._open.get(job.key) is job:
            del self._open[job.key]
        return job.takers

    def waiting(self) -> dict[Lane, int]:
        """Texts of each lane that no call has taken yet."""
        with self._changed:
            return {lane: len(queue) for lane, queue in self._queues.items()}

    def close(self) -> None:
        """Give out no more calls; who waits for one gets None."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_next_call(self) -> Call | None:
        """Block until there is a call to make; None: closed. For model threads."""
        with self._changed:
            while not self._closed:
                if (call := self._next_call()) is not None:
                    return call
                self._changed.wait()
            return None

    def _next_call(self) -> Call | None:
        """Take the next call out of the lanes; None: nothing waits."""
        while (lane := self._order.choose(self._in_waiting())) is not None:
            call = self._without_unwanted(self._taken_from(lane, self._queues[lane]))
            if call.jobs:
                self._order.note(lane, self._in_waiting())
                return call
        return None

    def _in_waiting(self) -> list[Lane]:
        return [lane for lane, queue in self._queues.items() if queue]

    def _taken_from(self, lane: Lane, queue: _Queue) -> Call:
        """Take the next call of a lane in which something waits."""
        if queue.halves:
            return queue.halves.popleft()
        if not queue.planned:
            queue.room = self._options.window_texts
        if queue.arrived and queue.room:
            self._plan(lane, queue)
        return queue.planned.popleft()

    def _plan(self, lane: Lane, queue: _Queue) -> None:
        """Let the oldest texts of one model join the window, sort it by length, cut it anew."""
        window = [job for call in queue.planned for job in call.jobs]
        model = (window or queue.arrived)[0].model
        joining = _taken(queue.arrived, model, queue.room)
        if not joining:
            return
        queue.room -= len(joining)
        window += joining
        batches = plan_batches(
            [job.tokenized.length for job in window],
            max_items=self._options.batch_texts,
            max_tokens=self._budget_of(model),
        )
        queue.planned = deque(Call(lane, [window[at] for at in batch]) for batch in batches)

    def _without_unwanted(self, call: Call) -> Call:
        for job in call.jobs:
            if not job.wanted:
                self._finish_one(job)
        return call.still_wanted()


def _taken(arrived: deque[Job], model: Model, most: int) -> list[Job]:
    """Take the first texts of `model` out of a lane; others keep their place."""
    found: list[Job] = []
    others: list[Job] = []
    while arrived and len(found) < most:
        job = arrived.popleft()
        (found if job.model is model else others).append(job)
    arrived.extendleft(reversed(others))
    return found
