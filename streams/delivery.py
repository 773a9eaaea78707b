"""Delivery: each record is handed to its stage once in order, finished before it is committed.

A stage is a function `begin(record)`: of one key it is awaited record by record in the partition's
order, and may return the rest of the work, which then runs beside up to `window` others. What
waits for another try holds up its own key only. A record is done when that rest returns, that is
when its output is durable; only the contiguous prefix of done records is committed. Holes in what
Faust delivers are looked into with a reader of our own (DESIGN 9).
"""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import structlog
from faust import EventT
from faust.streams import Stream

from models.errors import HandedBack
from streams import figures
from streams.ledger import Arrival, OffsetLedger
from streams.lines import Lines, Turn
from streams.records import Place, Record
from streams.retry import Action, RetryPolicy, decide_retry
from streams.side_reader import SideReader

log = structlog.get_logger("streams.delivery")

Rest = Awaitable[None]
Begin = Callable[[Record], Awaitable[Rest | None]]
Poison = Callable[[Record, Exception, int], Awaitable[None]]

#: So many records of a partition may lie behind one that is not finished; then its stage waits.
MOST_BEHIND = 10_000
#: Longest time a rebalance or a stop waits for work in flight before it is handed back. In `all`
#: three apps settle one after the other, and all of it must end within the 25 s of a drain.
SETTLE_S = 6.0


@dataclass(frozen=True, slots=True)
class Stage:
    """How one stage takes records."""

    name: str
    begin: Begin
    poison: Poison
    window: int = 16
    retry: RetryPolicy = field(default_factory=RetryPolicy)


class Commits(Protocol):
    """Where a partition's books begin."""

    def committed(self, place: Place) -> int:
        """The first offset the group has not committed."""


