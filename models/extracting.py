"""What is told of a document that was read, and the items that its chunks become."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from models.documents import UNREAD, Extraction
from models.events import Extracted
from models.files import FileOrder
from models.ids import chunk_key
from models.image_units import reading_of_images
from models.manifests import KeptChunk, reading_of
from models.states import ItemErrorCode
from models.units import ItemFailure, SourcePlace, UnitItem


def items_of(order: FileOrder, found: Extraction, new: Mapping[int, str] | None) -> list[UnitItem]:
    """The chunks to embed; with a document id each has an own id, and the name of its text.

    `new` has the keys of chunks to embed, by index; None: all are.
    """
    document_id = order.document.document_id
    if document_id is None or new is None:
        return [
            UnitItem(index=at, text=chunk.text, place=chunk.place) for at, chunk in found.chunks()
        ]
    return [
        UnitItem(
            index=at,
            text=chunk.text,
            own_id=chunk_key(document_id, at),
            place=chunk.place,
            chunk=new[at],
        )
        for at, chunk in found.chunks()
        if at in new
    ]


def page_failures(order: FileOrder, found: Extraction) -> list[ItemFailure]:
    """The pages that could not be read, as failed items."""
    document_id = order.document.document_id
    return [
        ItemFailure(
            index=at,
            code=ItemErrorCode.PAGE_UNREADABLE,
            message=f"page {fault.page}: {fault.message}",
            own_id=None if document_id is None else chunk_key(document_id, at),
        )
        for at, fault in found.faults()
    ]


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Who read a document, since when, and when that is told."""

    worker: str
    begun_ms: int
    at_ms: int


class _Common(TypedDict):
    task_id: str
    tenant: str
    traceparent: str | None
    source: SourcePlace
    worker: str
    begun_ms: int
    at_ms: int


def _common(order: FileOrder, told: Circumstances) -> _Common:
    """What is told whatever became of a document."""
    return {
        "task_id": order.task_id,
        "tenant": order.tenant,
        "traceparent": order.traceparent,
        "source": order.source,
        "worker": told.worker,
        "begun_ms": told.begun_ms,
        "at_ms": told.at_ms,
    }


def document_read(
    order: FileOrder,
    found: Extraction,
    kept: Sequence[KeptChunk] | None,
    *,
    units: int,
    told: Circumstances,
) -> Extracted:
    """A document was read; `kept` None: it has no id, and nothing is to be closed after it."""
    return Extracted(
        **_common(order, told),
        reading=reading_of(found.digest(), kept or ()),
        total_items=len(found.parts),
        total_units=units,
        closes=kept is not None,
        kept=len(kept or ()),
        failures=page_failures(order, found),
        format=found.format,
        charset=found.charset,
        pages=found.pages,
    )


def images_read(
    order: FileOrder,
    items: Sequence[UnitItem],
    failures: Sequence[ItemFailure],
    *,
    units: int,
    told: Circumstances,
) -> Extracted:
    """Images were made ready, as `items`; the others failed."""
    return Extracted(
        **_common(order, told),
        reading=reading_of_images(items),
        total_items=len(order.document.images or ()),
        total_units=units,
        failures=list(failures),
        format="image",
    )


def document_failed(
    order: FileOrder, code: ItemErrorCode, message: str, *, told: Circumstances
) -> Extracted:
    """It is the one item of its task, and it failed."""
    failure = ItemFailure(index=0, code=code, message=message, own_id=order.document.document_id)
    return Extracted(
        **_common(order, told),
        reading=UNREAD,
        total_items=1,
        total_units=0,
        failures=[failure],
    )
