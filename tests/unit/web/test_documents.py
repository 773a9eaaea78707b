"""Documents over HTTP: in a task, large ones as claim checks, and as they are by upload."""

from base64 import b64encode
from typing import Any

import pytest
from aiohttp import FormData

from models.blob_refs import BlobRef

SMALL, LARGE = b"x" * 100, b"y" * 101


def document(content: bytes = SMALL, **more: Any) -> dict[str, Any]:
    data = b64encode(content).decode()
    return {"task_type": "document_vectorization", "data": data, **more}


def sent(site: Any) -> list[str]:
    """The `data` of each task on the log."""
    return [request.data for request in site.log.records]


async def test_a_small_file_travels_in_its_record(site: Any) -> None:
    answer = await site.post("/tasks/submit", document())
    assert answer.status == 202
    assert (answer.body["total_items"], site.blobs.held) == (0, {})
    assert sent(site) == [b64encode(SMALL).decode()]


async def test_a_large_file_becomes_a_blob_and_its_record_a_claim_check(site: Any) -> None:
    for _ in range(2):
        assert (await site.post("/tasks/submit", document(LARGE))).status == 202
    ref = str(BlobRef.of(LARGE))
    assert (sent(site), site.blobs.held) == ([ref, ref], {ref: LARGE})


async def test_the_same_large_file_under_one_key_is_one_task(site: Any) -> None:
    key = {"Idempotency-Key": "k"}
    first = await site.post("/tasks/submit", document(LARGE), headers=key)
    again = await site.post("/tasks/submit", document(LARGE), headers=key)
    other = await site.post("/tasks/submit", document(LARGE + b"z"), headers=key)
    assert first.body["task_id"] == again.body["task_id"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (other.status, other.body["type"].rpartition(":")[2]) == (422, "idempotency-conflict")


async def test_without_the_blob_store_a_large_file_may_be_sent_again_later(site: Any) -> None:
    site.blobs.down = True
    answer = await site.post("/tasks/submit", document(LARGE))
    assert (answer.status, answer.body["type"].rpartition(":")[2]) == (
        503, "blob-store-unavailable",
    )  # fmt: skip
    assert (answer.body["retryable"], sent(site)) == (True, [])
    assert (await site.post("/tasks/submit", document(SMALL))).status == 202


async def test_a_file_over_the_limit_is_refused_with_limit_size_and_setting(site: Any) -> None:
    answer = await site.post("/tasks/submit", document(b"x" * 5001))
    told = answer.body
    assert (answer.status, told["limit"], told["given"]) == (422, 5000, 5001)
    assert told["setting"] == "document.max_file_bytes"


async def test_each_uploaded_file_is_a_task_with_what_is_the_same_for_all(site: Any) -> None:
    task = {"metadata": {"k": 1}, "chunk_tokens": 12, "priority": "low"}
    answer = await site.upload(("a.pdf", SMALL), ("b é.docx", LARGE), task=task)
    assert (answer.status, answer.body["accepted"], answer.body["refused"]) == (202, 2, 0)
    assert [slot["filename"] for slot in answer.body["tasks"]] == ["a.pdf", "b é.docx"]
    assert sent(site) == [str(BlobRef.of(SMALL)), str(BlobRef.of(LARGE))]
    for request, name in zip(site.log.records, ("a.pdf", "b é.docx"), strict=True):
        assert (request.filename, request.metadata, request.chunk_tokens) == (name, {"k": 1}, 12)
        assert request.priority == "low"


async def test_one_uploaded_file_may_have_names_of_its_own(site: Any) -> None:
    task = {"document_id": "d", "task_id": "t-1", "filename": "other.txt"}
    answer = await site.upload(("a.txt", SMALL), task=task)
    assert answer.body["tasks"][0]["task_id"] == "t-1"
    [request] = site.log.records
    assert (request.document_id, request.filename) == ("d", "other.txt")


@pytest.mark.parametrize(
    "given,shown",
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.txt", "a.txt"),
        ("/", None),
        ("a" * 300 + ".pdf", "a" * 255),
    ],
)
async def test_a_files_name_is_never_a_path(site: Any, given: str, shown: str | None) -> None:
    answer = await site.upload((given, SMALL))
    assert (answer.status, answer.body["tasks"][0]["filename"]) == (202, shown)
    assert site.log.records[0].filename == shown


