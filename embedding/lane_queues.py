"""Which waiting texts go into the next model call. Decides; model threads wait for it here.

At each boundary between two calls the most urgent lane goes first; of a lane, the text that came
first, with others whose lengths fit. Images wait beside texts, in calls of their own.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from threading import Condition

from embedding.batching import BatchOptions
from embedding.encoder import ModelInput, ReadyImage
from embedding.jobs import Call, Job, Key, Line, Model, Request, Taker
from embedding.window import Window
from models.lane_order import LaneOrder
from models.states import Lane

RANK = {lane: rank for rank, lane in enumerate(Lane)}


@dataclass(slots=True)
class _Queue:
    """One lane: texts by model, images too, and halves of calls that failed."""

    windows: dict[Line, Window] = field(default_factory=dict)
    halves: deque[Call] = field(default_factory=deque)

    def __len__(self) -> int:
        """How many texts wait."""
        return sum(map(len, self.windows.values())) + sum(len(call.jobs) for call in self.halves)

    def add(self, number: int, job: Job) -> None:
        """Let a text wait; numbers ascend."""
        self.windows.setdefault(job.line, Window()).add(number, job)

    def has_work_for(self, encoder: int) -> bool:
        """Whether something waits for a model that has an encoder of this number."""
        lines = (*self.windows, *(call.line for call in self.halves))
        return any(encoder < len(line.model.encoders) for line in lines)

    def take_half(self, encoder: int) -> Call | None:
        """Take the first half of a failed call that this encoder may run."""
        for call in self.halves:
            if encoder < len(call.model.encoders):
                self.halves.remove(call)
                return call
        return None

    def oldest_line(self, encoder: int) -> Line:
        """The line, among those of models with such an encoder, whose text waits longest."""
        lines = [line for line in self.windows if encoder < len(line.model.encoders)]
        return min(lines, key=lambda line: self.windows[line].oldest)

    def take(self, line: Line, *, max_items: int, max_tokens: int) -> list[Job]:
        """Take the next call's texts out of a line's window, which is dropped when empty."""
        window = self.windows[line]
        taken = window.take(max_items=max_items, max_tokens=max_tokens)
        if not window:
            del self.windows[line]
        return taken


class LaneQueues:
    """Texts by lane. Filled from the event loop, emptied by model threads."""

    def __init__(self, options: BatchOptions, budget_of: Callable[[Line], int]) -> None:
        """`budget_of` gives the tokens one call of a line may hold."""
        self._options = options
        self._budget_of = budget_of
        self._queues = {lane: _Queue() for lane in Lane}
        self._order = LaneOrder(options.age_after_batches)
        self._open: dict[Key, Job] = {}
        self._numbers = count()
        self._changed = Condition()
        self._closed = False

    def add(self, lane: Lane, model: Model, texts: Sequence[ModelInput], request: Request) -> None:
        """Let the texts of `request` wait.

        A text that waits or runs already, in this lane or a more urgent one, is not run again.
        """
        of_texts, of_images = Line(model, images=False), Line(model, images=True)
        with self._changed:
            for index, ready in enumerate(texts):
                line = of_images if isinstance(ready, ReadyImage) else of_texts
                self._add_one(Job(line, ready, lane), Taker(request, index, ready.tokens))
            self._changed.notify_all()

    def _add_one(self, job: Job, taker: Taker) -> None:
        standing = self._open.get(job.key)
        if standing is not None and RANK[standing.lane] <= RANK[job.lane]:
            standing.takers.append(taker)
            return
        job.takers.append(taker)
        self._open[job.key] = job
        self._queues[job.lane].add(next(self._numbers), job)

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

    def wait_next_call(self, encoder: int) -> Call | None:
        """Block until there is a call to make; None: closed. For model threads.

        Only of models that have an encoder of this number.
        """
        with self._changed:
            while not self._closed:
                if (call := self._next_call(encoder)) is not None:
                    return call
                self._changed.wait()
            return None

    def _next_call(self, encoder: int) -> Call | None:
        """Take the next call out of the lanes; None: nothing waits."""
        while (lane := self._order.choose(self._in_waiting(encoder))) is not None:
            call = self._without_unwanted(self._taken_from(lane, encoder))
            if call.jobs:
                self._order.note(lane, self._lanes_waiting())
                return call
        return None

    def _lanes_waiting(self) -> list[Lane]:
        """Lanes in which something waits, for whichever encoder: a turn passes over them all."""
        return [lane for lane, queue in self._queues.items() if len(queue)]

    def _in_waiting(self, encoder: int) -> list[Lane]:
        return [lane for lane, queue in self._queues.items() if queue.has_work_for(encoder)]

    def _taken_from(self, lane: Lane, encoder: int) -> Call:
        """Take the next call of a lane in which something waits for this encoder."""
        queue = self._queues[lane]
        if (half := queue.take_half(encoder)) is not None:
            return half
        line = queue.oldest_line(encoder)
        most, budget = self._options.batch_texts, self._budget_of(line)
        jobs = queue.take(
            line,
            max_items=min(most, line.model.batch_texts or most),
            max_tokens=min(budget, line.model.batch_tokens or budget),
        )
        return Call(lane, jobs)

    def _without_unwanted(self, call: Call) -> Call:
        for job in call.jobs:
            if not job.wanted:
                self._finish_one(job)
        return call.still_wanted()
