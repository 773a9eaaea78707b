"""URLs made to reach the inside of a network: none of them may reach the canary on loopback."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from stores.fetch_errors import HostUnknown, UrlRefused
from stores.guarded_fetch import FetchOptions, GuardedFetch
from tests.unit.stores.loopback import KnownNames, Served, Wire, serving, taken

#: Names and where they lead; several rows: the answer changes from question to question.
NAMES = {
    "localhost": [["127.0.0.1", "::1"]],
    "localhost.localdomain": [["127.0.0.1"]],
    "canary.test": [["127.0.0.1"]],
    "xn--bcher-kva.test": [["127.0.0.1"]],
    "127.0.0.1.nip.test": [["127.0.0.1"]],
    "canary-v6.test": [["::1"]],
    "unspecified.test": [["0.0.0.0"]],
    "unspecified-v6.test": [["::"]],
    "mapped.test": [["::ffff:127.0.0.1"]],
    "compatible.test": [["::127.0.0.1"]],
    "nat64.test": [["64:ff9b::7f00:1"]],
    "nat64-local.test": [["64:ff9b:1::7f00:1"]],
    "6to4.test": [["2002:7f00:1::"]],
    "teredo.test": [["2001:0:7f00:1::1"]],
    "lan.test": [["192.168.1.1"]],
    "pod.test": [["10.0.0.5"]],
    "docker.test": [["172.17.0.1"]],
    "cgnat.test": [["100.64.0.1"]],
    "metadata.google.internal": [["169.254.169.254"]],
    "metadata-v6.test": [["fd00:ec2::254"]],
    "alibaba.test": [["100.100.100.200"]],
    "oracle.test": [["192.0.0.192"]],
    "azure.test": [["168.63.129.16"]],
    "link-local.test": [["169.254.1.1"]],
    "link-local-v6.test": [["fe80::1"]],
    "zone.test": [["fe80::1%lo"]],
    "site-local.test": [["fec0::1"]],
    "ula.test": [["fd12:3456::1"]],
    "multicast.test": [["224.0.0.1"]],
    "multicast-v6.test": [["ff02::1"]],
    "broadcast.test": [["255.255.255.255"]],
    "documentation.test": [["192.0.2.1"]],
    "documentation-v6.test": [["2001:db8::1"]],
    "reserved.test": [["240.0.0.1"]],
    "many.test": [["127.0.0.1", "10.0.0.5", "::1", "169.254.169.254"]],
    "not-an-address.test": [["canary.test"]],
}

BY_NAME = {
    f"the name {name}": f"http://{name}:PORT/" for name in NAMES if not name.startswith("xn")
}

WRITTEN = {
    "loopback": "http://127.0.0.1:PORT/",
    "loopback with TLS": "https://127.0.0.1:PORT/",
    "another loopback address": "http://127.0.0.2:PORT/",
    "loopback with a last dot": "http://127.0.0.1.:PORT/",
    "loopback as one number": "http://2130706433:PORT/",
    "loopback in hexadecimal": "http://0x7f000001:PORT/",
    "loopback in hexadecimal parts": "http://0x7f.0x0.0x0.0x1:PORT/",
    "loopback in octal": "http://017700000001:PORT/",
    "loopback in octal parts": "http://0177.0.0.01:PORT/",
    "loopback in two parts": "http://127.1:PORT/",
    "loopback in three parts": "http://127.0.1:PORT/",
    "loopback in mixed parts": "http://0x7f.1:PORT/",
    "loopback in full-width digits": "http://１２７.0.0.1:PORT/",  # noqa: RUF001
    "loopback in circled digits": "http://①②⑦.⓪.⓪.①:PORT/",
    "loopback with ideographic stops": "http://127。0。0。1:PORT/",
    "loopback in escapes": "http://%31%32%37.0.0.1:PORT/",
    "zero": "http://0:PORT/",
    "unspecified": "http://0.0.0.0:PORT/",
    "loopback of IPv6": "http://[::1]:PORT/",
    "loopback of IPv6 in full": "http://[0:0:0:0:0:0:0:1]:PORT/",
    "unspecified of IPv6": "http://[::]:PORT/",
    "mapped": "http://[::ffff:127.0.0.1]:PORT/",
    "mapped in hexadecimal": "http://[::ffff:7f00:1]:PORT/",
    "compatible": "http://[::127.0.0.1]:PORT/",
    "translated": "http://[::ffff:0:127.0.0.1]:PORT/",
    "NAT64": "http://[64:ff9b::127.0.0.1]:PORT/",
    "NAT64 of a site": "http://[64:ff9b:1::7f00:1]:PORT/",
    "6to4": "http://[2002:7f00:1::]:PORT/",
    "Teredo": "http://[2001:0:7f00:1::1]:PORT/",
    "with a zone": "http://[fe80::1%25lo]:PORT/",
    "private 10": "http://10.0.0.1/",
    "private 172": "http://172.16.0.1/",
    "private 192": "http://192.168.0.1/",
    "CGNAT": "http://100.64.0.1/",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "metadata as one number": "http://2852039166/latest/meta-data/",
    "metadata mapped": "http://[::ffff:a9fe:a9fe]/",
    "metadata of AWS over IPv6": "http://[fd00:ec2::254]/",
    "metadata of Alibaba": "http://100.100.100.200/",
    "metadata of Oracle": "http://192.0.0.192/",
    "the wire server of Azure": "http://168.63.129.16/",
    "multicast": "http://224.0.0.1/",
    "broadcast": "http://255.255.255.255/",
    "a name in circled letters": "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:PORT/",
    "a name in capitals with a dot": "http://LOCALHOST.:PORT/",
    "a name with an umlaut": "http://bücher.test:PORT/",
    "a public name as user": "http://example.com@127.0.0.1:PORT/",
    "a public name as user and password": "http://example.com:80@127.0.0.1:PORT/",
    "a public name behind a fragment": "http://127.0.0.1:PORT#@example.com/",
    "a public name behind a query": "http://127.0.0.1:PORT?@example.com/",
    "a backslash before an at sign": "http://127.0.0.1:PORT\\@example.com/",
    "a second port": "http://127.0.0.1:PORT:80/",
    "a tab in the address": "http://127.0.\t0.1:PORT/",
    "a line feed in the address": "http://127.0.0.1\n:PORT/",
    "a null behind the address": "http://127.0.0.1\x00.example.com:PORT/",
    "another port": "http://127.0.0.1:22/",
    "a file": "file:///etc/passwd",
    "a file on a host": "file://127.0.0.1:PORT/etc/passwd",
    "gopher": "gopher://127.0.0.1:PORT/_GET",
    "dict": "dict://127.0.0.1:PORT/info",
    "ftp": "ftp://127.0.0.1:PORT/",
    "a Docker socket": "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "a WebSocket": "ws://127.0.0.1:PORT/",
    "no scheme": "//127.0.0.1:PORT/",
    "no host": "http:127.0.0.1:PORT/",
}

HOSTILE = {**BY_NAME, **WRITTEN}


async def welcome(wire: Wire) -> None:
    await wire.head()
    await wire.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")


@pytest.fixture
async def canary() -> AsyncIterator[Served]:
    """Listens on both loopback families at one port; `hits` counts connections to either."""
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serving(welcome))
        try:
            other = await stack.enter_async_context(serving(welcome, "::1", served.port))
        except OSError:  # a machine without IPv6
            other = Served()
        yield served
        served.hits += other.hits
    assert served.hits == 0


def fetcher(canary: Served, names: dict[str, list[list[str]]] | None = None) -> GuardedFetch:
    """The canary's port is allowed, or the ports would refuse what the addresses must."""
    options = FetchOptions(timeout_s=10.0, ports=(80, 443, canary.port))
    return GuardedFetch(options, resolver=KnownNames(names or NAMES))


