"""The ways onto the log that a master's web side needs: submit, cancel, and read a source again."""

from pydantic import ValidationError

from models.clock import Clock
from models.errors import BrokerUnavailable
from models.events import CancelRequested
from models.tasks import TaskRequest
from models.units import SourcePlace
from streams.codec import encode
from streams.producing import Producer
from streams.records import Place, Record
from streams.side_reader import SideReader
from streams.topics import TopicNames

#: Marks a record whose sender is answered over HTTP.
BY_HTTP = ("door", b"http")


class TaskLog:
    """Produces what clients ask for; each call returns after the broker's acknowledgement."""

    def __init__(
        self,
        *,
        producer: Producer,
        reader: SideReader,
        names: TopicNames,
        submit_timeout_s: float,
        clock: Clock,
    ) -> None:
        """Give up waiting for an acknowledgement after `submit_timeout_s`."""
        self._producer = producer
        self._reader = reader
        self._names = names
        self._timeout_s = submit_timeout_s
        self._clock = clock

    async def submit(self, request: TaskRequest) -> SourcePlace:
        """Put a task on `vectorize.tasks`; raise BrokerUnavailable: the outcome is unknown."""
        if request.task_id is None:
            raise ValueError("a submitted task has its id by now. This is a bug.")
        value = request.model_dump_json(exclude_defaults=True).encode()
        written = await self._producer.send(
            self._names.tasks,
            request.task_id.encode(),
            value,
            headers=(BY_HTTP,),
            timeout_s=self._timeout_s,
        )
        return SourcePlace(partition=written.partition, offset=written.offset)

    async def cancel(self, task_id: str) -> int:
        """Ask for a task's end; return the request's offset on `vectorize.events`."""
        event = CancelRequested(task_id=task_id, at_ms=self._clock.now_ms())
        written = await self._producer.send(
            self._names.events, task_id.encode(), encode(event), timeout_s=self._timeout_s
        )
        return written.offset

    async def source(self, place: SourcePlace) -> TaskRequest | None:
        """Read a task's own record again; None where retention took it."""
        record = await read_source(self._reader, self._names.tasks, place)
        if record is None or record.value is None:
            return None
        try:
            return TaskRequest.model_validate_json(record.value)
        except ValidationError:
            return None


async def read_source(reader: SideReader, topic: str, place: SourcePlace) -> Record | None:
    """Read one record of `topic`; None where it is gone. Raises BrokerUnavailable."""
    span = await reader.read(Place(topic, place.partition), place.offset, place.offset + 1)
    if not span.records and span.read_to <= place.offset:
        raise BrokerUnavailable("the task's record could not be read in time")
    return span.records[0] if span.records else None
