"""Turns: few at once, the urgent first, nobody for ever last, none lost."""

import asyncio
import random

import pytest

from models.states import Lane
from streams.turns import Turns


class Counter:
    """Callers that note when they are let in and leave when told."""

    def __init__(self, at_once: int) -> None:
        self.turns = Turns(at_once)
        self.inside: list[str] = []
        self.order: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}

    async def come(self, name: str, lane: Lane) -> "asyncio.Task[None]":
        task = asyncio.create_task(self._serve(name, lane))
        await _settled()
        return task

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await _settled()

    async def _serve(self, name: str, lane: Lane) -> None:
        self._ends[name] = asyncio.Event()
        async with self.turns.turn(lane):
            self.inside.append(name)
            self.order.append(name)
            await self._ends[name].wait()
            self.inside.remove(name)


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_are_let_in_than_may_be_and_one_place_is_kept_for_the_urgent() -> None:
    counter = Counter(3)
    for name in "abc":
        await counter.come(name, Lane.NORMAL)
    assert counter.inside == ["a", "b"]
    await counter.come("urgent", Lane.HIGH)
    await counter.come("more", Lane.HIGH)
    assert counter.inside == ["a", "b", "urgent"]
    await counter.end("a")
    assert counter.inside == ["b", "urgent", "more"]
    await counter.end("urgent")
    assert counter.inside == ["b", "more"]
    await counter.end("more")
    assert counter.inside == ["b", "c"]


async def test_where_there_is_one_place_it_is_for_all() -> None:
    counter = Counter(1)
    await counter.come("low", Lane.LOW)
    assert counter.inside == ["low"]


async def test_the_most_urgent_goes_first_and_within_a_lane_the_oldest() -> None:
    counter = Counter(1)
    await counter.come("first", Lane.LOW)
    for name, lane in [("l", Lane.LOW), ("n", Lane.NORMAL), ("h1", Lane.HIGH), ("h2", Lane.HIGH)]:
        await counter.come(name, lane)
    for name in ("first", "h1", "h2", "n"):
        await counter.end(name)
    assert counter.order == ["first", "h1", "h2", "n", "l"]


async def test_a_low_one_is_let_in_though_urgent_ones_keep_coming() -> None:
    counter = Counter(1)
    await counter.come("h0", Lane.HIGH)
    await counter.come("low", Lane.LOW)
    served = 0
    while "low" not in counter.order:
        await counter.come(f"h{served + 1}", Lane.HIGH)
        await counter.end(f"h{served}")
        served += 1
        assert served < 20
    assert counter.inside == ["low"]


async def test_who_leaves_the_queue_takes_nobodys_turn() -> None:
    counter = Counter(1)
    await counter.come("a", Lane.NORMAL)
    gone = await counter.come("b", Lane.NORMAL)
    await counter.come("c", Lane.NORMAL)
    gone.cancel()
    await _settled()
    await counter.end("a")
    assert counter.inside == ["c"]


async def test_who_is_cancelled_at_the_moment_of_being_let_in_gives_the_turn_on() -> None:
    counter = Counter(1)
    await counter.come("a", Lane.NORMAL)
    gone = await counter.come("b", Lane.NORMAL)
    await counter.come("c", Lane.NORMAL)
    counter._ends["a"].set()
    await asyncio.sleep(0)  # a leaves: b is let in, but has not run yet
    gone.cancel()
    await _settled()
    assert counter.inside == ["c"]


@pytest.mark.parametrize("seed", range(5))
async def test_whatever_happens_no_turn_is_lost(seed: int) -> None:
    chance, turns, inside, most = random.Random(seed), Turns(3), 0, 0

    async def caller() -> None:
        nonlocal inside, most
        async with turns.turn(chance.choice(list(Lane))):
            inside += 1
            most = max(most, inside)
            try:
                for _ in range(chance.randrange(3)):
                    await asyncio.sleep(0)
            finally:
                inside -= 1

    tasks = [asyncio.create_task(caller()) for _ in range(200)]
    for task in tasks:
        if chance.random() < 0.3:
            task.cancel()
        if chance.random() < 0.5:
            await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert most == 3
    assert turns._free == 3
