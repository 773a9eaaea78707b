"""The options of a task over HTTP: refused at the door, shown, kept by a retry, and searched by."""

from typing import Any

import pytest

from models.encoding import LONGEST_PROMPT, EncodeOptions, Truncate
from models.states import TaskState
from tests.unit.web.fakes import MODEL

SUBMIT = "/tasks/submit"


def text(**fields: Any) -> dict[str, Any]:
    return {"task_type": "text_vectorization", "data": "a text", **fields}


WRONG: list[tuple[dict[str, Any], str, str, object]] = [
    ({"dimensions": 3}, "dimensions", "not trained for 3; allowed: 2, 4", 3),
    ({"dimensions": 4, "model_name": "other"}, "dimensions", "allowed: 8", 4),
    ({"dimensions": 0}, "dimensions", "greater than or equal to 1", 0),
    ({"dimensions": True}, "dimensions", "valid integer", True),
    ({"dimensions": "2"}, "dimensions", "valid integer", "2"),
    ({"normalize": "yes"}, "normalize", "valid boolean", "yes"),
    ({"input_type": "poem"}, "input_type", "known: document, query, clustering", "poem"),
    ({"input_type": "clustering", "model_name": "other"}, "input_type", "known: document", None),
    ({"input_type": 5}, "input_type", "valid string", 5),
    ({"prompt": "p", "input_type": "query"}, "prompt", "either prompt or input_type", None),
    (
        {"prompt": "p" * (LONGEST_PROMPT + 1)},
        "prompt",
        "at most 2000",
        "a string of 2001 characters",
    ),
    ({"truncate": "middle"}, "truncate", "'end', 'start' or 'error'", "middle"),
    ({"encoding": "hex"}, "encoding", "'float' or 'base64'", "hex"),
]


@pytest.mark.parametrize("fields, field, reason, given", WRONG, ids=str)
async def test_a_wrong_option_is_refused_with_what_is_allowed(
    site: Any, fields: dict[str, Any], field: str, reason: str, given: object
) -> None:
    answer = await site.post(SUBMIT, text(**fields))
    assert (answer.status, answer.body["field"]) == (422, field)
    assert reason in answer.body["reason"]
    assert given is None or answer.body["given"] == given
    assert site.log.records == []


async def test_dimensions_that_are_not_trained_for_are_listed_as_numbers(site: Any) -> None:
    body = (await site.post(SUBMIT, text(dimensions=3))).body
    assert (body["given"], body["allowed"]) == (3, [2, 4])


async def test_in_a_batch_a_wrong_option_harms_its_own_task_alone(site: Any) -> None:
    answer = await site.post("/tasks/batch", [text(dimensions=3), text(dimensions=2)])
    assert (answer.body["accepted"], answer.body["refused"]) == (1, 1)
    assert answer.body["tasks"][0]["error"]["field"] == "dimensions"
    assert [record.dimensions for record in site.log.records] == [2]


async def test_the_record_says_what_the_client_chose_and_nothing_else(site: Any) -> None:
    await site.submit(dimensions=2, truncate="start")
    record = site.log.records[-1]
    assert (record.dimensions, record.truncate) == (2, Truncate.START)
    assert (record.normalize, record.input_type, record.prompt) == (None, None, None)


async def test_a_task_shows_how_its_texts_become_vectors(site: Any) -> None:
    chosen = {"dimensions": 2, "normalize": False, "truncate": "error", "encoding": "base64"}
    task_id = await site.submit(**chosen, input_type="query")
    assert (await site.get(f"/tasks/{task_id}")).body["options"] == {
        **chosen,
        "input_type": "query",
    }
    task_id = await site.submit(**chosen, prompt="title: ")
    assert (await site.get(f"/tasks/{task_id}")).body["options"] == {**chosen, "prompt": "title: "}


async def test_the_models_own_size_reads_as_all_dimensions(site: Any) -> None:
    task_id = await site.submit(dimensions=4)
    assert (await site.get(f"/tasks/{task_id}")).body["options"]["dimensions"] is None


async def test_a_retry_keeps_the_options(site: Any) -> None:
    chosen = {"dimensions": 2, "normalize": False, "prompt": "", "truncate": "start"}
    old = await site.submit(**chosen, encoding="base64")
    site.board.change(old, state=TaskState.FAILED, failed=1)
    answer = await site.post(f"/tasks/{old}/retry")
    assert answer.status == 202
    first, again = site.log.records
    kept = {*chosen, "encoding", "input_type"}
    assert again.model_dump(include=kept) == first.model_dump(include=kept)
    assert again.retry_of == old


async def test_the_same_key_with_another_option_is_another_body(site: Any) -> None:
    key = {"Idempotency-Key": "k"}
    assert (await site.post(SUBMIT, text(), headers=key)).status == 202
    assert (await site.post(SUBMIT, text(truncate="end"), headers=key)).status == 200
    answer = await site.post(SUBMIT, text(truncate="start"), headers=key)
    assert (answer.status, answer.body["field"]) == (422, "Idempotency-Key")


