"""What only the HTTP side can refuse: records that are gone, tables that do not exist."""

from collections.abc import Sequence

from models.errors import VectorizeError


class SourceGone(VectorizeError):
    """The task's own record has left the log, so its texts are not known any more."""

    def __init__(self, task_id: str) -> None:
        """Name the task."""
        super().__init__(
            f"the record of task {task_id} has left the log (retention); submit its texts again"
        )
        self.task_id = task_id


class UnknownTable(VectorizeError):
    """No such table."""

    def __init__(self, table: str, tables: Sequence[str]) -> None:
        """List the `tables` there are."""
        super().__init__(f"no table {table[:100]!r}; there are: {', '.join(tables)}")
        self.allowed = tuple(tables)


class Overloaded(VectorizeError):
    """Too much is in flight here; try again, or ask another master."""

    retry_after_s = 1

    def __init__(self, *, what: str, limit: int, given: int, setting: str) -> None:
        """Name the `limit` on `what`, the value it would have reached, and the `setting`."""
        super().__init__(f"{what} would be {given}, over the limit of {limit} (setting {setting})")
        self.limit = limit
        self.given = given
        self.setting = setting


class QueueFull(VectorizeError):
    """Too many tasks wait; nothing is lost, try again later."""

    retry_after_s = 5

    def __init__(self, *, what: str, limit: int, given: int, setting: str) -> None:
        """Name the `limit` on `what`, the value `given`, and the `setting`."""
        super().__init__(f"{what}: {given}, the limit is {limit} (setting {setting})")
        self.limit = limit
        self.given = given
        self.setting = setting


class UnknownPath(VectorizeError):
    """Nothing is served under this path."""
