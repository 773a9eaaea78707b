"""One unit record from the facts of its task, whether they come from an event or a row. Pure."""

from models.events import Accepted
from models.files import FileOrder
from models.rows import TaskRow
from models.units import Unit, UnitItem

#: What a unit takes over from its task, under the same names.
_SHARED = tuple(
    sorted(
        set(Unit.model_fields)
        & set(Accepted.model_fields)
        & set(TaskRow.model_fields) - {"v", "reading"}
    )
)


def unit_of(
    task: Accepted | TaskRow | FileOrder, number: int, items: list[UnitItem], sent_ms: int
) -> Unit:
    """Build the unit `number` of a task; of a document that is read, as its order says."""
    shared = {name: getattr(task, name) for name in _SHARED}
    if task.document is not None:  # where its files are is nobody's business from here on
        shared["document"] = task.document.model_copy(
            update={"images": None, "url": None, "blob": None}
        )
    reading = task.reading if isinstance(task, FileOrder) else None
    return Unit(**shared, number=number, items=items, sent_ms=sent_ms, reading=reading)
