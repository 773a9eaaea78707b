"""The paths that carry a task id. The pattern keeps `/tasks/submit` from being a task."""

from models.ids import TASK_ID_PATTERN

_ID = TASK_ID_PATTERN.pattern
TASK_ID = f"{{task_id:(?!(?:submit|batch)$){_ID}}}"
TASK = f"/tasks/{TASK_ID}"
