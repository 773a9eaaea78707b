"""The dead letters on the command line, without a running service: Kafka is asked directly."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from faust import App
from faust.cli import AppCommand, argument, option

from models.clock import iso_time
from models.dead_letters import DeadLetter, Redriven
from models.errors import BrokerUnavailable, VectorizeError
from streams.app import KafkaOptions
from streams.dead_shelf import DeadShelf
from streams.producing import Written
from streams.records import Headers
from streams.side_reader import SideReader
from streams.topics import TopicNames

#: The exit code of a command that was given wrong words.
WRONG_USE = 2
OpenShelf = AbstractAsyncContextManager[DeadShelf]


class PlainSender:
    """A producer of its own, for as long as a command runs."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        """Use a started producer."""
        self._producer = producer

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, *, headers: Headers = ()
    ) -> Written:
        """Send and wait for the acknowledgement; raise BrokerUnavailable."""
        try:
            place = await self._producer.send_and_wait(topic, value, key=key, headers=list(headers))
        except KafkaError as error:
            raise BrokerUnavailable(f"Kafka did not take the record: {error!r}") from error
        return Written(place.partition, place.offset)


@asynccontextmanager
async def open_shelf(kafka: KafkaOptions, names: TopicNames) -> AsyncIterator[DeadShelf]:
    """Connect, and let go at the end. Raises BrokerUnavailable."""
    reader = SideReader(kafka.bootstrap_servers, kafka.fetch_max_bytes)
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers,
        acks="all",
        max_request_size=kafka.max_record_bytes,
    )
    try:
        await producer.start()
        yield DeadShelf(reader, PlainSender(producer), names)
    except KafkaError as error:
        raise BrokerUnavailable(f"Kafka does not answer: {error!r}") from error
    finally:
        await producer.stop()
        await reader.close()


def add_dead_commands(app: App, open_one: Callable[[], OpenShelf]) -> None:
    """Give the `faust` command of `app` what a person does with dead letters."""

    @app.command(
        option("--limit", type=int, default=20, help="Most letters that are listed."),
        option("--before", type=int, default=None, help="Only numbers below this one."),
        option("--reason", default=None, help="Only letters with this reason."),
        name="dead-list",
    )
    async def dead_list(
        self: AppCommand, limit: int, before: int | None, reason: str | None
    ) -> None:
        """List records that never became a task, the newest first."""
        async with _told(open_one()) as shelf:
            page = await shelf.page(limit=limit, before=before, reason=reason)
        for letter in page.letters:
            self.say(line_of(letter))
        if page.next_before is not None:
            self.say(f"more: --before {page.next_before}")

    @app.command(argument("number", type=int), name="dead-show")
    async def dead_show(self: AppCommand, number: int) -> None:
        """Show a dead letter with its bytes."""
        async with _told(open_one()) as shelf:
            self.say(shown(await shelf.letter(number)))

    @app.command(
        argument("number", type=int, required=False),
        option("--reason", default=None, help="All letters with this reason instead of one."),
        option("--limit", type=int, default=1000, help="Most letters that are sent back."),
        name="dead-redrive",
    )
    async def dead_redrive(
        self: AppCommand, number: int | None, reason: str | None, limit: int
    ) -> None:
        """Send dead letters back to the topic they came from, once the cause is gone."""
        if (number is None) == (reason is None):
            self.say("give a NUMBER or --reason, and not both", file=sys.stderr)
            raise SystemExit(WRONG_USE)
        async with _told(open_one()) as shelf:
            if number is not None:
                sent = [(number, await shelf.redrive(number))]
            else:
                sent = await redrive_all(shelf, str(reason), limit)
        for letter, written in sent:
            self.say(f"{letter} -> partition {written.partition}, offset {written.offset}")


@asynccontextmanager
async def _told(opening: OpenShelf) -> AsyncIterator[DeadShelf]:
    """Tell what goes wrong in one line, without a trace."""
    try:
        async with opening as shelf:
            yield shelf
    except VectorizeError as error:
        raise SystemExit(f"vectorize: {error}") from error


def line_of(letter: DeadLetter) -> str:
    """A letter in one line."""
    source = f"{letter.source_topic}[{letter.source.partition}]@{letter.source.offset}"
    return (
        f"{letter.number:>8}  {iso_time(letter.buried_ms)}  {letter.reason:<16}  "
        f"{letter.size_bytes:>9} bytes  {source}  {letter.detail}"
    )


def shown(letter: DeadLetter) -> str:
    """A letter with its bytes; what is no text is escaped."""
    return f"{line_of(letter)}\n{letter.value.decode(errors='backslashreplace')}"


async def redrive_all(shelf: DeadShelf, reason: str, most: int) -> list[tuple[int, Redriven]]:
    """Send back the newest `most` letters of one reason, the oldest of them first."""
    numbers: list[int] = []
    before: int | None = None
    while len(numbers) < most:
        page = await shelf.page(limit=most - len(numbers), before=before, reason=reason)
        numbers += [each.number for each in page.letters]
        if (before := page.next_before) is None:
            break
    return [(number, await shelf.redrive(number)) for number in sorted(numbers)]
