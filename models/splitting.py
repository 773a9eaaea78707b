"""From a request to units: which items may go on, and how they are cut into micro-batches. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import orjson

from models.documents import ChunkOptions
from models.errors import InvalidRequest, LimitExceeded
from models.file_sources import file_source, image_sources
from models.states import ItemErrorCode
from models.tasks import TaskRequest
from models.units import Cut, ItemFailure, UnitItem

#: How a document is cut that does not say.
CHUNK_DEFAULTS = ChunkOptions(tokens=256, overlap=32)
#: Bytes an item adds to its unit's record beside its text and id.
ITEM_OVERHEAD_BYTES = 32


@dataclass(frozen=True, slots=True)
class TaskLimits:
    """How much one task may bring (settings task.*)."""

    max_items: int = 10_000
    max_text_bytes: int = 262_144
    max_metadata_bytes: int = 16_384
    max_deadline_s: float = 604_800.0
    max_json_depth: int = 32
    max_file_bytes: int = 104_857_600
    max_images: int = 256
    chunks: ChunkOptions = CHUNK_DEFAULTS
    """How a document is cut that does not say."""
    unit_items: int = 64
    unit_bytes: int = 393_216
    max_units: int = 1024

    @property
    def cut(self) -> Cut:
        """Those of the limits that decide which items make which unit."""
        return Cut(
            max_text_bytes=self.max_text_bytes,
            unit_items=self.unit_items,
            unit_bytes=self.unit_bytes,
            max_units=self.max_units,
        )

    def cut_as(self, cut: Cut | None) -> "TaskLimits":
        """The same limits, but cutting as a task was cut before."""
        return replace(self, **cut.model_dump()) if cut is not None else self


def check_request(request: TaskRequest, limits: TaskLimits) -> None:
    """Raise InvalidRequest or LimitExceeded for what no part of the task can survive.

    An empty or oversized text among others fails alone later; as a task's only text it is refused
    here.
    """
    if request.is_document:
        check_file(request, limits)
    elif request.is_image:
        _check_images(request, limits)
    else:
        _check_texts(request, limits)
    metadata_bytes = len(orjson.dumps(request.metadata))
    _at_most(
        metadata_bytes,
        limits.max_metadata_bytes,
        field="metadata",
        what="its size in bytes",
        setting="task.max_metadata_bytes",
    )
    for field in ("deadline_s", "queue_timeout_s", "run_timeout_s"):
        _at_most(
            getattr(request, field) or 0,  # may be larger than any integer of an answer
            int(limits.max_deadline_s),
            field=field,
            what="it",
            setting="task.max_deadline_s",
        )


def _check_texts(request: TaskRequest, limits: TaskLimits) -> None:
    if not request.texts:
        raise InvalidRequest(field="data", reason="the list is empty; send at least one text")
    _at_most(
        len(request.texts),
        limits.max_items,
        field="data",
        what="the number of texts",
        setting="task.max_items",
    )
    if isinstance(request.data, str):
        _check_only_text(request.data, limits)


def _check_images(request: TaskRequest, limits: TaskLimits) -> None:
    if not request.images:
        raise InvalidRequest(field="data", reason="the list is empty; send at least one image")
    _at_most(
        len(request.images),
        limits.max_images,
        field="data",
        what="the number of images",
        setting="document.max_images",
    )
    for index, source in enumerate(image_sources(request)):
        _at_most(
            source.size_bytes or 0,
            limits.max_file_bytes,
            field=f"data[{index}]",
            what="the image's size in bytes",
            setting="document.max_file_bytes",
        )


def check_file(request: TaskRequest, limits: TaskLimits) -> None:
    """Raise InvalidRequest or LimitExceeded for a document that cannot be one."""
    _at_most(
        file_source(request).size_bytes or 0,
        limits.max_file_bytes,
        field="data",
        what="the file's size in bytes",
        setting="document.max_file_bytes",
    )


def _at_most(given: float, limit: int, *, field: str, what: str, setting: str) -> None:
    if given > limit:
        raise LimitExceeded(field=field, what=what, limit=limit, given=given, setting=setting)


def _check_only_text(text: str, limits: TaskLimits) -> None:
    if not text.strip():
        raise InvalidRequest(field="data", reason="the text is empty")
    _at_most(
        json_bytes(text),
        limits.max_text_bytes,
        field="data",
        what="the text's size in bytes",
        setting="task.max_text_bytes",
    )


def json_bytes(text: str) -> int:
    """Count the bytes `text` takes inside a JSON record, quotes included."""
    return len(orjson.dumps(text))


def refused_items(request: TaskRequest, limits: TaskLimits) -> list[ItemFailure]:
    """List the items that cannot go on, each with its reason."""
    found = (_refusal(i, text, limits) for i, text in enumerate(request.texts))
    own_ids = request.item_ids
    return [
        refusal.model_copy(update={"own_id": own_ids[refusal.index]}) if own_ids else refusal
        for refusal in found
        if refusal is not None
    ]


def _refusal(index: int, text: str, limits: TaskLimits) -> ItemFailure | None:
    if not text.strip():
        return ItemFailure(
            index=index, code=ItemErrorCode.EMPTY_TEXT, message=f"data[{index}]: the text is empty"
        )
    # Six bytes is the most one character takes in JSON: short texts need no measuring.
    if len(text) * 6 + 2 > limits.max_text_bytes and json_bytes(text) > limits.max_text_bytes:
        return ItemFailure(
            index=index,
            code=ItemErrorCode.TEXT_TOO_LARGE,
            message=f"data[{index}]: {json_bytes(text)} bytes, over the limit of"
            f" {limits.max_text_bytes} (setting task.max_text_bytes)",
        )
    return None


def split(
    request: TaskRequest, refused: Sequence[ItemFailure], limits: TaskLimits
) -> list[list[UnitItem]]:
    """Cut the remaining items into units, in order.

    How is told at `cut_items`.
    """
    left_out = {failure.index for failure in refused}
    own_ids = request.item_ids
    items = [
        UnitItem(index=i, text=text, own_id=own_ids[i] if own_ids else None)
        for i, text in enumerate(request.texts)
        if i not in left_out
    ]
    return cut_items(items, request.batch_size, limits.cut)


def cut_items(items: list[UnitItem], batch_size: int | None, cut: Cut) -> list[list[UnitItem]]:
    """Cut `items` into units, in order.

    A unit holds up to `batch_size` (or the limit) items and `unit_bytes` bytes; both give way
    where a task would otherwise need more than `max_units` units.
    """
    wanted = min(batch_size or cut.unit_items, cut.unit_items)
    most_items, most_bytes = max(wanted, -(-len(items) // cut.max_units)), cut.unit_bytes
    units = list(_cut(items, most_items, most_bytes))
    while len(units) > cut.max_units:
        most_items, most_bytes = most_items * 2, most_bytes * 2
        units = list(_cut(items, most_items, most_bytes))
    return units


def _cut(items: list[UnitItem], most_items: int, most_bytes: int) -> Iterator[list[UnitItem]]:
    unit: list[UnitItem] = []
    size = 0
    for item in items:
        item_bytes = json_bytes(item.text) + len(item.own_id or "") * 6 + ITEM_OVERHEAD_BYTES
        if unit and (len(unit) >= most_items or size + item_bytes > most_bytes):
            yield unit
            unit, size = [], 0
        unit.append(item)
        size += item_bytes
    if unit:
        yield unit