async def test_a_file_that_is_too_large_fails_beside_those_that_are_not(site: Any) -> None:
    answer = await site.upload(("a", SMALL), ("b", b"z" * 5001), ("c", SMALL))
    assert (answer.status, answer.body["accepted"], answer.body["refused"]) == (202, 2, 1)
    slot = answer.body["tasks"][1]
    assert (slot["filename"], slot["error"]["limit"]) == ("b", 5000)
    assert slot["error"]["setting"] == "document.max_file_bytes"


async def test_an_upload_without_any_good_file_is_a_problem_with_its_slots(site: Any) -> None:
    answer = await site.upload(("a", b"z" * 5001))
    assert answer.status == 422
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert answer.body["tasks"][0]["error"]["limit"] == 5000


async def test_an_empty_file_is_refused_by_name(site: Any) -> None:
    answer = await site.upload(("a", b""))
    assert (answer.status, answer.body["tasks"][0]["error"]["reason"]) == (
        422, "the file is empty",
    )  # fmt: skip


async def test_all_files_of_an_upload_have_a_limit_together(site: Any) -> None:
    answer = await site.upload(*[(f"{at}", b"z" * 4900) for at in range(5)])
    assert (answer.status, answer.body["setting"]) == (413, "document.max_upload_bytes")
    assert sent(site) == []


async def test_so_many_files_are_too_many(site: Any) -> None:
    answer = await site.upload(*[(f"{at}", b"z") for at in range(6)])
    assert (answer.status, answer.body["setting"]) == (422, "task.max_batch_tasks")
    assert sent(site) == []


@pytest.mark.parametrize(
    "task,field",
    [
        ({"data": "x"}, "task.data"),
        ({"task_type": "text_vectorization"}, "task.task_type"),
        ({"task_type": []}, "task.task_type"),
        ([], "task"),
    ],
)
async def test_what_an_upload_cannot_say_is_refused_by_name(
    site: Any, task: object, field: str
) -> None:
    answer = await site.upload(("a", SMALL), task=task)
    assert (answer.status, answer.body["field"], sent(site)) == (422, field, [])


async def test_a_wrong_field_of_the_tasks_is_told_at_each_file(site: Any) -> None:
    answer = await site.upload(("a", SMALL), task={"chunk_tokens": 99})
    assert (answer.status, answer.body["tasks"][0]["error"]["field"]) == (422, "chunk_tokens")


@pytest.mark.parametrize(
    "task",
    [{"document_id": "d"}, {"task_type": "image_vectorization", "item_ids": ["a"]}],
    ids=["a document's", "an image's"],
)
async def test_one_name_is_not_for_several_files(site: Any, task: dict[str, object]) -> None:
    answer = await site.upload(("a", SMALL), ("b", SMALL), task=task)
    assert (answer.status, answer.body["field"]) == (422, f"task.{list(task)[-1]}")
    assert sent(site) == []


async def test_a_key_is_one_for_each_file(site: Any) -> None:
    key = {"Idempotency-Key": "k"}
    first = await site.upload(("a", SMALL), ("b", LARGE), headers=key)
    again = await site.upload(("a", SMALL), ("b", LARGE), headers=key)
    ids = [slot["task_id"] for slot in first.body["tasks"]]
    assert len(set(ids)) == 2
    assert [slot["task_id"] for slot in again.body["tasks"]] == ids


async def test_an_upload_while_the_blob_store_is_away_may_be_tried_again(site: Any) -> None:
    site.blobs.down = True
    answer = await site.upload(("a", SMALL))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


def image(*contents: bytes, **more: Any) -> dict[str, Any]:
    data: Any = [b64encode(content).decode() for content in contents]
    return {"task_type": "image_vectorization", "model_name": "clip", "data": data, **more}


async def test_each_image_of_a_task_travels_as_it_fits(site: Any) -> None:
    answer = await site.post("/tasks/submit", image(SMALL, LARGE, item_ids=["a", "b"]))
    assert (answer.status, answer.body["total_items"]) == (202, 2)
    [data] = sent(site)
    assert data == [b64encode(SMALL).decode(), str(BlobRef.of(LARGE))]
    one = image(SMALL) | {"data": b64encode(SMALL).decode()}
    assert (await site.post("/tasks/submit", one)).body["total_items"] == 1


