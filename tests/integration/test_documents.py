"""Documents end to end: a file goes in, and search says where in it a sentence stands."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from io import BytesIO
from typing import Any

import pytest
from aiohttp import MultipartWriter, web

from models.blob_refs import BlobRef
from tests.harness import Client, Log
from tests.harness.files import FORMATS, pdf
from tests.harness.waiting import until

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
OWN_SERVICE = True
SETTINGS = {
    "VECTORIZE_MASTER_TASK_DEFAULT_MODEL": MINILM,
    "VECTORIZE_MASTER_DOCUMENT_INLINE_BYTES": "1000",
    "VECTORIZE_MASTER_DOCUMENT_FETCH_ALLOWED_HOSTS": "127.0.0.1/32",
    "VECTORIZE_MASTER_DOCUMENT_FETCH_PORTS": "80,443," + ",".join(map(str, range(20000, 20050))),
}
#: Far apart from each other, each with a question that only it answers.
PAGES = (
    "The lighthouse keeper climbs the stairs every evening to light the lamp for the ships.",
    "Bread dough must rest in a warm place until the yeast has doubled its volume.",
    "The spacecraft entered the orbit of Saturn after a journey of seven years.",
)
QUESTIONS = ("who lights the lamp for ships", "how does yeast make dough rise", "probe at Saturn")
#: Chunks as short as a sentence, so that every sentence is found by itself.
CUT = {"chunk_tokens": 32, "chunk_overlap": 0}


def body(content: bytes, **more: Any) -> dict[str, Any]:
    data = b64encode(content).decode()
    return {"task_type": "document_vectorization", "data": data, **CUT, **more}


async def read(client: Client, content: bytes, **more: Any) -> dict[str, Any]:
    """Submit a document and wait for its end."""
    answer = await client.post("/tasks/submit?wait=60", body(content, **more))
    assert answer.status in {200, 202}, answer.text
    return await client.final(answer.json["task_id"])


async def hits(client: Client, query: str, collection: str, **more: Any) -> list[dict[str, Any]]:
    asked = {"query": query, "collection": collection, "limit": 3, **more}
    found: list[dict[str, Any]] = (await client.post("/search", asked)).json["hits"]
    return found


@pytest.mark.parametrize("name", FORMATS)
async def test_every_sentence_of_every_format_is_found_on_its_page(
    client: Client, collection: str, name: str
) -> None:
    write, paged = FORMATS[name]
    task = await read(client, write(PAGES), filename=f"file.{name}", collection=collection)
    assert (task["status"], task["error"]) == ("completed", None), task
    assert task["document"]["format"] == name
    assert task["total_items"] == task["completed_items"] >= len(PAGES) - (name in {"text", "eml"})
    for number, (question, sentence) in enumerate(zip(QUESTIONS, PAGES, strict=True), 1):
        best = (await hits(client, question, collection))[0]
        assert " ".join(sentence.split()[:5]) in " ".join(best["text"].split())
        assert best["filename"] == f"file.{name}"
        assert best["place"]["page"] == (number if paged else None) or not paged


async def test_the_result_names_each_chunks_place(client: Client, collection: str) -> None:
    task = await read(client, pdf(PAGES), collection=collection)
    page = (await client.get(f"/tasks/{task['task_id']}/result?vectors=false")).json
    assert [item["place"]["page"] for item in page["items"]] == [1, 2, 3]
    assert (task["document"]["pages"], task["document"]["pages_read"]) == (3, 3)


@pytest.mark.parametrize(
    "content,code",
    [
        (pdf(PAGES, password="secret"), "document_encrypted"),
        (pdf(PAGES)[:200], "document_unreadable"),
        (pdf([""]), "document_no_text"),
        (b"\x7fELF" + bytes(range(256)) * 40, "document_unsupported"),
        (b"  \n \n", "document_no_text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_document_that_cannot_be_read_fails_by_name_beside_one_that_can(
    client: Client, collection: str, content: bytes, code: str
) -> None:
    bad, good = await asyncio.gather(
        read(client, content, collection=collection), read(client, b"good", collection=collection)
    )
    assert (bad["status"], good["status"]) == ("failed", "completed")
    (item,) = (await client.get(f"/tasks/{bad['task_id']}/result")).json["items"]
    assert item["error"]["code"] == code
    assert bad["error"] == item["error"]["message"]


def counts(task: dict[str, Any]) -> tuple[int, int, int]:
    """Chunks of a task's document that were embedded, kept and deleted."""
    document = task["document"]
    kept = document["kept_items"]
    return task["completed_items"] - kept, kept, document["deleted_items"]


async def test_of_a_document_sent_again_only_what_changed_is_embedded(
    client: Client, collection: str
) -> None:
    changed = "The violinist tunes her instrument before the concert in the old opera house."
    first = await read(client, pdf(PAGES), document_id="doc", collection=collection)
    pages = (PAGES[2], changed, PAGES[0])
    again = await read(client, pdf(pages), document_id="doc", collection=collection)
    assert (first["status"], again["status"]) == ("completed", "completed"), again
    assert (counts(first), counts(again)) == ((3, 0, 0), (1, 2, 1))
    assert again["computed_items"] == 1
    in_doc = {"filter": {"document_id": "doc"}}
    found = {hit["item"]: hit for hit in await hits(client, QUESTIONS[0], collection, **in_doc)}
    assert {name: hit["place"]["page"] for name, hit in found.items()} == {
        "doc/0": 1, "doc/1": 2, "doc/2": 3,
    }  # fmt: skip
    assert {hit["task"] for hit in found.values()} == {again["task_id"]}
    assert found["doc/2"]["text"].startswith("The lighthouse keeper")
    items = (await client.get(f"/tasks/{again['task_id']}/result?vectors=false")).json["items"]
    assert [item["status"] for item in items] == ["stored"] * 3
    items = (await client.get(f"/tasks/{first['task_id']}/result")).json["items"]
    assert {item["status"] for item in items} == {"superseded"}


