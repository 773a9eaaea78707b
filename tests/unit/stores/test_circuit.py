"""The circuit breaker: an outage is asked about now and then, by one caller, and ends by itself."""

import pytest

from models.errors import VectorStoreUnavailable
from stores.circuit import FAILURES, PROBE_S, Circuit
from stores.vector_store import VectorStoreBusy
from tests.unit.embedding.fakes import FakeClock


class Server:
    def __init__(self) -> None:
        self.away = False
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.away:
            raise VectorStoreUnavailable("away")
        return "answer"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def circuit(clock: FakeClock) -> Circuit:
    return Circuit(lambda: VectorStoreUnavailable("the circuit is open"), clock)


async def failing(circuit: Circuit, server: Server, times: int) -> list[str]:
    told: list[str] = []
    for _ in range(times):
        with pytest.raises(VectorStoreUnavailable) as raised:
            await circuit.call(server)
        told.append(raised.value.message)
    return told


async def test_an_outage_is_asked_about_once_a_probe_however_many_call(
    circuit: Circuit, server: Server, clock: FakeClock
) -> None:
    server.away = True
    told = await failing(circuit, server, 50)
    assert told == ["away"] * FAILURES + ["the circuit is open"] * (50 - FAILURES)
    for _ in range(10):
        clock.at_s += PROBE_S
        await failing(circuit, server, 50)
    assert server.calls == FAILURES + 10


async def test_the_first_call_that_succeeds_lets_all_through_again(
    circuit: Circuit, server: Server, clock: FakeClock
) -> None:
    server.away = True
    await failing(circuit, server, FAILURES)
    assert circuit.is_open
    server.away = False
    await failing(circuit, server, 1)
    clock.at_s += PROBE_S
    for _ in range(5):
        assert await circuit.call(server) == "answer"
    assert not circuit.is_open


async def test_failures_now_and_then_open_nothing(circuit: Circuit, server: Server) -> None:
    for _ in range(20):
        server.away = True
        await failing(circuit, server, FAILURES - 1)
        server.away = False
        assert await circuit.call(server) == "answer"
    assert not circuit.is_open


async def test_an_error_that_is_no_outage_opens_nothing(circuit: Circuit) -> None:
    async def wrong() -> str:
        raise ValueError("wrong")

    for _ in range(FAILURES + 1):
        with pytest.raises(ValueError, match="wrong"):
            await circuit.call(wrong)
    assert not circuit.is_open


async def test_a_server_that_answers_that_it_is_busy_is_not_away(
    circuit: Circuit, server: Server
) -> None:
    """One tenant whose objects cannot be stored now must not hold up the others."""

    async def busy() -> str:
        raise VectorStoreBusy

    for _ in range(FAILURES * 2):
        with pytest.raises(VectorStoreBusy):
            await circuit.call(busy)
    assert await circuit.call(server) == "answer"


async def test_a_busy_answer_ends_an_outage(
    circuit: Circuit, server: Server, clock: FakeClock
) -> None:
    server.away = True
    await failing(circuit, server, FAILURES)
    clock.at_s += PROBE_S

    async def busy() -> str:
        raise VectorStoreBusy

    with pytest.raises(VectorStoreBusy):
        await circuit.call(busy)
    assert not circuit.is_open