@pytest.mark.parametrize(
    "more,field",
    [
        ({"model_name": "tiny"}, "model_name"),
        ({"data": []}, "data"),
        ({"data": ["YQ==", "!"]}, "data[1]"),
        ({"data": ["YQ==", b64encode(b"x" * 5001).decode()]}, "data[1]"),
        ({"item_ids": ["a"]}, "item_ids"),
        ({"chunk_tokens": 8}, "chunk_tokens"),
        ({"document_id": "d"}, "document_id"),
    ],
)
async def test_a_wrong_image_task_is_refused_by_name(
    site: Any, more: dict[str, Any], field: str
) -> None:
    answer = await site.post("/tasks/submit", image(SMALL, SMALL) | more)
    assert (answer.status, answer.body["field"]) == (422, field)


async def test_an_uploaded_file_may_be_an_image(site: Any) -> None:
    task = {"task_type": "image_vectorization", "model_name": "clip"}
    answer = await site.upload(("a.png", SMALL), task=task)
    assert (answer.status, answer.body["accepted"]) == (202, 1)
    assert site.log.records[0].images == [str(BlobRef.of(SMALL))]


async def test_keys_go_by_the_place_of_a_file_so_that_others_do_not_change_them(site: Any) -> None:
    key = {"Idempotency-Key": "k"}
    first = await site.upload(("a", SMALL), ("b", b"z" * 5001), ("c", LARGE), headers=key)
    again = await site.upload(("a", SMALL), ("b", SMALL + b"b"), ("c", LARGE), headers=key)
    assert (first.body["accepted"], again.body["accepted"]) == (2, 3)
    for at in (0, 2):
        assert first.body["tasks"][at]["task_id"] == again.body["tasks"][at]["task_id"]


async def test_nothing_is_kept_of_an_upload_while_the_queue_is_full(site: Any) -> None:
    site.queue.waiting = 10**9
    answer = await site.upload(("a", SMALL))
    assert (answer.status, site.blobs.held) == (503, {})


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "gzip"},
        {"Content-Encoding": "br"},
        {"Content-Transfer-Encoding": "base64"},
        {"Content-Transfer-Encoding": "quoted-printable"},
        {"Content-Transfer-Encoding": "nonsense"},
    ],
    ids=str,
)
async def test_a_part_that_would_have_to_be_decoded_is_refused(
    site: Any, headers: dict[str, str]
) -> None:
    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    body = (
        "--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n"
        f"{told}\r\nabc\r\n--x--\r\n"
    ).encode()
    answer = await site.post(
        "/tasks/upload", body, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert (answer.status, answer.body["field"], site.blobs.held) == (422, "file", {})


async def test_only_a_form_is_an_upload_and_its_task_part_comes_once(site: Any) -> None:
    answer = await site.post(
        "/tasks/upload", b"--x--", headers={"Content-Type": "multipart/mixed; boundary=x"}
    )
    assert (answer.status, answer.body["field"]) == (422, "Content-Type")
    form = FormData()
    for _ in range(2):
        form.add_field("task", "{}", content_type="application/json")
    answer = await site._answer(await site.client.post("/tasks/upload", data=form))
    assert (answer.status, answer.body["field"]) == (422, "task")


@pytest.mark.parametrize(
    "body, boundary",
    [
        (b"", "; boundary=x"),
        (b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\nabc", "; boundary=x"),
        (b"--y\r\nContent-Disposition: form-data; name=file\r\n\r\nabc", "; boundary=x"),
        (b"x", ""),
    ],
    ids=["nothing", "cut in a file", "another boundary", "no boundary"],
)
async def test_an_upload_that_is_not_whole_is_said_to_be_no_multipart(
    site: Any, body: bytes, boundary: str
) -> None:
    headers = {"Content-Type": f"multipart/form-data{boundary}"}
    answer = await site.post("/tasks/upload", body, headers=headers)
    assert (answer.status, answer.body["field"]) == (400, "body")
    assert answer.body["type"] == "urn:vectorize:problem:malformed-multipart"
    assert "JSON" not in answer.body["detail"]


async def test_what_is_no_upload_is_refused(site: Any) -> None:
    answer = await site.post("/tasks/upload", {"file": "x"})
    assert (answer.status, answer.body["field"]) == (422, "Content-Type")
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await site.post("/tasks/upload", b"--x\r\n", headers=headers)
    assert (answer.status, answer.body["field"]) == (422, "a part without a name")
    form = FormData()
    form.add_field("picture", b"x", filename="a")
    answer = await site._answer(await site.client.post("/tasks/upload", data=form))
    assert (answer.status, answer.body["field"]) == (422, "picture")
    form = FormData()
    form.add_field("task", "{}", content_type="application/json")
    answer = await site._answer(await site.client.post("/tasks/upload", data=form))
    assert (answer.status, answer.body["field"]) == (422, "file")
