"""The broker's clock: bounds from acknowledgements, and nothing but what they prove."""

import pytest

from streams.broker_clock import BrokerClock, ask_time
from streams.workers import WorkerWatch
from tests.unit.models.making import NOW_MS
from tests.unit.streams.fakes import FakeClock, FakeProducer

HOUR_MS = 3_600_000


@pytest.fixture
def machine() -> FakeClock:
    return FakeClock()


@pytest.fixture
def clock(machine: FakeClock) -> BrokerClock:
    return BrokerClock(machine)


def told(clock: BrokerClock, machine: FakeClock, *, ahead_ms: int, took_ms: int = 20) -> None:
    """An acknowledgement of a broker that is so far ahead; it appended half way."""
    sent_ms = machine.at_ms
    machine.at_ms += took_ms
    clock.learn(sent_ms=sent_ms, appended_ms=sent_ms + took_ms // 2 + ahead_ms)


def test_before_an_acknowledgement_the_machines_own_time_stands(clock: BrokerClock) -> None:
    assert clock.now_ms() == NOW_MS


@pytest.mark.parametrize("ahead_ms", [HOUR_MS, -HOUR_MS, 250])
def test_one_acknowledgement_corrects_a_wrong_clock_to_within_its_time_on_the_way(
    clock: BrokerClock, machine: FakeClock, ahead_ms: int
) -> None:
    told(clock, machine, ahead_ms=ahead_ms)
    assert abs(clock.now_ms() - machine.at_ms - ahead_ms) <= 10


def test_a_right_clock_is_left_alone(clock: BrokerClock, machine: FakeClock) -> None:
    for took_ms in (20, 3, 5_000):
        told(clock, machine, ahead_ms=0, took_ms=took_ms)
        assert clock.now_ms() == machine.at_ms


def test_a_slow_acknowledgement_unlearns_nothing(clock: BrokerClock, machine: FakeClock) -> None:
    told(clock, machine, ahead_ms=HOUR_MS, took_ms=2)
    known = clock.now_ms() - machine.at_ms
    told(clock, machine, ahead_ms=HOUR_MS, took_ms=60_000)
    assert clock.now_ms() - machine.at_ms == known


def test_a_clock_that_is_set_is_corrected_at_the_next_acknowledgement(
    clock: BrokerClock, machine: FakeClock
) -> None:
    told(clock, machine, ahead_ms=HOUR_MS)
    machine.at_ms += HOUR_MS  # somebody mended the machine's clock
    told(clock, machine, ahead_ms=0)
    assert abs(clock.now_ms() - machine.at_ms) <= 10


def test_a_clock_set_back_while_a_record_was_under_way_teaches_nothing(
    clock: BrokerClock, machine: FakeClock
) -> None:
    sent_ms = machine.at_ms
    machine.at_ms -= HOUR_MS
    clock.learn(sent_ms=sent_ms, appended_ms=sent_ms + 5)
    assert clock.now_ms() == machine.at_ms


async def test_a_record_that_is_acknowledged_teaches_the_brokers_time(
    clock: BrokerClock, machine: FakeClock
) -> None:
    producer = FakeProducer()
    producer.appended_ms = NOW_MS + HOUR_MS
    await ask_time(producer, "v.workers", clock)
    assert clock.now_ms() == NOW_MS + HOUR_MS
    producer.refuse = {"v.workers"}
    await ask_time(producer, "v.workers", clock)
    assert clock.now_ms() == machine.at_ms + HOUR_MS


async def test_who_reads_the_signs_of_life_takes_it_for_none(machine: FakeClock) -> None:
    producer, watch = FakeProducer(), WorkerWatch(10, machine)
    await ask_time(producer, "v.workers", BrokerClock(machine))
    (record,) = producer.to("v.workers")
    assert record.value is not None
    watch.note(record.value, NOW_MS)
    assert watch.active() == []
