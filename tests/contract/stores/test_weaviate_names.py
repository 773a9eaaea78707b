"""Names are the client's to choose, and Weaviate quotes them: none may be read as its own words."""

from dataclasses import replace
from uuid import uuid4

import pytest

from models.states import ItemErrorCode
from models.vectors import Space
from stores.weaviate import WeaviateStore
from stores.weaviate_options import IndexOptions, WeaviateOptions
from tests.unit.stores.items import stored_item, unit_vector

pytestmark = pytest.mark.integration

#: What Weaviate or its client says of an outage, or of two that make one collection at once.
WORDS = (
    "Error404",
    "raft",
    "forbidden",
    "Timeouts",
    "UnavailableGoods",
    "unauthorized",
    "class404",
)


@pytest.mark.parametrize("word", WORDS)
async def test_what_a_collection_and_a_tenant_are_called_says_nothing_of_weaviate(
    weaviate_options: WeaviateOptions, word: str
) -> None:
    """The item refused is its own client's; taken for an outage, it would hold up everybody."""
    store = WeaviateStore(replace(weaviate_options, index=IndexOptions(most_spaces=1)))
    space = Space(tenant=word, collection=f"{word}{uuid4().hex}", fingerprint="f1")
    other = space.model_copy(update={"fingerprint": "f2"})
    nobody = space.model_copy(update={"tenant": f"{word}-2"})
    try:
        assert await store.write([stored_item(space=space)]) == [None]
        wrong = stored_item(index=1, space=space, vector=unit_vector(0, 4), dimension=4)
        for item, words in ((wrong, "length 4"), (stored_item(space=other), "2 spaces")):
            (failure,) = await store.write([item])
            assert failure is not None
            assert failure.code is ItemErrorCode.STORE_REFUSED
            assert words in failure.message
        assert await store.results(nobody, "task-a", first=0, count=9, with_vectors=False) == {}
        assert await store.delete_task(nobody, "task-a") == 0
    finally:
        await store.close()
