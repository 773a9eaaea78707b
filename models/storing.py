"""The object of one item of a unit: its place, what it says, and its vector. Pure."""

from models.ids import chunk_identity, item_identity, item_key, object_id
from models.units import ItemOutcome, Unit, UnitItem
from models.vectors import Passport, StoredItem, Vector


def stored_item(
    unit: Unit, item: UnitItem, passport: Passport, *, vector: Vector, outcome: ItemOutcome
) -> StoredItem:
    """Build what is written of `item`, with `vector`, `(dim,) float32`."""
    document = unit.document
    document_id = document.document_id if document else None
    if document_id is not None and item.chunk is not None:
        identity = chunk_identity(document_id, item.chunk)
    else:
        identity = item_identity(unit.task_id, item.index, item.own_id)
    fingerprint = unit.fingerprint
    return StoredItem(
        object_id=object_id(unit.tenant, unit.collection, identity, 0, fingerprint=fingerprint),
        tenant=unit.tenant,
        collection=unit.collection,
        task_id=unit.task_id,
        index=item.index,
        item=item_key(unit.task_id, item.index, item.own_id),
        own_id=item.own_id is not None,
        text=item.text,
        submitted_ms=unit.submitted_ms,
        passport=passport,
        vector=vector,
        metadata=unit.metadata,
        tokens=outcome.tokens,
        truncated=outcome.truncated,
        place=item.place,
        document_id=document_id,
        filename=document.filename if document else None,
    )
