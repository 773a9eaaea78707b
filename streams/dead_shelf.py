"""Reading the dead letters again: list them, show one, send one back to where it came from."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

import structlog
from aiokafka.errors import KafkaError

from models.dead_letters import DeadLetter, DeadPage, Redriven
from models.errors import BrokerUnavailable, LetterCut, LetterNotFound
from models.states import Lane
from models.units import SourcePlace
from streams import figures
from streams.producing import Written
from streams.records import Headers, Place, Record
from streams.side_reader import Span
from streams.topics import TopicNames

log = structlog.get_logger("streams.dead_shelf")

#: So many records are read at a time, backwards from the end.
STRETCH = 200
#: So many are looked at for one page at most: a rare reason must not read the whole topic.
MOST_LOOKED_AT = 5_000
#: The header of a record that was sent back: the place it was first read from. It names the task
#: of a record without an id, so that sending it back twice makes one task.
ORIGIN = "origin"
_PLACE = re.compile(r"(?P<topic>.+)\[(?P<partition>\d+)\]@(?P<offset>\d+)")
_OURS = frozenset(
    {"reason", "detail", "stage", "attempts", "source", "source_timestamp_ms", "buried_ms"}
)


class Reader(Protocol):
    """What the shelf needs of a reader beside the consumer group; each may raise KafkaError."""

    async def read(self, place: Place, start: int, end: int) -> Span:
        """Read the records in `[start, end)`, or the first of them."""

    async def end_offsets(self, places: Iterable[Place]) -> dict[Place, int]:
        """Return the offset after the last record of each partition."""

    async def beginning_offset(self, place: Place) -> int:
        """Return the offset of the first record that is left."""


class Sender(Protocol):
    """What the shelf needs of a producer."""

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, *, headers: Headers = ()
    ) -> Written:
        """Send and wait for the acknowledgement; raise BrokerUnavailable."""


class DeadShelf:
    """The topic of dead letters, as a person looks at it."""

    def __init__(self, reader: Reader, producer: Sender, names: TopicNames) -> None:
        """Read with `reader`, send back with `producer`."""
        self._reader = reader
        self._producer = producer
        self._place = Place(names.dead, 0)
        self._sources = {
            names.tasks,
            names.events,
            *map(names.units, Lane),
            *map(names.vectors, Lane),
        }

    async def page(self, *, limit: int, before: int | None, reason: str | None) -> DeadPage:
        """List up to `limit` letters before number `before`, of one `reason` if one is given.

        A page may hold fewer though older ones follow: `next_before` says so. Raises
        BrokerUnavailable.
        """
        first, end = await self._ends()
        found: list[DeadLetter] = []
        upto = end if before is None else min(before, end)
        last = max(first, upto - MOST_LOOKED_AT)
        while upto > last and len(found) <= limit:
            start = max(last, upto - STRETCH)
            letters = await self._listed(start, upto)
            found += [each for each in reversed(letters) if reason in (None, each.reason)]
            upto = start
        if rest := found[limit:]:
            return DeadPage(found[:limit], rest[0].number + 1)
        return DeadPage(found, upto if upto > first else None)

    async def letter(self, number: int) -> DeadLetter:
        """Read one. Raises LetterNotFound, BrokerUnavailable."""
        first, end = await self._ends()
        if not first <= number < end:
            raise LetterNotFound(number)
        span = await self._read(number, number + 1)
        letter = letter_of(span.records[0]) if span.records else None
        if letter is None:
            raise LetterNotFound(number)
        return letter

    async def redrive(self, number: int) -> Redriven:
        """Send a letter's bytes back to the topic they came from, under their own key.

        Returns when the broker has them. Raises LetterNotFound, LetterCut, BrokerUnavailable.
        """
        letter = await self.letter(number)
        if letter.cut_from_bytes is not None or letter.source_topic not in self._sources:
            raise LetterCut(number)
        headers: Headers = ((ORIGIN, letter.origin.encode()),)
        topic = letter.source_topic
        written = await self._producer.send(topic, letter.key, letter.value, headers=headers)
        figures.REDRIVEN.labels(letter.reason).inc()
        log.info("dead_letter_redriven", number=number, origin=letter.origin, topic=topic)
        return Redriven(topic, written.partition, written.offset)

    async def _listed(self, start: int, end: int) -> list[DeadLetter]:
        """Letters of a stretch without their bytes, which may be many."""
        listed: list[DeadLetter] = []
        while start < end:
            span = await self._read(start, end)
            found = (letter_of(record) for record in span.records)
            listed += [replace(letter, value=b"") for letter in found if letter is not None]
            start = span.read_to
        return listed

    async def _ends(self) -> tuple[int, int]:
        """The number of the first letter that is left, and that of the next to come."""
        with _told_as_outage():
            end = (await self._reader.end_offsets([self._place]))[self._place]
            return await self._reader.beginning_offset(self._place), end

    async def _read(self, start: int, end: int) -> Span:
        with _told_as_outage():
            span = await self._reader.read(self._place, start, end)
        if span.read_to <= start:
            raise BrokerUnavailable("the dead letters could not be read in time")
        return span


@contextmanager
def _told_as_outage() -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(f"the dead letters cannot be read now: {error!r}") from error


def letter_of(record: Record) -> DeadLetter | None:
    """Read a record of the dead letters; None for one that this service did not write."""
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    place = _PLACE.fullmatch(headers.get("source", ""))
    if place is None or not headers.keys() >= _OURS:
        return None
    try:
        return _letter(record, headers, place)
    except ValueError:  # a number that is none: somebody else's
        return None


def _letter(record: Record, headers: dict[str, str], place: re.Match[str]) -> DeadLetter:
    cut = headers.get("cut_from_bytes")
    return DeadLetter(
        number=record.offset,
        reason=headers["reason"],
        detail=headers["detail"],
        stage=headers["stage"],
        attempts=int(headers["attempts"]),
        source_topic=place["topic"],
        source=SourcePlace(partition=int(place["partition"]), offset=int(place["offset"])),
        origin=headers.get(ORIGIN, headers["source"]),
        source_ms=int(headers["source_timestamp_ms"]),
        buried_ms=int(headers["buried_ms"]),
        key=record.key,
        value=record.value or b"",
        size_bytes=int(cut) if cut is not None else len(record.value or b""),
        cut_from_bytes=int(cut) if cut is not None else None,
    )


def origin_of(record: Record) -> tuple[str, int, int]:
    """The topic, partition and offset that name a record's task: its own, or its origin's."""
    for name, value in record.headers:
        if name == ORIGIN and (place := _PLACE.fullmatch(value.decode(errors="replace"))):
            return place["topic"], int(place["partition"]), int(place["offset"])
    return record.topic, record.partition, record.offset
