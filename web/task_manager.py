"""`TaskManager`: all that can be done with tasks, one verb each; its parts do the work."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.errors import VectorizeError
from models.metrics import TaskMetrics
from models.paging import Cursor, Page
from models.rows import TaskRow
from models.states import TaskState
from web.ending import Canceller, Retrier
from web.listing import TaskLister
from web.reading import TaskReader
from web.submitting import Order, Submitted, Submitter


@dataclass(frozen=True, slots=True)
class TaskManager:
    """Submits, reads, lists, cancels, retries and counts tasks, whoever owns them.

    A figure of your own is gathered here: see `metrics`.
    """

    submitter: Submitter
    reader: TaskReader
    lister: TaskLister
    canceller: Canceller
    retrier: Retrier

    def order(self, raw: object, *, key: str | None, traceparent: str | None) -> Order:
        """Check the parsed body of a submit; raise InvalidRequest."""
        return self.submitter.order(raw, key=key, traceparent=traceparent)

    async def submit(self, order: Order, wait_s: float) -> Submitted:
        """Make an order durable, and hold up to `wait_s` for the task's end."""
        return await self.submitter.submit(order, wait_s)

    async def submit_many(
        self, raw: object, *, key: str | None, traceparent: str | None
    ) -> Sequence[Submitted | VectorizeError]:
        """Submit each task of a batch by itself; one outcome each, in their order."""
        tasks = self.submitter.tasks_of(raw)
        return await self.submitter.submit_many(tasks, key=key, traceparent=traceparent)

    async def read(self, task_id: str, wait_s: float = 0.0) -> TaskRow:
        """Read a task, held up to `wait_s` for its final state; raise TaskNotFound."""
        return await self.reader.held(task_id, wait_s)

    async def page(
        self,
        state: TaskState | None,
        *,
        page: int | None,
        page_size: int,
        before: Cursor | None,
    ) -> Page:
        """List tasks newest first: one page, and one task beyond it where there is more."""
        return await self.lister.page(state, page=page, page_size=page_size, before=before)

    async def cancel(self, task_id: str) -> TaskRow | None:
        """Cancel a task; None: asked for, no verdict yet. Raises TaskNotFound, TaskFinished."""
        return await self.canceller.cancel(task_id)

    async def retry(
        self, task_id: str, *, key: str | None, traceparent: str | None, wait_s: float
    ) -> Submitted:
        """Make a new task of the items without a vector; raise WrongState, SourceGone."""
        request = await self.retrier.request(task_id)
        return await self.submit(self.submitter.stamped(request, key, traceparent), wait_s)

    async def metrics(self) -> TaskMetrics:
        """Count the tasks of all owners; raise OwnerUnavailable."""
        return (await self.lister.tally()).metrics()
