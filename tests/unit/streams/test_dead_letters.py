"""Dead letters: the bytes as they came, the reason beside them, and never a flood."""

import asyncio

import pytest

from models.errors import BrokerUnavailable
from streams import dead_letters
from streams.dead_letters import DeadLetters
from tests.unit.streams.fakes import NAMES, FakeClock, FakeProducer, record, tools


@pytest.fixture
def producer() -> FakeProducer:
    return FakeProducer()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def bury(dead: DeadLetters, offset: int = 0, detail: str = "why") -> None:
    await dead.bury(record(offset), stage="intake", reason="bad", detail=detail, attempts=3)


async def test_a_record_keeps_its_key_and_bytes_and_says_why_it_is_here(
    producer: FakeProducer, clock: FakeClock
) -> None:
    dead = tools(producer, clock).dead_letters
    odd = record(7, b"\x00\xff not json", key=b"\xfe")
    await dead.bury(odd, stage="track", reason="bad_record", detail="é: wrong", attempts=2)
    (sent,) = producer.to(NAMES.dead)
    assert (sent.key, sent.value) == (odd.key, odd.value)
    assert dict(sent.headers) == {
        "reason": b"bad_record",
        "detail": "é: wrong".encode(),
        "stage": b"track",
        "attempts": b"2",
        "source": b"v.t[0]@7",
        "source_timestamp_ms": str(odd.timestamp_ms).encode(),
        "buried_ms": str(clock.now_ms()).encode(),
    }


async def test_a_record_without_value_or_key_is_buried_too(producer: FakeProducer) -> None:
    nothing = record(1, None, key=None)
    dead = tools(producer).dead_letters
    await dead.bury(nothing, stage="s", reason="r", detail="", attempts=1)
    assert (producer.sent[0].key, producer.sent[0].value) == (None, b"")


@pytest.mark.parametrize("detail", ["é" * 5000, "x" * 999 + "é", "broken \ud800 half"])
async def test_any_detail_is_cut_to_text_that_can_be_read(
    producer: FakeProducer, detail: str
) -> None:
    await bury(tools(producer).dead_letters, detail=detail)
    told = dict(producer.sent[0].headers)["detail"].decode()
    assert len(told) <= 1000


async def test_above_the_rate_the_source_is_held_until_the_minute_is_over(
    producer: FakeProducer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "HELD_LOOK_S", 0.001)
    dead = tools(producer, clock, per_minute=2).dead_letters
    for offset in range(2):
        await bury(dead, offset)
    assert not dead.held
    waiting = asyncio.create_task(bury(dead, 2))
    await asyncio.sleep(0.01)
    assert dead.held
    clock.at_ms += 60_001
    await asyncio.wait_for(waiting, 3)
    assert not dead.held
    assert len(producer.sent) == 3


async def test_a_held_source_is_visible_and_drops_nothing(
    producer: FakeProducer, clock: FakeClock
) -> None:
    dead = tools(producer, clock, per_minute=1).dead_letters
    await bury(dead, 0)
    waiting = asyncio.create_task(bury(dead, 1))
    await asyncio.sleep(0.01)
    assert dead.held
    assert len(producer.sent) == 1
    waiting.cancel()


async def test_letters_whose_senders_were_answered_hold_nobody_up(
    producer: FakeProducer, clock: FakeClock
) -> None:
    dead = tools(producer, clock, per_minute=1).dead_letters
    for offset in range(5):
        await asyncio.wait_for(
            dead.bury(
                record(offset),
                stage="intake",
                reason="conflict",
                detail="",
                attempts=1,
                answered=True,
            ),
            0.5,
        )
    await asyncio.wait_for(bury(dead, 6), 0.5)  # they did not take its place either
    assert len(producer.to(NAMES.dead)) == 6


async def test_letters_sent_long_ago_do_not_count(producer: FakeProducer, clock: FakeClock) -> None:
    dead = tools(producer, clock, per_minute=1).dead_letters
    for offset in range(3):
        await asyncio.wait_for(bury(dead, offset), 0.5)
        clock.at_ms += 60_001
    assert len(producer.sent) == 3


async def test_a_broker_that_is_away_is_told_to_the_delivery(producer: FakeProducer) -> None:
    producer.refuse.add(NAMES.dead)
    with pytest.raises(BrokerUnavailable):
        await bury(tools(producer).dead_letters)
