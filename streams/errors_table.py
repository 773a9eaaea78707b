"""How the table `errors` is keyed and written: one value a task and unit."""

from pydantic import TypeAdapter

from models.units import ItemFailure

_FAILURES: TypeAdapter[list[ItemFailure]] = TypeAdapter(list[ItemFailure])


def error_key(task_id: str, unit: int) -> bytes:
    """Key of a unit's failures; unit 0 is intake's own refusals, n + 1 those of unit n."""
    return f"{task_id}/{unit}".encode()


def failures_to(failures: tuple[ItemFailure, ...]) -> bytes:
    """Write failures as the table's value."""
    return _FAILURES.dump_json(list(failures), exclude_none=True)


def failures_from(raw: bytes | None) -> list[ItemFailure]:
    """Read a value of the table; nothing stands for no failures."""
    return _FAILURES.validate_json(raw) if raw is not None else []
