from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stores.address_rules import AllowList, Reach, canonical_host, reach_of

CLOSED = [
    "0.0.0.0",
    "0.1.2.3",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.255",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:8.8.8.8",
    "64:ff9b::169.254.169.254",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PRIVATE = [
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "127.0.0.1",
    "127.255.255.254",
    "100.64.0.1",
    "100.127.255.255",
    "::1",
    "fc00::1",
    "fd12:3456::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.255.255",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80b::200e",
]


@pytest.mark.parametrize("text", CLOSED)
def test_an_address_that_is_never_opened(text: str) -> None:
    assert reach_of(ip_address(text)) is Reach.NEVER


@pytest.mark.parametrize("text", PRIVATE)
def test_an_address_that_only_the_allow_list_opens(text: str) -> None:
    assert reach_of(ip_address(text)) is Reach.PRIVATE


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_that_everybody_reaches(text: str) -> None:
    assert reach_of(ip_address(text)) is Reach.PUBLIC


@given(st.ip_addresses())
def test_no_address_that_python_calls_private_is_public(address: object) -> None:
    judged = ip_address(str(address))
    assert reach_of(judged) is not Reach.PUBLIC or judged.is_global


@given(st.ip_addresses(v=4))
def test_no_ipv4_address_is_reached_in_an_ipv6_disguise(address: IPv4Address) -> None:
    number = int(address)
    for disguise in (
        f"::ffff:{address}",
        f"::{address}",
        f"64:ff9b::{address}",
        f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1",
    ):
        assert reach_of(ip_address(disguise)) is not Reach.PUBLIC


@pytest.mark.parametrize(
    "given_host, canonical",
    [
        ("Example.COM.", "example.com"),
        ("example.com..", "example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("under_score.example", "under_score.example"),
        ("127.0.0.1.", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0x7f.0.0.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("::FFFF:7F00:1", "::ffff:7f00:1"),
    ],
)
def test_a_host_has_one_form(given_host: str, canonical: str) -> None:
    found = canonical_host(given_host)
    assert found is not None
    assert (found, canonical_host(found)) == (canonical, canonical)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "a..b",
        "-a.example",
        "a b",
        "a%2eb",
        "a/b",
        "a@b",
        "a\x00b",
        "1.2.3.4.5",
        "256.256.256.256",
        "127.0.0.0x",
        "0xg.0.0.1.1",
        "fe80::1%eth0",
        "::1::",
        "bücher.example",
        "a" * 64 + ".example",
        "a." * 127 + "example",
    ],
)
def test_what_is_neither_a_name_nor_an_address(host: str) -> None:
    assert canonical_host(host) is None


def permits(entry: str, host: str, port: int, address: str) -> bool:
    return AllowList.of([entry]).permits(host, port, ip_address(address))


@pytest.mark.parametrize("entry", ["files.inside", "FILES.inside.", "files.inside:8080"])
def test_a_named_host_may_lead_to_a_private_address(entry: str) -> None:
    assert permits(entry, "files.inside", 8080, "10.0.0.5")
    assert permits(entry, "files.inside", 8080, "8.8.8.8")
    assert not permits(entry, "other.inside", 8080, "10.0.0.5"), "it has the same address"


def test_an_entry_with_a_port_opens_that_port_alone() -> None:
    assert not permits("files.inside:8080", "files.inside", 80, "10.0.0.5")


@pytest.mark.parametrize("entry", ["10.0.0.5", "10.0.0.5:80", "0x0a000005"])
def test_an_entry_that_is_an_address_opens_that_address_and_no_name(entry: str) -> None:
    assert permits(entry, "10.0.0.5", 80, "10.0.0.5")
    assert not permits(entry, "files.inside", 80, "10.0.0.5")


@pytest.mark.parametrize("entry", ["[fd12::5]:80", "fd12::5", "[fd12::5]", "fd12::/64"])
def test_an_entry_may_be_an_ipv6_address_or_network(entry: str) -> None:
    assert permits(entry, "fd12::5", 80, "fd12::5")
    assert not permits(entry, "fd13::5", 80, "fd13::5")


def test_a_network_opens_its_addresses_for_every_name() -> None:
    assert permits("10.0.0.0/8", "files.inside", 80, "10.0.0.5")
    assert not permits("10.0.0.0/8", "files.inside", 80, "192.168.0.5")


@pytest.mark.parametrize("address", CLOSED)
def test_no_entry_opens_what_is_never_open(address: str) -> None:
    allowed = AllowList.of(["host.inside", "0.0.0.0/0", "::/0", "169.254.169.254"])
    assert not allowed.permits("host.inside", 80, ip_address(address))
    assert not allowed.permits("169.254.169.254", 80, ip_address(address))


@pytest.mark.parametrize(
    "entry",
    ["", "*", "*.inside", "http://files.inside/", "10.0.0.5/8", "a b", "files.inside:0",
     "files.inside:65536", "files.inside:http", "10.0.0.0/33", ":80"],
)  # fmt: skip
def test_an_entry_that_opens_nothing_is_refused_by_name(entry: str) -> None:
    with pytest.raises(ValueError, match=r"document\.fetch_allowed_hosts: "):
        AllowList.of([entry])
