"""From a parsed body to a TaskRequest: one validation, and refusals a client can act on."""

import re
from collections.abc import Iterable

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from models.errors import InvalidRequest
from models.ids import DEFAULT_TENANT
from models.splitting import TaskLimits, check_request
from models.states import TaskType
from models.tasks import RECORD_VERSION, TaskRequest
from web.queries import at_most

#: What the service itself writes into a task's record; over HTTP nobody else does.
RESERVED = frozenset({"retry_of", "submitted_ms", "tenant", "traceparent"})
FIELDS = tuple(name for name in TaskRequest.model_fields if name not in RESERVED)
#: Own ids that would be hidden behind the fixed routes of the same name.
HIDDEN_IDS = frozenset({"submit", "batch"})
_LONGEST_ID = 256
_ID = re.compile(rf"[^\x00-\x1f\x7f]{{1,{_LONGEST_ID}}}")
_LONGEST_SHOWN = 100  # characters of a given value
#: The fields whose values are the client's texts: never shown in a refusal.
_PAYLOADS = ("data", "metadata", "query", "prompt", "stored_prompt")

Path = tuple[int | str, ...]


def task_request(raw: object, limits: TaskLimits) -> TaskRequest:
    """Validate what a client sent as a task; raise InvalidRequest or LimitExceeded."""
    if not isinstance(raw, dict):
        raise InvalidRequest(field="body", reason="a task is a JSON object", given=shown(raw))
    _check_names(raw)
    _check_sizes(raw, limits)
    try:
        request = TaskRequest.model_validate(raw)
    except ValidationError as error:
        raise refusal_of(error, raw) from error
    check_request(request, limits)
    _check_values(request)
    return request


def _check_names(raw: dict[str, object]) -> None:
    for name in raw.keys() - set(FIELDS):
        if name in RESERVED and (name != "tenant" or raw[name] != DEFAULT_TENANT):
            raise InvalidRequest(field=name, reason="is set by the service")
        if name not in RESERVED:
            known = ", ".join(FIELDS)
            raise InvalidRequest(
                field=name[:_LONGEST_SHOWN], reason=f"unknown field; there are: {known}"
            )


def _check_sizes(raw: dict[str, object], limits: TaskLimits) -> None:
    """Check before pydantic what would make it collect millions of complaints."""
    for name in ("data", "item_ids"):
        value = raw.get(name)
        if isinstance(value, list):
            what = "the number of texts" if name == "data" else "the number of ids"
            most = limits.max_items
            at_most(len(value), most, field=name, what=what, setting="task.max_items")
            _check_strings(name, value)
    metadata = raw.get("metadata")
    if isinstance(metadata, dict):
        at_most(
            len(orjson.dumps(metadata)),
            limits.max_metadata_bytes,
            field="metadata",
            what="its size in bytes",
            setting="task.max_metadata_bytes",
        )


def _check_strings(name: str, values: list[object]) -> None:
    """Stop at the first that is no string, or no id; pydantic would complain of each."""
    for index, value in enumerate(values):
        if not isinstance(value, str):
            raise InvalidRequest(
                field=f"{name}[{index}]", reason="must be a string", given=shown(value)
            )
        if name == "item_ids" and not _ID.fullmatch(value):
            reason = f"must be 1–{_LONGEST_ID} characters, none a control character"
            raise InvalidRequest(field=f"{name}[{index}]", reason=reason)


def _check_values(request: TaskRequest) -> None:
    if request.v != RECORD_VERSION:
        raise InvalidRequest(
            field="v", reason=f"this service takes version {RECORD_VERSION}", given=request.v
        )
    if request.task_id in HIDDEN_IDS:
        raise InvalidRequest(
            field="task_id", reason="is a word of this API's paths", given=request.task_id
        )
    if request.idempotency_key is not None and not request.idempotency_key.isprintable():
        raise InvalidRequest(field="idempotency_key", reason="must be printable")


def refusal_of(error: ValidationError, raw: object) -> InvalidRequest:
    """Name the deepest thing that is wrong, as a client writes it: `data[3]`, `priority`."""
    found = error.errors(include_url=False, include_input=False)
    paths = [_real_path(detail["loc"], raw) for detail in found]
    deepest = max(range(len(found)), key=lambda at: len(paths[at]))
    path, detail = paths[deepest], found[deepest]
    if detail["type"] == "value_error" and not path:
        field, _, reason = str(detail.get("ctx", {}).get("error", "")).partition(": ")
        return InvalidRequest(field=field, reason=reason)
    value = _at(raw, path)
    if path == ("task_type",) and detail["type"] == "enum":
        allowed = ", ".join(TaskType)
        return InvalidRequest(
            field="task_type", reason=f"unknown task type; allowed: {allowed}", given=shown(value)
        )
    alike = (other for other, where in zip(found, paths, strict=True) if where == path)
    given = shown(value, payload=bool(path) and path[0] in _PAYLOADS)
    missing = detail["type"] == "missing"
    return InvalidRequest(
        field=_written(path), reason=_told(alike), given=None if missing else given
    )


def _told(details: Iterable[ErrorDetails]) -> str:
    """What the branches of a union say, each once, as one sentence."""
    said = dict.fromkeys(detail["msg"].removeprefix("Value error, ") for detail in details)
    first, *others = said
    return " or ".join([first, *(other.removeprefix("Input should be ") for other in others)])


def _real_path(location: Path, raw: object) -> Path:
    """Leave out of pydantic's location what names a branch of a union, not a place in `raw`."""
    path: list[int | str] = []
    value = raw
    for part in location:
        if isinstance(value, list) and isinstance(part, int):
            value = value[part]
        elif isinstance(value, dict) and isinstance(part, str) and (part in value or not path):
            value = value.get(part)
        else:
            continue
        path.append(part)
    return tuple(path)


def _at(raw: object, path: Path) -> object:
    value = raw
    for part in path:
        value = value[part] if isinstance(value, list) and isinstance(part, int) else value
        value = value.get(part) if isinstance(value, dict) else value
    return value


def _written(path: Path) -> str:
    written = ""
    for part in path:
        written += f"[{part}]" if isinstance(part, int) else f".{part}" if written else part
    return written[:_LONGEST_SHOWN] or "body"


def shown(value: object, *, payload: bool = False) -> str | int | float:
    """Show a given value in a refusal: small scalars as they are, anything else by its kind."""
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        short = not payload and len(value) <= _LONGEST_SHOWN
        return value if short else f"a string of {len(value)} characters"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "null" if value is None else "an object"
