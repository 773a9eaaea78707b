"""The broker's time, as a real broker tells it."""

import asyncio

import pytest

from models.clock import SYSTEM_CLOCK
from streams import broker_clock
from streams.broker_clock import BrokerClock, first_time, keep_time
from streams.producing import FaustProducer
from tests.contract.streams.conftest import Broker, Running, Taker, until_true
from tests.unit.streams.fakes import FakeClock

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


async def test_one_question_before_the_start_corrects_a_clock_that_stands_in_the_past(
    broker: Broker,
) -> None:
    await broker.create(broker.name, **{"message.timestamp.type": "LogAppendTime"})
    clock, before = BrokerClock(FakeClock()), SYSTEM_CLOCK.now_ms()
    await first_time(broker.servers, broker.name, clock)
    assert before <= clock.now_ms() <= SYSTEM_CLOCK.now_ms()


async def test_a_topic_that_keeps_its_senders_times_teaches_nothing(broker: Broker) -> None:
    await broker.create(broker.name)
    machine = FakeClock()
    clock = BrokerClock(machine)
    await first_time(broker.servers, broker.name, clock)
    assert clock.now_ms() == machine.now_ms()


async def test_a_broker_that_is_away_stops_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_clock, "FIRST_LIMIT_S", 0.2)
    await first_time("127.0.0.1:1", "nowhere", BrokerClock(FakeClock()))


async def test_a_running_app_goes_on_learning(broker: Broker, running: Running) -> None:
    await broker.create(broker.name, **{"message.timestamp.type": "LogAppendTime"})
    clock, before = BrokerClock(FakeClock()), SYSTEM_CLOCK.now_ms()
    async with running(Taker(), prepare=None) as app:
        keeping = asyncio.create_task(keep_time(FaustProducer(app), broker.name, clock, 0.1))
        await until_true("the time is known", lambda: clock.now_ms() >= before)
        keeping.cancel()
