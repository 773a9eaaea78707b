import pytest

from models.vectors import Space, StoredItem
from stores.weaviate_options import Address, WeaviateOptions
from stores.weaviate_writing import halves, split_batch
from tests.unit.stores.items import stored_item

SPACE = Space(tenant="default", collection="Books", fingerprint="f1")


def _items(count: int, text: str = "x") -> dict[int, StoredItem]:
    return {at: stored_item(index=at, space=SPACE, text=text) for at in range(count)}


def test_batches_are_bounded_in_number_and_keep_every_item_in_order() -> None:
    batches = list(split_batch(_items(10), most=4, most_bytes=10**9))
    assert [list(batch) for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_batches_are_bounded_in_bytes_and_one_large_item_goes_alone() -> None:
    batches = list(split_batch(_items(3, "ü" * 10_000), most=100, most_bytes=5_000))
    assert [list(batch) for batch in batches] == [[0], [1], [2]]


def test_nothing_makes_no_batch() -> None:
    assert list(split_batch({}, most=4, most_bytes=100)) == []


def test_halves_are_together_the_whole() -> None:
    first, second = halves(_items(5))
    assert list(first) + list(second) == [0, 1, 2, 3, 4]
    assert first
    assert second


@pytest.mark.parametrize(
    "url, grpc_url, http, grpc",
    [
        ("http://w:8080", "", ("w", 8080, False), ("w", 50051, False)),
        ("http://w:8080", "v:1", ("w", 8080, False), ("v", 1, False)),
        ("https://w", "", ("w", 443, True), ("w", 50051, True)),
        ("https://w", "grpc://v", ("w", 443, True), ("v", 50051, False)),
        ("http://w", "grpcs://v:443", ("w", 80, False), ("v", 443, True)),
    ],
)
def test_addresses_are_read_from_urls(
    url: str, grpc_url: str, http: tuple[str, int, bool], grpc: tuple[str, int, bool]
) -> None:
    options = WeaviateOptions(url=url, grpc_url=grpc_url)
    assert options.http == Address(*http)
    assert options.grpc == Address(*grpc)


@pytest.mark.parametrize("url", ["", "w:8080", "ftp://w", "http://"])
def test_an_address_without_scheme_or_host_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not a URL"):
        _ = WeaviateOptions(url=url).http


def test_the_api_key_is_never_shown() -> None:
    assert "secret" not in repr(WeaviateOptions(url="http://w", api_key="secret"))
