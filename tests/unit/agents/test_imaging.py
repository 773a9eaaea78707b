"""Imaging: each image of a task is found, made ready, and fails by itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agents.imaging import Imaging
from models.blob_refs import BlobRef
from models.documents import ChunkOptions, DocumentRefused
from models.errors import BlobStoreUnavailable
from models.files import FileOrder, Obtained
from models.images import Pixels, PixelSpec
from models.states import ItemErrorCode
from models.units import DocumentFacts, ImageFacts
from streams.turns import Turns
from tests.unit.agents.test_extract import order
from tests.unit.streams.fakes import FakeClock

SPEC = PixelSpec(resize=(1, 1), tokens=2)
REF = str(BlobRef.of(b"x"))


class Desk:
    """Prepares images whose file is a letter, and obtains what stands under a name."""

    def __init__(self, **elsewhere: bytes | Exception) -> None:
        self.elsewhere = elsewhere
        self.spec: PixelSpec | None = SPEC
        self.clock = FakeClock()
        self.fetch_ms = 0
        self.obtained: bytes | None = None

    async def prepare(self, content: bytes, spec: PixelSpec) -> Pixels:
        assert spec == SPEC
        if content in self.elsewhere.values():
            assert content is self.obtained, "it is used outside of its room"
        if not content.isalpha():
            raise DocumentRefused(ItemErrorCode.DOCUMENT_UNREADABLE, "it is broken")
        return Pixels(1, 1, content[:1] * 3)

    @asynccontextmanager
    async def content(self, order: FileOrder) -> AsyncIterator[Obtained]:
        found = self.elsewhere["blob" if order.document.blob else "url"]
        self.clock.at_ms += self.fetch_ms
        if isinstance(found, Exception):
            raise found
        self.obtained = found
        yield Obtained(found)
        self.obtained = None

    async def read(self, inline: bytes, *images: ImageFacts) -> Any:
        imaging = Imaging(
            self, self, spec_of=lambda model: self.spec, turns=Turns(1), clock=self.clock
        )
        facts = DocumentFacts(images=list(images), chunks=ChunkOptions(tokens=8))
        return await imaging.read(order(document=facts.model_dump()), inline)


async def test_images_come_along_lie_in_the_blob_store_or_are_fetched() -> None:
    desk = Desk(blob=b"b", url=b"u")
    found = await desk.read(
        b"aacc",
        ImageFacts(size=2, own_id="first"),
        ImageFacts(blob=REF),
        ImageFacts(size=2),
        ImageFacts(url="https://x/"),
    )
    pixels = [item.pixels.data[:1] for item in found.items]
    assert (pixels, found.failures) == ([b"a", b"b", b"c", b"u"], [])
    assert [(item.index, item.own_id, item.shape) for item in found.items] == [
        (0, "first", (1, 1)), (1, None, (1, 1)), (2, None, (1, 1)), (3, None, (1, 1)),
    ]  # fmt: skip


async def test_an_image_that_cannot_be_found_or_read_fails_alone_and_is_named() -> None:
    gone = DocumentRefused(ItemErrorCode.DOCUMENT_GONE, "data: it is gone")
    found = await Desk(blob=gone).read(
        b"1a", ImageFacts(size=1, own_id="x"), ImageFacts(blob=REF), ImageFacts(size=1)
    )
    assert [item.index for item in found.items] == [2]
    assert [(each.index, each.own_id, each.code, each.message) for each in found.failures] == [
        (0, "x", ItemErrorCode.DOCUMENT_UNREADABLE, "data[0]: it is broken"),
        (1, None, ItemErrorCode.DOCUMENT_GONE, "data[1]: it is gone"),
    ]


async def test_images_from_slow_servers_do_not_stand_before_others_for_hours() -> None:
    desk = Desk(url=b"u")
    desk.fetch_ms = 200_000
    urls = [ImageFacts(url=f"https://x/{at}") for at in range(4)]
    found = await desk.read(b"z", *urls, ImageFacts(size=1))
    assert [item.index for item in found.items] == [0, 1, 4]
    assert {failure.code for failure in found.failures} == {ItemErrorCode.DOCUMENT_FETCH_FAILED}
    assert "send fewer at a time" in found.failures[0].message


async def test_an_outage_says_nothing_of_an_image() -> None:
    with pytest.raises(BlobStoreUnavailable):
        await Desk(blob=BlobStoreUnavailable()).read(b"", ImageFacts(blob=REF))


async def test_a_model_without_images_fails_them_by_name() -> None:
    desk = Desk()
    desk.spec = None
    [failure] = (await desk.read(b"a", ImageFacts(size=1))).failures
    assert failure.code is ItemErrorCode.MODEL_UNAVAILABLE
