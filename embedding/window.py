"""Texts of one model that wait in one lane, or images, by length and age. Decides nothing."""

from bisect import bisect_left, bisect_right

from embedding.batching import best_run
from embedding.jobs import Job


class Window:
    """Texts that wait; each call is the oldest with those whose lengths fit it best.

    So no text waits for ever, callers are done one after the other in about the order they came,
    and little is padded: 0.98 of what is computed are real tokens with 512 texts that wait (0.95
    with 256 cut into batches once), standard library docstrings, 512 tokens a call.
    """

    def __init__(self) -> None:
        """Hold nothing."""
        self._lengths: list[int] = []  # ascending; of one length, the oldest first
        self._numbers: list[int] = []  # of the same texts, by their arrival
        self._jobs: dict[int, Job] = {}  # by number, the oldest first

    def __len__(self) -> int:
        """How many texts wait."""
        return len(self._jobs)

    @property
    def oldest(self) -> int:
        """The number of the text that came first; there is one."""
        return next(iter(self._jobs))

    def add(self, number: int, job: Job) -> None:
        """Let a text wait; numbers ascend."""
        at = bisect_right(self._lengths, job.ready.length)
        self._lengths.insert(at, job.ready.length)
        self._numbers.insert(at, number)
        self._jobs[number] = job

    def take(self, *, max_items: int, max_tokens: int) -> list[Job]:
        """Take the oldest text and its companions out, the shortest first."""
        at = bisect_left(self._lengths, self._jobs[self.oldest].ready.length)
        first, last = best_run(self._lengths, at, max_items=max_items, max_tokens=max_tokens)
        taken = [self._jobs.pop(number) for number in self._numbers[first:last]]
        del self._lengths[first:last], self._numbers[first:last]
        return taken