async def test_a_document_sent_again_as_it_was_embeds_nothing(
    client: Client, collection: str
) -> None:
    for embedded, kept in ((3, 0), (0, 3), (0, 3)):
        task = await read(client, pdf(PAGES), document_id="same", collection=collection)
        assert (task["status"], counts(task)) == ("completed", (embedded, kept, 0))


async def test_a_producer_sends_a_document_straight_into_kafka(
    client: Client, log: Log, collection: str
) -> None:
    task_id = f"doc-{collection}"
    await log.produce([body(pdf(PAGES), task_id=task_id, collection=collection)])

    async def known() -> bool:
        return (await client.get(f"/tasks/{task_id}")).status == 200

    await until("the task is known", known)
    task = await client.final(task_id)
    assert (task["status"], task["total_items"]) == ("completed", 3)


async def test_a_document_is_retried_whole(client: Client, collection: str) -> None:
    task = await read(client, pdf([""]), collection=collection)
    answer = await client.post(f"/tasks/{task['task_id']}/retry")
    assert answer.status == 202, answer.text
    assert (await client.final(answer.json["task_id"]))["status"] == "failed"


@pytest.mark.parametrize(
    "more,field",
    [
        ({"data": "no base64!"}, "data"),
        ({"chunk_tokens": 100_000}, "chunk_tokens"),
        ({"chunk_overlap": 30}, "chunk_overlap"),
        ({"item_ids": ["a"]}, "item_ids"),
        ({"filename": "a\nb"}, "filename"),
    ],
)
async def test_a_wrong_document_is_refused_at_the_door(
    client: Client, more: dict[str, Any], field: str
) -> None:
    answer = await client.post("/tasks/submit", body(b"x") | more)
    assert (answer.status, answer.json["field"]) == (422, field), answer.text


async def upload(client: Client, *files: tuple[str, bytes], **task: Any) -> list[dict[str, Any]]:
    """Upload files and wait for the ends of their tasks."""
    form = MultipartWriter("form-data")
    for name, content in files:
        part = form.append(BytesIO(content), {"Content-Type": "application/octet-stream"})
        part.set_content_disposition("form-data", name="file", filename=name, quote_fields=False)
    part = form.append_json(task)
    part.set_content_disposition("form-data", name="task")
    answer = await client.ask(
        "POST", "/tasks/upload", raw=await form.as_bytes(),
        headers={"Content-Type": f"multipart/form-data; boundary={form.boundary}"},
    )  # fmt: skip
    assert answer.status == 202, answer.text
    return [await client.final(slot["task_id"], limit_s=600) for slot in answer.json["tasks"]]


async def test_uploaded_files_are_read_from_the_blob_store(client: Client, collection: str) -> None:
    files = [("a.pdf", pdf(PAGES[:2])), ("b.txt", PAGES[2].encode())]
    tasks = await upload(client, *files, collection=collection, **CUT)
    assert [task["status"] for task in tasks] == ["completed"] * 2
    assert [task["document"]["format"] for task in tasks] == ["pdf", "text"]
    best = (await hits(client, QUESTIONS[2], collection))[0]
    assert best["filename"] == "b.txt"


async def test_a_file_that_is_too_large_for_its_record_is_read_all_the_same(
    client: Client, log: Log, collection: str
) -> None:
    content = "\n\n".join(PAGES * 20).encode()
    task = await read(client, content, collection=collection)
    assert task["status"] == "completed"
    records = await log.records("tasks")
    assert any(b"blob:sha256:" in (record.value or b"") for record in records)
    ref = str(BlobRef.of(content))
    again = {**body(b"", task_id=f"ref-{collection}", collection=collection), "data": ref}
    await client.post("/tasks/submit?wait=60", again)
    assert (await client.final(again["task_id"]))["total_items"] == task["total_items"]


async def test_a_blob_that_is_not_there_fails_by_name(client: Client, collection: str) -> None:
    gone = body(b"x", collection=collection) | {"data": str(BlobRef.of(b"never sent"))}
    answer = await client.post("/tasks/submit?wait=60", gone)
    task = await client.final(answer.json["task_id"])
    (item,) = (await client.get(f"/tasks/{task['task_id']}/result")).json["items"]
    assert (task["status"], item["error"]["code"]) == ("failed", "document_gone")


@asynccontextmanager
async def serving(content: bytes) -> AsyncIterator[str]:
    """A server of documents on one of the ports that may be fetched from."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=404 if "gone" in request.path else 200, body=content)

    app = web.Application()
    app.router.add_get("/{name}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    for port in range(20000, 20050):
        with suppress(OSError):
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            break
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def test_a_document_is_fetched_from_its_url_unless_it_must_not_be(
    client: Client, collection: str
) -> None:
    async with serving(pdf(PAGES)) as url:
        answers = [
            await client.post(
                "/tasks/submit?wait=60", body(b"x", collection=collection) | {"data": where}
            )
            for where in (f"{url}/a.pdf", f"{url}/gone.pdf", "http://127.0.0.2:80/a")
        ]
        tasks = [await client.final(answer.json["task_id"]) for answer in answers]
    assert [task["status"] for task in tasks] == ["completed", "failed", "failed"]
    assert tasks[0]["document"]["pages"] == 3
    assert "404" in tasks[1]["error"]
    assert "not public" in tasks[2]["error"]
    result = (await client.get(f"/tasks/{tasks[2]['task_id']}/result")).json
    assert result["items"][0]["error"]["code"] == "document_fetch_failed"
