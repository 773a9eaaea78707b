"""docs/asyncapi.yaml, written from the models: `python -m tests.docs.asyncapi`."""

import json
import sys
from typing import Any

import yaml
from pydantic import TypeAdapter

from models.states import FINAL, TaskType
from models.tasks import TaskRequest
from streams.topics import TopicNames, TopicOptions
from tests.docs.conftest import ROOT

PAGE = ROOT / "docs" / "asyncapi.yaml"
NAMES = TopicNames(TopicOptions().prefix)
#: Filled in by the service; a producer leaves them out.
OWN = ("submitted_ms", "retry_of", "tenant")

_TEXT: dict[str, Any] = {"type": "string"}
_TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_MAYBE: dict[str, Any] = {"type": ["string", "null"]}


def document() -> dict[str, Any]:
    """The AsyncAPI 3.0 document of the two public topics."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Vectorize",
            "version": "0.1.0",
            "description": "The public topics: tasks in, announcements of finished tasks out. "
            "Names carry the prefix of the setting kafka.topic_prefix.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": {"host": "localhost:9092", "protocol": "kafka"}},
        "channels": {
            "tasks": {
                "address": NAMES.tasks,
                "description": "Keyed by task id; a record under another key or without one is "
                "taken too. What can never be a task goes to the dead letters.",
                "messages": {"task": {"$ref": "#/components/messages/task"}},
            },
            "results": {
                "address": NAMES.results,
                "description": "One record per finished task, at least once; a repeat has the "
                "same ce_id.",
                "messages": {"finished": {"$ref": "#/components/messages/finished"}},
            },
        },
        "operations": {
            "takeTask": {"action": "receive", "channel": {"$ref": "#/channels/tasks"}},
            "announceFinished": {"action": "send", "channel": {"$ref": "#/channels/results"}},
        },
        "components": {
            "messages": {
                "task": {
                    "title": "A task",
                    "payload": {"$ref": "#/components/schemas/Task"},
                    "bindings": {"kafka": {"key": {**_TEXT, "description": "The task id."}}},
                },
                "finished": {
                    "title": "A task has reached its final state",
                    "headers": _headers(),
                    "payload": {"$ref": "#/components/schemas/Finished"},
                    "bindings": {"kafka": {"key": {**_TEXT, "description": "The task id."}}},
                },
            },
            "schemas": {"Task": _task(), "Finished": _finished()},
        },
    }


def _task() -> dict[str, Any]:
    reference = "#/components/schemas/{model}"
    schema = TypeAdapter(TaskRequest).json_schema(ref_template=reference)
    definitions = schema.pop("$defs", {})
    for name in OWN:
        schema["properties"].pop(name)
    schema["properties"]["metadata"] = {
        **schema["properties"]["metadata"],
        "additionalProperties": True,
    }
    return _inlined(schema, definitions)


def _inlined(value: Any, definitions: dict[str, Any]) -> Any:
    """Put definitions where they are referred to: enumerations, each used once."""
    if isinstance(value, dict):
        name = str(value.get("$ref", "")).rpartition("/")[2]
        if name in definitions:
            own = {key: one for key, one in value.items() if key != "$ref"}
            return {**_inlined(definitions[name], definitions), **own}
        return {key: _inlined(one, definitions) for key, one in value.items()}
    if isinstance(value, list):
        return [_inlined(one, definitions) for one in value]
    return value


def _headers() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "CloudEvents 1.0, binary content mode of the Kafka binding.",
        "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time"],
        "properties": {
            "ce_specversion": {"const": "1.0"},
            "ce_id": {**_TEXT, "description": "The task id and its state: the same at a repeat."},
            "ce_source": {"const": "/vectorize/tasks"},
            "ce_type": {"enum": sorted(f"vectorize.task.{state}" for state in FINAL)},
            "ce_subject": {**_TEXT, "description": "The task id."},
            "ce_time": {**_TIME, "description": "When the task reached its final state."},
            "ce_traceparent": {**_TEXT, "description": "The W3C trace context of the submit."},
            "content-type": {"const": "application/json"},
        },
    }


def _finished() -> dict[str, Any]:
    properties: dict[str, Any] = {
        "v": {"const": 1},
        "task_id": _TEXT,
        "tenant": _TEXT,
        "status": {"enum": sorted(FINAL)},
        "task_type": {"enum": list(TaskType)},
        "model_name": _TEXT,
        "collection": _TEXT,
        "total_items": _COUNT,
        "completed_items": {**_COUNT, "description": "Items whose vectors are stored."},
        "failed_items": _COUNT,
        "computed_items": {**_COUNT, "description": "Vectors that the model computed."},
        "deduplicated_items": {
            **_COUNT,
            "description": "Vectors taken from an equal text that was under way.",
        },
        "cached_items": {**_COUNT, "description": "Vectors taken from the cache."},
        "error": {**_MAYBE, "description": "The first reason of a failed item."},
        "metadata": {"type": "object"},
        "retry_of": _MAYBE,
        "created_at": _TIME,
        "completed_at": _TIME,
        "links": {
            "type": "object",
            "required": ["task", "result"],
            "properties": {"task": _TEXT, "result": _TEXT},
        },
    }
    return {
        "type": "object",
        "description": "Counts and links, no vectors.",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


class _Plain(yaml.SafeDumper):
    """No anchors: the same small schema may stand in several places."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def written() -> str:
    """The page's text."""
    plain = json.loads(json.dumps(document()))
    head = "# Written by `python -m tests.docs.asyncapi` from the models; do not edit.\n"
    return head + yaml.dump(plain, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=100)


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)} written\n")
