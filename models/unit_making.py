"""One unit record from the facts of its task, whether they come from an event or a row. Pure."""

from models.events import Accepted
from models.rows import TaskRow
from models.units import Unit, UnitItem

#: What a unit takes over from its task, under the same names.
_SHARED = tuple(
    sorted(set(Unit.model_fields) & set(Accepted.model_fields) & set(TaskRow.model_fields) - {"v"})
)


def unit_of(task: Accepted | TaskRow, number: int, items: list[UnitItem], sent_ms: int) -> Unit:
    """Build the unit `number` of a task."""
    shared = {name: getattr(task, name) for name in _SHARED}
    return Unit(**shared, number=number, items=items, sent_ms=sent_ms)
