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


class UnknownPath(VectorizeError):
    """Nothing is served under this path."""
