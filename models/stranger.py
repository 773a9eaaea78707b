"""A task record from a stranger: any Kafka client may produce to `vectorize.tasks`. Pure."""

from dataclasses import dataclass

from pydantic import ValidationError

from models.errors import InvalidRequest, NewerRecord
from models.ids import TaskId, task_id_for_key, task_id_for_source
from models.splitting import TaskLimits, check_request
from models.strict_json import load_strict
from models.tasks import RECORD_VERSION, TaskRequest


@dataclass(frozen=True, slots=True)
class Found:
    """A good record: what is asked for, and the id of the task it is."""

    request: TaskRequest
    task_id: TaskId


def read_task(raw: bytes, *, topic: str, partition: int, offset: int, limits: TaskLimits) -> Found:
    """Read a record of `vectorize.tasks`.

    The id is the body's own, else named by its idempotency key, else by the record's place, so
    that a replay never makes a second task. Raises InvalidRequest for what can never be a task,
    NewerRecord for what a newer version wrote.
    """
    body = load_strict(raw, max_depth=limits.max_json_depth)
    if not isinstance(body, dict):
        raise InvalidRequest(field="body", reason="a task is a JSON object")
    version = body.get("v", RECORD_VERSION)
    if isinstance(version, int) and version > RECORD_VERSION:
        raise NewerRecord(given=version, known=RECORD_VERSION)
    request = validated(body)
    check_request(request, limits)
    return Found(request, _id_of(request, topic, partition, offset))


def validated(body: dict[str, object]) -> TaskRequest:
    """Validate a parsed body; raise InvalidRequest naming the first field that is wrong."""
    try:
        return TaskRequest.model_validate(body)
    except ValidationError as error:
        raise _named(error) from error


def _named(error: ValidationError) -> InvalidRequest:
    found = error.errors(include_url=False, include_input=False)
    # A union tells of each branch: the one that looked deepest knows which item it is.
    alike = (each for each in found if each["loc"][:1] == found[0]["loc"][:1])
    first = max(alike, key=lambda each: sum(isinstance(part, int) for part in each["loc"]))
    if first["type"] == "value_error":
        field, _, reason = str(first["ctx"]["error"]).partition(": ")
        return InvalidRequest(field=field, reason=reason)
    return InvalidRequest(field=_path(first["loc"]), reason=first["msg"])


def _path(location: tuple[int | str, ...]) -> str:
    """Write pydantic's location as a client writes it: `data[3]`; union branches are left out."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not path or ("[" not in part and part.isidentifier() and part not in _BRANCHES):
            path += f".{part}" if path else part
    return path or "body"


_BRANCHES = {"str", "int", "list", "literal", "constrained"}


def _id_of(request: TaskRequest, topic: str, partition: int, offset: int) -> TaskId:
    if request.task_id is not None:
        return TaskId(request.task_id)
    if request.idempotency_key is not None:
        return task_id_for_key(request.tenant, request.idempotency_key)
    return task_id_for_source(topic, partition, offset)
