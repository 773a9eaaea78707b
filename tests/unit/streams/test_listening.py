"""Ports: the wanted one, the next free one with a line, or an error that names the owner."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress

import pytest

from models.errors import StartRefused
from streams.listening import Listening, PortTaken, choose_port, is_free, owner_of, reachable_host

HOST = "127.0.0.1"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which this very process listens."""
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        yield server.getsockname()[1]


def choose(wanted: int, *, on_purpose: bool = False, host: str = HOST) -> Listening:
    return choose_port(host, wanted, purpose="web", setting="service.port", on_purpose=on_purpose)


@pytest.mark.parametrize("on_purpose", [True, False])
def test_a_free_port_is_taken_without_a_word(taken: int, on_purpose: bool) -> None:
    free = choose(0).port
    assert choose(free, on_purpose=on_purpose) == Listening(free)


def test_port_zero_means_any_free_port() -> None:
    chosen = choose(0, on_purpose=True)
    assert chosen.port > 0
    assert chosen.note is None
    assert is_free(HOST, chosen.port)


def test_a_taken_port_gives_the_next_free_one_and_a_line_that_says_so(taken: int) -> None:
    chosen = choose(taken)
    assert taken < chosen.port < taken + 100
    assert chosen.checked() == chosen.port
    assert chosen.note is not None
    for part in (str(taken), str(chosen.port), f"pid {os.getpid()}", "service.port", "web"):
        assert part in chosen.note
    assert "\n" not in chosen.note


def test_a_port_set_on_purpose_is_never_replaced_but_refused_with_its_owner(taken: int) -> None:
    chosen = choose(taken, on_purpose=True)
    assert chosen.port == taken
    with pytest.raises(PortTaken) as caught:
        chosen.checked()
    assert isinstance(caught.value, StartRefused)
    for part in (str(taken), f"pid {os.getpid()}", "service.port"):
        assert part in caught.value.message


def test_behind_the_highest_port_any_free_one_is_taken() -> None:
    with socket.socket() as server:
        with suppress(OSError):  # then somebody else holds it: as good
            server.bind((HOST, 65_535))
        chosen = choose(65_535)
    assert 0 < chosen.port < 65_535
    assert chosen.note is not None


#: Addresses of either family that this machine can bind.
HOSTS = ["127.0.0.1", "0.0.0.0", *(["::", "::1"] if socket.has_dualstack_ipv6() else [])]


@pytest.mark.parametrize("host", HOSTS)
def test_an_address_of_either_family_has_free_ports(host: str) -> None:
    free = choose(0, host=host).port
    assert choose(free, host=host, on_purpose=True) == Listening(free)


def test_an_unknown_owner_is_another_process() -> None:
    assert owner_of(choose(0).port) == "another process"


@pytest.mark.parametrize(
    "host, shown", [("0.0.0.0", "localhost"), ("::", "localhost"), ("", "localhost"), ("h", "h")]
)
def test_a_bound_address_is_shown_as_a_browser_can_open_it(host: str, shown: str) -> None:
    assert reachable_host(host) == shown
