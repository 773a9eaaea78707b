"""Which ports a stack's servers get."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.stack.placement import candidate_ports, place
from scripts.stack.ports import choose_port, free_port, is_free, owner_of
from scripts.stack.processes import ProcessRef, refer_to
from scripts.stack.recipe import Recipe
from scripts.stack.recipes import RECIPES
from scripts.stack.state import ServerState, StackState


@pytest.fixture
def busy_port() -> Iterator[int]:
    """A port this test listens on."""
    with socket.create_server(("127.0.0.1", free_port())) as server:
        yield server.getsockname()[1]


def _stack(*, process: ProcessRef | None, ephemeral: bool = False) -> StackState:
    redis = ServerState(
        name="redis",
        process=process,
        ports={"main": 20_001},
        url="redis://127.0.0.1:20001/0",
        settings={},
        log=Path("/nowhere/redis.log"),
    )
    state = StackState(directory=Path("/nowhere"), ephemeral=ephemeral)
    return state.with_server(redis)


def test_a_port_somebody_listens_on_is_not_free(busy_port: int) -> None:
    assert not is_free(busy_port)


def test_a_udp_port_in_use_is_not_free() -> None:
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gossip:
        gossip.bind(("127.0.0.1", port))
        assert not is_free(port)


def test_a_free_port_lies_below_those_lent_to_outgoing_connections() -> None:
    lent_from = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(lent_from.read_text().split()[0]) if lent_from.exists() else 32_768
    assert all(10_000 <= free_port() < max(first, 11_001) for _ in range(20))


def test_the_first_free_candidate_is_chosen(busy_port: int) -> None:
    wanted = free_port()
    assert choose_port([busy_port, wanted]) == wanted


def test_a_port_given_to_a_sibling_is_not_given_twice() -> None:
    wanted = free_port()
    assert choose_port([wanted], taken={wanted}) != wanted


def test_the_owner_of_a_taken_port_is_named(busy_port: int) -> None:
    assert "pid" in owner_of(busy_port) or owner_of(busy_port) == "another process"


def test_a_stack_that_is_down_goes_back_to_the_standard_port_first() -> None:
    assert candidate_ports(_stack(process=None), "redis", "main", 6379) == [6379, 20_001]


def test_a_stack_that_partly_runs_keeps_the_ports_its_clients_know() -> None:
    state = _stack(process=refer_to(os.getpid()))
    assert candidate_ports(state, "redis", "main", 6379) == [20_001, 6379]


def test_an_ephemeral_stack_never_asks_for_a_standard_port() -> None:
    state = StackState(directory=Path("/nowhere"), ephemeral=True)
    assert candidate_ports(state, "redis", "main", 6379) == []


def test_a_taken_standard_port_is_said_in_one_line(busy_port: int) -> None:
    said: list[str] = []
    usual = RECIPES["redis"]
    recipe = Recipe(**{**vars(usual), "ports": {"main": busy_port}})
    placed = place(StackState(directory=Path("/nowhere")), "redis", recipe, said.append)
    assert placed.ports["main"] != busy_port
    assert len(said) == 1
    assert said[0].startswith(f"port {busy_port} is taken by ")
    assert said[0].endswith(f"redis listens on {placed.ports['main']}")


def test_all_ports_of_a_server_differ() -> None:
    state = StackState(directory=Path("/nowhere"), ephemeral=True)
    placed = place(state, "weaviate", RECIPES["weaviate"], lambda _line: None)
    assert set(placed.ports) >= {"main", "grpc", "gossip", "data", "raft", "raft_rpc"}
    assert len(set(placed.ports.values())) == len(placed.ports)
