"""Refusing new tasks while too many wait: what is accepted is finished, what cannot be is told."""

from dataclasses import dataclass

from web.ports import Queue
from web.refusals import QueueFull


@dataclass(frozen=True, slots=True)
class Shedder:
    """Decides by the depth of the queue and by the age of what waits in it."""

    queue: Queue
    max_tasks: int
    max_age_s: float
    """0: however old."""

    def check(self) -> None:
        """Raise QueueFull where a new task would wait too long."""
        if (tasks := self.queue.tasks()) >= self.max_tasks:
            raise QueueFull(
                what="the tasks that wait",
                limit=self.max_tasks,
                given=tasks,
                setting="service.max_queue_tasks",
            )
        if self.max_age_s and (age_s := self.queue.oldest_s()) >= self.max_age_s:
            raise QueueFull(
                what="the seconds that the oldest task waits",
                limit=int(self.max_age_s),
                given=int(age_s),
                setting="service.max_queue_age_s",
            )