def asked(site: Any) -> EncodeOptions:
    """How the one query of a search was to be encoded."""
    [(passport, options)] = site.workers.asked
    assert passport == MODEL.passport_of(options)
    assert isinstance(options, EncodeOptions)
    return options


def space_of(**options: Any) -> str:
    return MODEL.passport_of(EncodeOptions(**options)).fingerprint


QUERIES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({}, {"prompt": "query: "}, {}),
    ({"input_type": "document"}, {}, {}),
    ({"prompt": "find: "}, {"prompt": "find: "}, {}),
    ({"prompt": ""}, {}, {}),
    ({"dimensions": 4}, {"prompt": "query: "}, {}),
    ({"dimensions": 2}, {"prompt": "query: ", "dimensions": 2}, {"dimensions": 2}),
    ({"normalize": False}, {"prompt": "query: ", "normalize": False}, {"normalize": False}),
    ({"stored_input_type": "clustering"}, {"prompt": "query: "}, {"prompt": "cluster: "}),
    ({"stored_prompt": "title: "}, {"prompt": "query: "}, {"prompt": "title: "}),
]


@pytest.mark.parametrize("fields, query, stored", QUERIES, ids=str)
async def test_a_query_has_its_own_prompt_and_looks_among_the_vectors_named(
    site: Any, fields: dict[str, Any], query: dict[str, Any], stored: dict[str, Any]
) -> None:
    answer = await site.post("/search", {"query": "four", **fields})
    assert answer.status == 200
    assert asked(site) == EncodeOptions(**query)
    [(space, vector, _, _)] = site.vectors.searched
    assert space.fingerprint == space_of(**stored)
    assert len(vector) == query.get("dimensions", 4)


async def test_a_search_looks_where_a_task_with_the_same_options_stored(site: Any) -> None:
    chosen = {"dimensions": 2, "normalize": False}
    task_id = await site.submit(**chosen)
    await site.post("/search", {"query": "four", **chosen})
    [(space, *_)] = site.vectors.searched
    assert space.fingerprint == site.board.rows[task_id].fingerprint


async def test_a_vector_of_fewer_dimensions_is_searched_among_its_like(site: Any) -> None:
    assert (await site.post("/search", {"vector": [1, 0], "dimensions": 2})).status == 200
    [(space, vector, _, _)] = site.vectors.searched
    assert (space.fingerprint, vector) == (space_of(dimensions=2), [1, 0])
    assert site.workers.asked == []


@pytest.mark.parametrize(
    "body, field, reason",
    [
        ({"query": "a", "dimensions": 3}, "dimensions", "allowed: 2, 4"),
        ({"vector": [1, 0, 0], "dimensions": 3}, "dimensions", "allowed: 2, 4"),
        ({"vector": [1, 0, 0, 0], "dimensions": 2}, "vector", "`dimensions` asks for 2"),
        ({"vector": [1, 0]}, "vector", "has 4 dimensions"),
        ({"vector": [1, 0, 0, 0], "dimensions": True}, "dimensions", "valid integer"),
        ({"query": "a", "normalize": 0}, "normalize", "valid boolean"),
        ({"query": "a", "input_type": "poem"}, "input_type", "known: document, query"),
        ({"vector": [1, 0, 0, 0], "prompt": "p: "}, "prompt", "a vector takes none"),
        ({"vector": [1, 0, 0, 0], "input_type": "query"}, "input_type", "a vector takes none"),
        ({"query": "a", "stored_input_type": "poem"}, "stored_input_type", "known: document"),
        ({"query": "a", "input_type": "query", "prompt": ""}, "prompt", "either prompt or"),
        (
            {"query": "a", "stored_input_type": "query", "stored_prompt": ""},
            "stored_prompt",
            "either stored_prompt or stored_input_type",
        ),
        ({"query": "a", "prompt": "p" * (LONGEST_PROMPT + 1)}, "prompt", "at most 2000"),
        ({"query": "a", "truncate": "end"}, "truncate", "unknown; there are: query"),
    ],
)
async def test_a_search_with_a_wrong_option_names_its_field(
    site: Any, body: dict[str, Any], field: str, reason: str
) -> None:
    answer = await site.post("/search", body)
    assert (answer.status, answer.body["field"]) == (422, field)
    assert reason in answer.body["reason"]
    assert site.vectors.searched == []


async def test_a_prompt_is_never_shown_in_a_refusal(site: Any) -> None:
    secret = ["secret words"]
    for path, body in (
        (SUBMIT, text(prompt=secret)),
        ("/search", {"query": "a", "prompt": secret}),
    ):
        answer = await site.post(path, body)
        assert answer.status == 422
        assert b"secret words" not in answer.raw
    long = "secret words" + "x" * LONGEST_PROMPT
    assert b"secret words" not in (await site.post(SUBMIT, text(prompt=long))).raw