class Deliveries:
    """All deliveries of one Faust app: their books, their work in flight, and its end."""

    def __init__(self, commits: Commits, reader: SideReader) -> None:
        """Look up start offsets in `commits` and into holes with `reader`."""
        self.reader = reader
        self.leaving = asyncio.Event()
        self.generation = 0
        self.broken: BaseException | None = None
        """What delivery itself met first, outside every stage: its records never finish."""
        self._commits = commits
        self._ledgers: dict[Place, OffsetLedger] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._moved: dict[Place, asyncio.Event] = {}

    def committable(self) -> dict[Place, int]:
        """The offset to commit for each partition in hand."""
        return {place: ledger.committable for place, ledger in self._ledgers.items()}

    def ledger(self, place: Place) -> OffsetLedger:
        """The books of a partition, opened at what is committed.

        Only for who knows that the partition is in hand and its committed offset was read: an
        arrived record, or a look at the tail of a partition that is being served.
        """
        found = self._ledgers.get(place)
        if found is None:
            found = self._ledgers[place] = OffsetLedger(self._commits.committed(place))
            self.moved(place)  # what is committed is finished
        return found

    @property
    def in_flight(self) -> int:
        """How many records are being worked on."""
        return len(self._work)

    def launch(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run `work` as part of what `settle` waits for."""
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        error = _unexpected(task)
        if error is not None:
            log.critical("delivery_broken", error=_told(error), exc_info=error)
            self.broken = self.broken or error

    def moved(self, place: Place | None = None) -> None:
        """Wake those who wait for a partition to be delivered or finished further; None: for any.

        Hundreds may wait, each for a record of its own: to wake all of them at each record of any
        partition took a fifth of a master's time.
        """
        for each in [place] if place is not None else list(self._moved):
            if (event := self._moved.pop(each, None)) is not None:
                event.set()

    def finished_to(self, place: Place) -> int | None:
        """The offset below which all is finished; None while the books are closed."""
        ledger = self._ledgers.get(place)
        return ledger.committable if ledger is not None else None

    def is_finished(self, place: Place, offset: int) -> bool:
        """Whether the record at `offset` is done with; False while the books are closed."""
        ledger = self._ledgers.get(place)
        return ledger is not None and ledger.is_finished(offset)

    def is_finished_of(self, place: Place, key: bytes, end: int) -> bool:
        """Whether all below `end` is done with that may be of this key; False while closed."""
        ledger = self._ledgers.get(place)
        return ledger is not None and ledger.is_finished_of(key, end)

    def takes(self, generation: int) -> bool:
        """Whether what arrives is taken still: the books of this `generation` are not closing."""
        return generation == self.generation and not self.leaving.is_set()

    async def progress(self, place: Place) -> None:
        """Wait until a partition is delivered or finished further, or its books are closing."""
        await self._moved.setdefault(place, asyncio.Event()).wait()

    async def settle(self) -> None:
        """Let work in flight finish; hand back what waits or does not end in time.

        What arrives from now on is left alone: it comes again once the books are open anew.
        """
        self.generation += 1
        self.leaving.set()
        self.moved()
        if self._work:
            _, late = await asyncio.wait(self._work, timeout=SETTLE_S)
            for task in late:
                task.cancel()
            if late:
                log.warning("handed_back", records=len(late))
                await asyncio.wait(late)

    def forget(self) -> None:
        """Close the books: the next generation begins at what was committed.

        What arrived since `settle` began is in none, even if it still waits for its turn here.
        """
        self.generation += 1
        self._ledgers.clear()
        self.leaving = asyncio.Event()

    async def or_leave(self, waiting: Awaitable[object]) -> None:
        """Wait for something another stage must do; raise HandedBack when this process leaves."""
        leaving = asyncio.ensure_future(self.leaving.wait())
        waited = asyncio.ensure_future(waiting)
        try:
            await asyncio.wait({leaving, waited}, return_when=asyncio.FIRST_COMPLETED)
            if not waited.done():
                raise HandedBack
            waited.result()
        finally:
            leaving.cancel()
            waited.cancel()


class Delivery:
    """One stage's way from a Faust stream to finished records."""

    def __init__(self, stage: Stage, deliveries: Deliveries) -> None:
        """Deliver to `stage`, on the books of `deliveries`."""
        self.stage = stage
        self.running = False
        self._books = deliveries
        self._slots = asyncio.Semaphore(stage.window)
        self._order = asyncio.Lock()
        self._lines = Lines()
        self._arrivals_s: dict[Place, float] = {}

    @property
    def full(self) -> bool:
        """Whether the window is full: then a quiet stream means that nothing is asked of it."""
        return self._slots.locked()

    def arrived_s(self, place: Place) -> float:
        """When the last record of a partition arrived, on the loop's clock; 0 for never."""
        return self._arrivals_s.get(place, 0.0)

    async def run(self, stream: Stream[bytes]) -> None:
        """Take the stream's records until it ends: the body of a Faust agent."""
        self.running = True
        try:
            async for event in stream.noack().events():
                generation = self._books.generation
                async with self._order:
                    await self._arrived(as_record(event), generation)
        finally:
            self.running = False

    async def look_at_tail(self, place: Place, end: int, generation: int) -> None:
        """Deliver what lies between the offset due and `end` though Faust did not bring it.

        Nothing of a partition that was in hand in another `generation` only.
        """
        async with self._order:
            if not self._books.takes(generation):
                return
            ledger = self._books.ledger(place)
            if ledger.due < end:
                await self._close_hole(place, ledger, end, generation)

    async def _arrived(self, record: Record, generation: int) -> None:
        if not self._books.takes(generation):
            return  # its books are closed; they must not be opened for what has left
        self._arrivals_s[record.place] = asyncio.get_running_loop().time()
        ledger = self._books.ledger(record.place)
        match ledger.judge(record.offset):
            case Arrival.REPEAT:
                figures.REPEATED.labels(self.stage.name).inc()
                return
            case Arrival.AFTER_A_HOLE:
                await self._close_hole(record.place, ledger, record.offset, generation)
        await self._start(record, ledger, generation)

    async def _close_hole(
        self, place: Place, ledger: OffsetLedger, end: int, generation: int
    ) -> None:
        """Fetch `[due, end)` once more: records found were skipped by Faust and are delivered."""
        while ledger.due < end and self._books.takes(generation):
            try:
                span = await self._books.reader.read(place, ledger.due, end)
            except Exception as error:  # noqa: BLE001  # an outage: a hole is never passed unseen
                log.warning("hole_unread", place=place, due=ledger.due, error=repr(error))
                await asyncio.sleep(1.0)
                continue
            for record in span.records:
                if not self._books.takes(generation):
                    return  # the partition is leaving: its next owner begins before this record
                log.info("fetched_beside_faust", stage=self.stage.name, record=str(record))
                figures.HOLES_DELIVERED.labels(self.stage.name).inc()
                ledger.pass_to(record.offset)
                await self._start(record, ledger, generation)
            if span.read_to > ledger.due and self._books.takes(generation):
                figures.HOLES_PASSED.labels(self.stage.name).inc(span.read_to - ledger.due)
                ledger.pass_to(span.read_to)
        self._books.moved(place)

    async def _start(self, record: Record, ledger: OffsetLedger, generation: int) -> None:
        while ledger.in_flight >= MOST_BEHIND and self._books.takes(generation):
            await self._books.progress(record.place)
        await self._slots.acquire()
        if not self._books.takes(generation) or ledger.judge(record.offset) is not Arrival.DUE:
            self._slots.release()
            return
        ledger.deliver(record.offset, record.key)
        figures.DELIVERED.labels(self.stage.name).inc()
        turn = self._lines.stand_in((record.place, record.key), generation)
        work = self._books.launch(self._carry(record, ledger, turn))
        work.add_done_callback(partial(self._left, turn))
        self._books.moved(record.place)

    def _left(self, turn: Turn, _: "asyncio.Task[None]") -> None:
        self._slots.release()
        turn.over()

    async def _carry(self, record: Record, ledger: OffsetLedger, turn: Turn) -> None:
        try:
            await turn.come()
            if self._books.leaving.is_set():
                raise HandedBack  # noqa: TRY301  # as if the one before had been
            await self._attempts(record, turn)
        except HandedBack:
            return  # not finished: whoever owns the partition next begins here
        turn.begun()
        ledger.finish(record.offset)
        self._books.moved(record.place)

    async def _attempts(self, record: Record, turn: Turn) -> None:
        for attempt in itertools.count(1):
            try:
                rest = await self.stage.begin(record)
                turn.begun()
                if rest is not None:
                    await rest
            except HandedBack:
                raise
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # FAUST rule 2
                if await self._failed(record, _own_error(error), attempt):
                    return
            else:
                return

    async def _failed(self, record: Record, error: Exception, attempt: int) -> bool:
        """Wait for the next attempt, or hand the record to the last resort and return True."""
        decision = decide_retry(error, attempt, self.stage.retry, chance=random.random())  # noqa: S311  # jitter
        figures.FAILED_ATTEMPTS.labels(self.stage.name, type(error).__name__).inc()
        log.warning(
            "record_failed",
            stage=self.stage.name,
            record=str(record),
            attempt=attempt,
            action=decision.action.name,
            error=_told(error),
        )
        if decision.action is Action.POISON:
            await self._bury(record, error, attempt)
            return True
        await self._books.or_leave(asyncio.sleep(decision.wait_s))
        return False

    async def _bury(self, record: Record, cause: Exception, attempts: int) -> None:
        """Run the last resort until it succeeds: a record is never dropped."""
        for attempt in itertools.count(1):
            try:
                await self.stage.poison(record, cause, attempts)
            except HandedBack:
                raise
            except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  # an outage too
                failure = _own_error(error)
                log.warning("last_resort_failed", record=str(record), error=_told(failure))
                wait_s = min(5.0, 0.2 * 2 ** min(attempt, 10))
                await self._books.or_leave(asyncio.sleep(wait_s))
            else:
                return


def _unexpected(task: "asyncio.Task[None]") -> BaseException | None:
    """What ended a delivery's work that should not have; to be cancelled by `settle` is right."""
    if not task.cancelled():
        return task.exception()
    return None if task.cancelling() else RuntimeError("cancelled from within")


def _told(error: BaseException) -> str:
    """An error in few words; one that cannot be told must not end what handles it."""
    try:
        return repr(error)[:500]
    except Exception:  # noqa: BLE001  # of a stranger's class
        return type(error).__name__


def _own_error(error: Exception | asyncio.CancelledError) -> Exception:
    """Take an error as one of the stage's; raise it where this very task is being cancelled.

    Otherwise a cancellation came from within: something the stage awaited was cancelled.
    """
    if not isinstance(error, asyncio.CancelledError):
        return error
    task = asyncio.current_task()
    if task is None or task.cancelling():
        raise error
    return RuntimeError("cancelled from within")


def as_record(event: EventT[bytes]) -> Record:
    """Take over a Faust event; headers come as a list or a mapping."""
    message = event.message
    headers = message.headers or ()
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple(pairs),
        timestamp_ms=round(message.timestamp * 1000) if message.timestamp else 0,
    )