def test_there_are_enough_of_them() -> None:
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("url", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_url_does_not_reach_the_inside(url: str, canary: Served) -> None:
    with pytest.raises(UrlRefused, match="data: "):
        await fetcher(canary).fetch(url.replace("PORT", str(canary.port)))


@pytest.mark.parametrize("name", ["localhost", "localhost.", "127.1", "0x7f.1", "2130706433"])
async def test_the_resolver_of_the_system_opens_no_way_in(name: str, canary: Served) -> None:
    fetch = GuardedFetch(FetchOptions(timeout_s=10.0, ports=(canary.port,)))
    with pytest.raises(UrlRefused, match="not public"):
        await fetch.fetch(f"http://{name}:{canary.port}/")
    await fetch.close()


async def test_a_name_that_changes_its_address_is_judged_when_it_is_connected_to(
    canary: Served,
) -> None:
    names = {"rebinding.test": [["8.8.8.8"], ["127.0.0.1"]]}
    resolver = KnownNames(names)
    options = FetchOptions(timeout_s=10.0, ports=(canary.port,))
    seen_first = await resolver.resolve("rebinding.test")  # by whoever looked at it before us
    with pytest.raises(UrlRefused, match=r"rebinding\.test leads to an address that is not public"):
        await GuardedFetch(options, resolver=resolver).fetch(
            f"http://rebinding.test:{canary.port}/"
        )
    assert (seen_first[0]["host"], resolver.asked) == ("8.8.8.8", ["rebinding.test"] * 2)


async def test_an_allowed_host_that_redirects_to_itself_is_judged_again(canary: Served) -> None:
    async def redirect(wire: Wire) -> None:
        await wire.head()
        place = f"http://rebinding.test:{canary.port}/"
        await wire.send(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\n\r\n")

    names = {"rebinding.test": [["127.0.0.2"], ["127.0.0.1"]]}
    async with serving(redirect, "127.0.0.2", canary.port) as server:
        options = FetchOptions(
            timeout_s=10.0, ports=(canary.port,), allowed_hosts=("127.0.0.2/32",)
        )
        with pytest.raises(UrlRefused, match="not public"):
            await GuardedFetch(options, resolver=KnownNames(names)).fetch(
                f"http://rebinding.test:{canary.port}/"
            )
    assert server.hits == 1


async def test_of_several_addresses_only_the_open_ones_are_connected_to(canary: Served) -> None:
    names = {"mixed.test": [["127.0.0.1", "127.0.0.2"]]}
    async with serving(welcome, "127.0.0.2", canary.port) as server:
        options = FetchOptions(
            timeout_s=10.0, ports=(canary.port,), allowed_hosts=("127.0.0.2/32",)
        )
        fetch = GuardedFetch(options, resolver=KnownNames(names))
        fetched = await fetch.fetch(f"http://mixed.test:{canary.port}/")
    assert (taken(fetched), server.hits) == (b"secret", 1)


async def test_a_name_beside_an_allowed_one_does_not_share_its_address(canary: Served) -> None:
    options = FetchOptions(
        timeout_s=10.0, ports=(canary.port,), allowed_hosts=("lan.test", f"canary.test:{1}")
    )
    fetch = GuardedFetch(options, resolver=KnownNames(NAMES))
    for name in ("localhost", "127.0.0.1", "canary.test"):
        with pytest.raises(UrlRefused):
            await fetch.fetch(f"http://{name}:{canary.port}/")


async def test_a_proxy_of_the_environment_is_not_used(
    canary: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
    with pytest.raises(HostUnknown, match=r"example\.com leads to no address"):
        await fetcher(canary).fetch("http://example.com/")


async def test_a_refusal_names_neither_the_address_nor_the_query(canary: Served) -> None:
    with pytest.raises(UrlRefused) as caught:
        await fetcher(canary).fetch("http://pod.test/path?token=secret")
    assert caught.value.message == (
        "data: pod.test leads to an address that is not public; private ones can be "
        "opened by the setting document.fetch_allowed_hosts"
    )
    assert caught.value.__suppress_context__, "a traceback would show the whole URL"
