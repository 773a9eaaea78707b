"""docs/asyncapi.yaml says what the public topics carry."""

from typing import Any

import jsonschema
import orjson
import pytest
import yaml

from models.ids import DEFAULT_TENANT
from models.rows import TaskRow
from models.states import FINAL, Lane, TaskState, TaskType
from models.tasks import TaskRequest
from models.units import SourcePlace
from streams.announcing import announcement
from tests.docs.asyncapi import NAMES, OWN, PAGE, written


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(PAGE.read_text())
    return loaded


def test_the_page_is_what_the_models_say() -> None:
    assert PAGE.read_text() == written(), "run: .venv/bin/python -m tests.docs.asyncapi"


def test_both_public_topics_are_described(page: dict[str, Any]) -> None:
    described = {channel["address"] for channel in page["channels"].values()}
    assert described == {NAMES.tasks, NAMES.results}


@pytest.mark.parametrize("state", sorted(FINAL))
def test_an_announcement_is_as_described(page: dict[str, Any], state: TaskState) -> None:
    row = TaskRow(
        task_id="t", tenant=DEFAULT_TENANT, version=3, state=state, body_hash="h", model="m",
        source=SourcePlace(partition=0, offset=0), task_type=TaskType.TEXT, fingerprint="f",
        collection="C", lane=Lane.NORMAL, submitted_ms=1, finished_ms=2, last_event_ms=2,
        total_items=1, total_units=1, traceparent="00-a-b-01",
    )  # fmt: skip
    note = announcement(row)
    headers = {name: value.decode() for name, value in note.headers}
    described = page["components"]["messages"]["finished"]["headers"]
    jsonschema.validate(orjson.loads(note.value), page["components"]["schemas"]["Finished"])
    jsonschema.validate(headers, described)
    assert set(headers) == set(described["properties"])


@pytest.mark.parametrize(
    "task",
    [
        {"task_type": "text_vectorization", "data": "one"},
        {"task_type": "batch_vectorization", "data": ["one", "two"], "priority": "high",
         "metadata": {"deep": [{"er": 1}]}, "item_ids": ["a", "b"], "task_id": "t-1"},
        {"task_type": "text_vectorization", "data": "one", "dimensions": 128, "normalize": False,
         "prompt": "passage: ", "truncate": "error", "encoding": "base64"},
    ],
)  # fmt: skip
def test_what_the_service_takes_is_as_described(page: dict[str, Any], task: Any) -> None:
    TaskRequest.model_validate(task)
    jsonschema.validate(task, page["components"]["schemas"]["Task"])


def test_a_producer_is_not_told_of_the_services_own_fields(page: dict[str, Any]) -> None:
    assert not set(OWN) & set(page["components"]["schemas"]["Task"]["properties"])
